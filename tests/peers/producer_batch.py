"""A Kafka producer's finished batch (RecordBatch v2) of an idempotent producer, by its own encoder."""

import struct


def _crc_table():
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


_TABLE = _crc_table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 255] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def _varint(value):
    bits = (value << 1) ^ (value >> 63)
    out = bytearray()
    while bits >= 0x80:
        out.append(bits & 0x7F | 0x80)
        bits >>= 7
    out.append(bits)
    return bytes(out)


def encode(producer, epoch, sequence, records, time):
    """`records`: (key, value) each; all have the time `time`, in milliseconds."""
    body = b""
    for delta, (key, value) in enumerate(records):
        record = b"\0" + _varint(0) + _varint(delta) + _varint(len(key)) + key + _varint(len(value)) + value + _varint(0)
        body += _varint(len(record)) + record
    covered = struct.pack(">hiqqqhii", 0, len(records) - 1, time, time, producer, epoch, sequence, len(records)) + body
    tail = struct.pack(">ibI", -1, 2, crc32c(covered)) + covered
    return struct.pack(">qi", 0, len(tail)) + tail
