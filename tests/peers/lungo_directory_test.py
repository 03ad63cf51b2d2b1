"""The reader of a data directory sees what the writer says it committed.

usage: lungo_directory_test.py APPENDER [unittest's own arguments]
"""

import subprocess
import sys
import tempfile
import unittest

import lungo_directory

APPENDER = ""


class LungoDirectory(unittest.TestCase):
    def test_committed_ends_are_the_writers(self):
        with tempfile.TemporaryDirectory() as directory:
            writer = subprocess.Popen([APPENDER, directory, "append"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            said = [writer.stdout.readline() for _ in range(20)]
            output, _ = writer.communicate(timeout=60)
            self.assertEqual(writer.returncode, 0)
            ends = {}
            for what, partition, end in (line.split() for line in said + output.splitlines()):
                if what == "end":
                    ends["live", int(partition)] = int(end)
            self.assertEqual(set(ends), {("live", 0), ("live", 1)})
            self.assertGreater(min(ends.values()), 0)
            self.assertEqual(lungo_directory.committed_ends(directory), ends)


if __name__ == "__main__":
    APPENDER = sys.argv.pop(1)
    unittest.main()
