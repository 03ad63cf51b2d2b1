"""The reader of kafka-dump-log's output takes sound output of Kafka 4.3 and refuses each kind of damage."""

import unittest

import dump_log

BATCH = (
    "baseOffset: {base} lastOffset: {last} count: {count} baseSequence: -1 lastSequence: -1 producerId: -1 producerEpoch: -1 "
    "partitionLeaderEpoch: {epoch} isTransactional: false isControl: false deleteHorizonMs: OptionalLong.empty position: 0 "
    "CreateTime: 1795378014821 size: 277 magic: 2 compresscodec: none crc: 2164105408 isvalid: {valid}\n"
)
RECORD = "| offset: {offset} CreateTime: 1795378014781 keySize: -1 valueSize: 100 sequence: 0 headerKeys: [l.t,l.s]\n"


def batch(base, count, epoch=0, valid="true", shown=None):
    offsets = range(base, base + (count if shown is None else shown))
    header = BATCH.format(base=base, last=base + count - 1, count=count, epoch=epoch, valid=valid)
    return header + "".join(RECORD.format(offset=offset) for offset in offsets)


def file(base, *parts):
    return f"Dumping p/{base:020}.log\nLog starting offset: {base}\n" + "".join(parts)


def dump(*files):
    return dump_log.join(dump_log.parse("".join(files)))


class DumpLogOutput(unittest.TestCase):
    def test_sound_segments_are_counted(self):
        found = dump(file(0, batch(0, 3), batch(3, 2)), file(5, batch(5, 1, epoch=2)))
        self.assertEqual((found.start, found.end, found.invalid_bytes), (0, 6, 0))
        self.assertEqual(found.records_below(5), 5)

    def test_a_batch_in_the_making_is_told(self):
        found = dump(file(0, batch(0, 3), "Found 160 invalid bytes at the end of 00000000000000000000.log\n"))
        self.assertEqual((found.end, found.invalid_bytes), (3, 160))

    def test_damage_is_refused(self):
        damaged = {
            "wrong checksum": [file(0, batch(0, 3, valid="false"))],
            "fewer records than the header counts": [file(0, batch(0, 3, shown=2), batch(3, 1))],
            "fewer records in the last batch": [file(0, batch(0, 3, shown=2))],
            "a hole between batches": [file(0, batch(0, 3), batch(4, 1))],
            "a hole between segments": [file(0, batch(0, 3)), file(5, batch(5, 1))],
            "an epoch that falls": [file(0, batch(0, 3, epoch=2), batch(3, 1, epoch=1))],
            "a torn segment before the last": [file(0, batch(0, 3), "Found 9 invalid bytes at the end of x.log\n"), file(3, batch(3, 1))],
            "a line that nobody knows": [file(0, batch(0, 3), "Exception in thread\n")],
        }
        for kind, files in damaged.items():
            with self.subTest(kind), self.assertRaises(dump_log.Problem):
                dump(*files)


if __name__ == "__main__":
    unittest.main()
