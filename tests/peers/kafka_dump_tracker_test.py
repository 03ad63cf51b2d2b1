"""Apache Kafka 4's kafka-dump-log reads the web tracker's partitions: live, after a stop, and after kill -9 with recovery.

usage: kafka_dump_tracker_test.py WEB_TRACKER GENERATE_ACCESS_LOG [unittest's own arguments]
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import dump_log
import lungo_directory

TRACKER = GENERATOR = ""
LINES = 600_000
EVENT_PARTITIONS = 4
PACE_BYTES, PACE_SECONDS = 64 << 10, 0.02  # about 15,000 lines a second, so that the log outgrows no dump
EVENTS, FAILED = "events", "failed-events"


class KafkaDumpLogOfTheTracker(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.scratch.cleanup)
        cls.log = os.path.join(cls.scratch.name, "access.log")
        with open(cls.log, "wb") as file:
            subprocess.run([GENERATOR, "--lines", str(LINES), "--seed", "7", "--broken", "1"], stdout=file, check=True)

    def setUp(self):
        scratch = tempfile.TemporaryDirectory(dir=self.scratch.name)
        self.addCleanup(scratch.cleanup)
        self.data = os.path.join(scratch.name, "data")

    def start_import(self, file, source=subprocess.DEVNULL):
        command = [TRACKER, "--data", self.data, "--import", file, "--exit", "--json"]
        importer = subprocess.Popen(command, stdin=source, stdout=subprocess.PIPE)
        self.addCleanup(lambda: importer.poll() is None and (importer.kill(), importer.wait()))
        self.addCleanup(importer.stdout.close)
        return importer

    def wait_for_events(self, importer, count, partition=None):
        """Until so many events are committed, in `partition` or in all together; returns all ends then."""
        deadline = time.monotonic() + 120
        while True:
            try:
                ends = lungo_directory.committed_ends(self.data)
            except FileNotFoundError:  # the importer has not made its files yet
                ends = {}
            if sum(end for (topic, number), end in ends.items() if topic == EVENTS and partition in (None, number)) >= count:
                return ends
            if importer.poll() is not None or time.monotonic() > deadline:
                self.fail(f"the import ended before {count} events were committed: {ends}, exit status {importer.poll()}")
            time.sleep(0.005)

    def finish(self, importer):
        output, _ = importer.communicate(timeout=300)
        self.assertEqual(importer.returncode, 0)
        return json.loads(output)

    def assert_committed(self, ends):
        for name, end in ends.items():
            dump = dump_log.dump_partition(lungo_directory.partition_folder(self.data, name))
            self.assertEqual(dump.start, 0, name)
            self.assertGreaterEqual(dump.end, end, name)
            self.assertEqual(dump.records_below(end), end, name)

    def assert_whole(self):
        """Nothing but whole batches and fitting indexes up to the committed ends; returns the records of each topic."""
        records = {EVENTS: 0, FAILED: 0}
        for name, end in lungo_directory.committed_ends(self.data).items():
            folder = lungo_directory.partition_folder(self.data, name)
            dump = dump_log.dump_partition(folder)
            self.assertEqual((dump.start, dump.end, dump.invalid_bytes), (0, end, 0), name)
            dump_log.check_indexes(folder)
            records[name[0]] = records.get(name[0], 0) + dump.records_below(end)
        return records

    def assert_stopped(self, summary):
        """A sound log, with as many records as the summary says."""
        records = self.assert_whole()
        self.assertEqual(records[EVENTS], summary["lines"] - sum(summary["drops"].values()))
        self.assertEqual(records[FAILED], sum(summary["drops"].values()))

    def feed(self, importer):
        """Gives the importer lines at a steady pace; returns a function that stops it."""
        generator = subprocess.Popen([GENERATOR, "--lines", "100000000", "--seed", "7", "--broken", "1"], stdout=subprocess.PIPE)
        self.addCleanup(lambda: (generator.kill(), generator.wait(), generator.stdout.close()))
        enough = threading.Event()

        def pump():
            while not enough.wait(PACE_SECONDS):
                importer.stdin.write(generator.stdout.read(PACE_BYTES))

        def stop():
            enough.set()
            pumping.join()

        pumping = threading.Thread(target=pump)
        pumping.start()
        self.addCleanup(importer.stdin.close)
        self.addCleanup(stop)
        return stop

    def test_reads_live_while_the_import_never_pauses(self):
        """All partitions of all topics, while each one of the events goes on to grow."""
        importer = self.start_import("-", subprocess.PIPE)
        stop_feeding = self.feed(importer)
        for number in range(EVENT_PARTITIONS):
            self.wait_for_events(importer, 10_000, number)
        ends = lungo_directory.committed_ends(self.data)
        self.assertLessEqual({EVENTS, FAILED, "sessions"}, {topic for topic, _ in ends})
        for name, end in ends.items():
            self.assert_committed({name: end})
        for number in range(EVENT_PARTITIONS):
            self.wait_for_events(importer, ends[(EVENTS, number)] + 10_000, number)
        self.assertIsNone(importer.poll(), "the import ended before its input")
        stop_feeding()
        self.assert_stopped(self.finish(importer))

    def test_reads_after_kill_and_recovery(self):
        for at in (50_000, 200_000):
            importer = self.start_import(self.log)
            self.wait_for_events(importer, at)
            importer.kill()
            importer.wait()
            self.assert_committed(lungo_directory.committed_ends(self.data))
        subprocess.run([TRACKER, "--data", self.data, "--exit"], stdout=subprocess.DEVNULL, check=True)  # recovers, adds no events
        self.assertGreaterEqual(self.assert_whole()[EVENTS], 200_000)
        summary = self.finish(self.start_import(self.log))
        self.assertEqual(summary["lines"], LINES)
        self.assert_stopped(summary)


if __name__ == "__main__":
    TRACKER, GENERATOR = sys.argv.pop(1), sys.argv.pop(1)
    unittest.main()
