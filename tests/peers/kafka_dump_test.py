"""Apache Kafka 4's kafka-dump-log reads the partitions of a log: live, after a stop, and after kill -9 with recovery.

usage: kafka_dump_test.py APPENDER [unittest's own arguments]
"""

import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import dump_log
import producer_batch

APPENDER = ""
PARTITIONS = 2


class Writer:
    """The appender at work; `committed` holds the newest acknowledged end of each partition."""

    def __init__(self, directory, mode, *codec):
        self.committed = [0] * PARTITIONS
        self.ends = [None] * PARTITIONS
        self.process = subprocess.Popen(
            [APPENDER, directory, mode, *codec], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            what, partition, end = line.split()
            (self.committed if what == "committed" else self.ends)[int(partition)] = int(end)

    def wait_for(self, end):
        """Until every partition's committed end has reached `end`."""
        deadline = time.monotonic() + 60
        while min(self.committed) < end:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the writer stands at {self.committed}, exit status {self.process.poll()}")
            time.sleep(0.01)

    def stop(self):
        self.process.stdin.close()
        self._join()
        return self.process.returncode

    def kill(self):
        self.process.kill()
        self._join()

    def _join(self):
        self._reader.join()
        self.process.wait(60)
        self.process.stdout.close()
        if not self.process.stdin.closed:
            self.process.stdin.close()


class KafkaDumpLog(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.directory = scratch.name

    def start(self, mode, *codec):
        writer = Writer(self.directory, mode, *codec)
        self.addCleanup(lambda: writer.process.poll() is None and writer.kill())
        return writer

    def partitions(self, used=PARTITIONS):
        """The directories of the first ones; one that nobody has used has no segment yet."""
        found = {}
        for folder, _, names in os.walk(self.directory):
            if os.path.basename(folder).startswith("live-") and any(name.endswith(".log") for name in names):
                found[int(folder.rsplit("-", 1)[1])] = folder
        self.assertEqual(sorted(found), list(range(used)))
        return [found[number] for number in range(used)]

    def assert_committed(self, committed):
        """Every record below the committed ends is read, in whole batches, none missing."""
        for partition, end in zip(self.partitions(), committed):
            dump = dump_log.dump_partition(partition)
            self.assertEqual(dump.start, 0)
            self.assertGreaterEqual(dump.end, end)
            self.assertEqual(dump.records_below(end), end)

    def assert_stopped_at(self, ends):
        """The files hold just these records and nothing behind them, and the indexes fit."""
        for partition, end in zip(self.partitions(), ends):
            dump = dump_log.dump_partition(partition)
            self.assertEqual((dump.start, dump.end, dump.invalid_bytes), (0, end, 0))
            self.assertEqual(dump.records_below(end), end)
            dump_log.check_indexes(partition)

    def test_reads_a_live_log_whose_writer_never_pauses(self):
        writer = self.start("append")
        writer.wait_for(500)
        for _ in range(3):
            before = list(writer.committed)
            self.assert_committed(before)
            writer.wait_for(max(before) + 1)
        self.assertEqual(writer.stop(), 0)

    def test_reads_a_stopped_log_and_accepts_its_indexes(self):
        writer = self.start("append")
        writer.wait_for(3000)
        self.assertEqual(writer.stop(), 0)
        self.assertGreater(len(dump_log.segment_files(self.partitions()[0], ".log")), 1)
        self.assert_stopped_at(writer.ends)

    def test_reads_a_log_that_was_killed_and_recovered(self):
        acknowledged = [0] * PARTITIONS
        for _ in range(3):
            writer = self.start("append")
            writer.wait_for(max(acknowledged) + 700)
            writer.kill()
            acknowledged = list(writer.committed)
            self.assert_committed(acknowledged)

            recovered = self.start("open")
            self.assertEqual(recovered.stop(), 0)
            for end, acknowledged_end in zip(recovered.ends, acknowledged):
                self.assertGreaterEqual(end, acknowledged_end)
            self.assert_stopped_at(recovered.ends)
            acknowledged = recovered.ends

    def produce(self, *batches):
        """What became of each; the log was stopped cleanly then."""
        lines = "".join(batch.hex() + "\n" for batch in batches)
        done = subprocess.run(
            [APPENDER, self.directory, "produce"], input=lines, capture_output=True, text=True, check=True, timeout=60
        )
        return [line for line in done.stdout.splitlines() if not line.startswith("end ")]

    def test_reads_what_is_known_of_producers(self):
        records = [(b"k", b"v" * 1000)] * 20
        sevens = [producer_batch.encode(7, 1, 20 * number, records, 1000) for number in range(20)]
        eight = producer_batch.encode(8, 0, 0, [(b"k", b"v")], 2000)
        self.assertEqual(self.produce(*sevens), [f"committed 0 {20 * (number + 1)}" for number in range(20)])
        self.assertEqual(self.produce(eight, sevens[-1]), ["committed 0 401", "repeated 0 400"])
        (partition,) = self.partitions(used=1)
        snapshots = dump_log.segment_files(partition, ".snapshot")
        self.assertGreater(len(snapshots), 1)
        logs = dump_log.segment_files(partition, ".log")
        known = []
        for path in snapshots:
            output, _ = dump_log.run_tool("--files", path)
            found = re.findall(
                r"producerId: (\d+) producerEpoch: (\d+) .* firstSequence: (-?\d+) lastSequence: (-?\d+) lastOffset: (-?\d+)", output
            )
            known.append([tuple(int(number) for number in producer) for producer in found])
            base = int(os.path.basename(path)[:20])
            self.assertTrue(path[:-9] + ".log" in logs or base == 401)
            self.assertEqual(known[-1][0], (7, 1, base // 20 * 20 - 20, base // 20 * 20 - 1, base // 20 * 20 - 1))
        self.assertEqual(known[-1][1:], [(8, 0, 0, 0, 400)])
        dump = dump_log.dump_partition(partition)
        self.assertEqual((dump.end, dump.records_below(401)), (401, 401))

    def test_reads_batches_of_every_codec(self):
        scratch = self.directory
        for codec in ("gzip", "snappy", "lz4", "zstd"):
            self.directory = os.path.join(scratch, codec)
            os.mkdir(self.directory)
            writer = self.start("append", codec)
            writer.wait_for(300)
            self.assertEqual(writer.stop(), 0)
            self.assert_stopped_at(writer.ends)
            logs = dump_log.segment_files(self.partitions()[0], ".log")
            output, _ = dump_log.run_tool("--files", ",".join(logs))
            self.assertIn(f" compresscodec: {codec} ", output)

    def test_reads_what_compaction_leaves(self):
        scratch = self.directory
        for codec in ("none", "zstd"):
            self.directory = os.path.join(scratch, codec)
            os.mkdir(self.directory)
            writer = self.start("compact", codec)
            self.assertEqual(writer.stop(), 0)
            for partition, end in zip(self.partitions(), writer.ends):
                dump = dump_log.dump_partition(partition, gaps=True)
                self.assertEqual((dump.end, dump.invalid_bytes), (end, 0))
                self.assertLess(dump.records_below(end), end / 2)
                dump_log.check_indexes(partition)
                output, _ = dump_log.run_tool("--files", ",".join(dump_log.segment_files(partition, ".log")))
                self.assertRegex(output, r"deleteHorizonMs: OptionalLong\[\d+\]")


if __name__ == "__main__":
    APPENDER = sys.argv.pop(1)
    unittest.main()
