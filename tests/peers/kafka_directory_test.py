"""A data directory of Apache Kafka 4's, after a stop and after kill -9, opens in Lungo with the records that kafka-dump-log prints.

usage: kafka_directory_test.py READER [unittest's own arguments]

A broker of its own, on free ports and in a temporary directory, holds topics of several segments: a plain one, one after the
cleaner, one with committed and aborted transactions, one whose first records are deleted. KafkaWriter.java writes them; the
codec is the environment's LUNGO_KAFKA_CODEC, `none` unless it says otherwise.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

import dump_log

HERE = os.path.dirname(os.path.abspath(__file__))
READER = ""
CODEC = os.environ.get("LUNGO_KAFKA_CODEC", "none")
TOPICS = ["plain", "compacted", "transactions", "trimmed"]
PARTITIONS = ["plain-0", "plain-1", "compacted-0", "transactions-0", "trimmed-0"]
FIRST_OF_TRIMMED = 123

_RECORD = re.compile(
    r"\| (?P<offset>offset: \d+) (?P<front>CreateTime: -?\d+ keySize: -?\d+ valueSize: -?\d+) sequence: -?\d+ (?P<rest>headerKeys: .*)"
)


def free_ports():
    """A port whose successor is free, too."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = first.getsockname()[1]
            try:
                second.bind(("127.0.0.1", port + 1))
                return port
            except (OSError, OverflowError):
                continue


class Broker:
    def __init__(self, directory):
        self.directory = directory
        self.port = free_ports()
        self.log = open(directory + ".out", "ab")
        self.process = subprocess.Popen([os.path.join(HERE, "kafka-server"), str(self.port), directory], stdout=self.log, stderr=self.log)
        self._wait(self._answers)

    def _answers(self):
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self.port)) == 0

    def _wait(self, condition):
        deadline = time.monotonic() + 120
        while not condition():
            if self.process.poll() is not None or time.monotonic() > deadline:
                with open(self.log.name, encoding="utf-8", errors="replace") as text:
                    raise AssertionError(f"exit status {self.process.poll()}:\n{text.read()[-3000:]}")
            time.sleep(0.05)

    def fill(self):
        jars = subprocess.run([os.path.join(HERE, "fetch"), "kafka4"], check=True, capture_output=True, text=True).stdout.strip()
        java = ["java", "-Xmx256M", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", f"-Dcodec={CODEC}"]
        java += [f"-Dlog4j2.configurationFile={HERE}/kafka4/log4j2.properties", "-cp", f"{jars}/*"]
        subprocess.run([*java, os.path.join(HERE, "KafkaWriter.java"), f"127.0.0.1:{self.port}", *TOPICS], check=True, stdout=self.log, stderr=self.log)
        self._wait(self._was_cleaned)
        self._wait(self._was_trimmed)

    def _was_cleaned(self):
        """The checkpoint follows the exchange; then the first segments are a small part of what they were."""
        logs = dump_log.segment_files(os.path.join(self.directory, "compacted-0"), ".log")
        return len(logs) > 2 and all(os.path.getsize(log) < 200_000 for log in logs[:-1]) and self._checkpoint("cleaner-offset").get("compacted 0")

    def _was_trimmed(self):
        return self._checkpoint("log-start-offset").get("trimmed 0") == FIRST_OF_TRIMMED

    def _checkpoint(self, name):
        with open(os.path.join(self.directory, name + "-checkpoint"), encoding="ascii") as text:
            lines = [line.rsplit(" ", 1) for line in text.read().splitlines()[2:]]
        return {line[0]: int(line[1]) for line in lines}

    def end(self, how):
        if self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(120)
        self.log.close()


def dumped_records(partition):
    """What kafka-dump-log prints of each record that is not a control record, the segments in order."""
    logs = dump_log.segment_files(partition, ".log")
    # Its standard error names each gap, which is what these directories are about.
    output, _ = dump_log.run_tool("--print-data-log", "--deep-iteration", "--files", ",".join(logs))
    assert "invalid bytes" not in output
    records = []
    is_control = False
    for line in output.splitlines():
        if line.startswith("baseOffset: "):
            assert "isvalid: true" in line, line
            is_control = " isControl: true " in line
        elif line.startswith("| offset: ") and not is_control:
            match = _RECORD.fullmatch(line)
            assert match, line
            records.append(f"{match['offset']} {match['front']} {match['rest']}")
    return records


def offset_of(record):
    return int(record.split(" ", 2)[1])


class KafkaDirectory(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.directory = os.path.join(scratch.name, "kafka")
        self.broker = Broker(self.directory)
        self.addCleanup(self.broker.end, signal.SIGKILL)

    def read(self, *arguments, directory=None):
        done = subprocess.run([READER, directory or self.directory, *arguments], capture_output=True, text=True, check=False, errors="replace")
        self.assertEqual(done.returncode, 0, done.stderr)
        records, ends = {}, {}
        for line in done.stdout.splitlines():
            name, _, rest = line.partition(" ")
            if name == "start":
                partition, start, end = rest.split()
                ends[partition] = (int(start), int(end))
            elif name in PARTITIONS:
                records.setdefault(name, []).append(rest)
        return records, ends

    def assert_read_as_dumped(self):
        expected = {name: dumped_records(os.path.join(self.directory, name)) for name in PARTITIONS}
        for name in PARTITIONS:
            self.assertGreater(len(expected[name]), 150, name)
        expected["trimmed-0"] = [record for record in expected["trimmed-0"] if offset_of(record) >= FIRST_OF_TRIMMED]
        self.assert_shows_what_is_special(expected)

        for arguments in (["adopt"], [], ["append"], []):
            records, ends = self.read(*arguments)
            if arguments == ["append"]:
                for name in PARTITIONS:
                    self.assertIn("payload: appended by Lungo", records[name][-1])
                    self.assertEqual(offset_of(records[name][-1]), ends[name][1] - 1)
                    self.assertGreater(offset_of(records[name][-1]), offset_of(expected[name][-1]))
                    expected[name].append(records[name][-1])
            self.assertEqual(ends["trimmed-0"][0], FIRST_OF_TRIMMED)
            for name in PARTITIONS:
                self.assertEqual(records[name], expected[name], name)
        for name in PARTITIONS:
            self.assertEqual(dumped_records(os.path.join(self.directory, name))[-1], expected[name][-1])

    def assert_shows_what_is_special(self, expected):
        """Or the test would prove less than it says."""
        offsets = [offset_of(record) for record in expected["compacted-0"]]
        self.assertLess(len(offsets), offsets[-1] - offsets[0], "the cleaner has left holes")
        self.assertIn(".txnindex", "".join(os.listdir(os.path.join(self.directory, "transactions-0"))))
        for name in PARTITIONS[:4]:
            self.assertGreater(len(dump_log.segment_files(os.path.join(self.directory, name), ".log")), 2, name)

    def test_reads_the_same_records_after_a_stop(self):
        self.broker.fill()
        self.broker.end(signal.SIGTERM)
        self.assertTrue(os.path.exists(os.path.join(self.directory, ".kafka_cleanshutdown")))
        self.assert_read_as_dumped()
        self.assertFalse(os.path.exists(os.path.join(self.directory, ".kafka_cleanshutdown")))

    def test_reads_the_same_records_after_a_kill(self):
        self.broker.fill()
        self.broker.end(signal.SIGKILL)
        sizes = [os.path.getsize(index) for index in dump_log.segment_files(os.path.join(self.directory, "plain-0"), ".index")]
        self.assertEqual(sizes[-1], 10 << 20, "a live index has room behind its entries")
        self.assert_read_as_dumped()

    def test_refuses_a_directory_that_a_broker_holds(self):
        done = subprocess.run([READER, self.directory, "adopt"], capture_output=True, text=True, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("locked", done.stderr)
        self.assertNotIn("lungo.meta", os.listdir(self.directory))
        # A copy of what it holds is nobody's.
        copy = self.directory + "-copy"
        self.broker.fill()
        shutil.copytree(self.directory, copy)
        self.read("adopt", directory=copy)


if __name__ == "__main__":
    READER = sys.argv.pop(1)
    unittest.main()
