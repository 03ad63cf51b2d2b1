"""Runs Apache Kafka's kafka-dump-log over partition directories and reads its output.

The tool's exit status says little: it is 0 for a batch with a wrong checksum and for bytes that are no batch at all. So every
line is read, and a line that is not understood is an error.
"""

import os
import re
import subprocess
from typing import NamedTuple

TOOL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "kafka-dump-log")

_FILE = re.compile(r"Dumping (?P<path>.+)")
_START = re.compile(r"Log starting offset: (?P<offset>-?\d+)")
_BATCH = re.compile(
    r"baseOffset: (?P<base>\d+) lastOffset: (?P<last>\d+) count: (?P<count>\d+) .*partitionLeaderEpoch: (?P<epoch>-?\d+) .*"
    r"position: (?P<position>\d+) .*size: (?P<size>\d+) magic: (?P<magic>\d+) .*isvalid: (?P<valid>true|false)"
)
_RECORD = re.compile(r"\| offset: (?P<offset>\d+) (?:CreateTime|LogAppendTime): (?P<time>-?\d+) keySize: (?P<key>-?\d+) .*")
_INVALID = re.compile(r"Found (?P<bytes>\d+) invalid bytes at the end of .+")
_SANITY = re.compile(r".+ passed sanity check\.")
_EMPTY = re.compile(r"(?P<segment>.+)\.index is empty\.")

# Kafka adds an index entry with the first batch after each 4 KiB, so a segment of one interval and one batch may have none.
_UNINDEXED_BYTES_MAX = 4096 + 65536


class Problem(Exception):
    """The tool, or its output, shows something that a sound partition does not have."""


class Batch(NamedTuple):
    base: int
    end: int  # one past the last record
    epoch: int
    records: int  # of which the dump printed this many


class Dump(NamedTuple):
    """What the tool read of one partition, its segments in order."""

    batches: list
    invalid_bytes: int  # at the end of the last segment: a batch that a live writer had not finished

    @property
    def start(self):
        return self.batches[0].base if self.batches else 0

    @property
    def end(self):
        return self.batches[-1].end if self.batches else 0

    def records_below(self, end):
        return sum(batch.records for batch in self.batches if batch.end <= end)


def run_tool(*arguments):
    done = subprocess.run([TOOL, *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Problem(f"kafka-dump-log {' '.join(arguments)} failed:\n{done.stderr}")
    return done.stdout, done.stderr


def parse(output, gaps=False):
    """[(file, [batch], invalid bytes)]: what `--deep-iteration` printed. Raises Problem for anything unsound inside a file."""
    files = []
    seen = 0  # records of the batch at hand
    for line in output.splitlines():
        if match := _FILE.fullmatch(line):
            _finish(files, seen)
            files.append([match["path"], [], 0])
        elif match := _BATCH.fullmatch(line):
            _finish(files, seen)
            seen = 0
            if match["valid"] != "true" or match["magic"] != "2":
                raise Problem(f"{files[-1][0]}: {line}")
            files[-1][1].append(Batch(int(match["base"]), int(match["last"]) + 1, int(match["epoch"]), int(match["count"])))
        elif match := _RECORD.fullmatch(line):
            batch = files[-1][1][-1]
            if int(match["offset"]) != batch.base + seen and not (gaps and batch.base <= int(match["offset"]) < batch.end):
                raise Problem(f"{files[-1][0]}: record {match['offset']} where {batch.base + seen} was due")
            seen += 1
        elif match := _INVALID.fullmatch(line):
            files[-1][2] = int(match["bytes"])
        elif line and not _START.fullmatch(line):
            raise Problem(f"not understood: {line}")
    _finish(files, seen)
    return files


def _finish(files, seen):
    """The last batch must have shown as many records as its header counts."""
    if files and files[-1][1] and files[-1][1][-1].records != seen:
        raise Problem(f"{files[-1][0]}: {files[-1][1][-1]} shows {seen} records")


def join(files, gaps=False):
    """One Dump out of a partition's files, in order. Offsets and epochs must follow on; only the last may end in half a batch."""
    batches = []
    for number, (path, of_file, invalid_bytes) in enumerate(files):
        if invalid_bytes and number + 1 < len(files):
            raise Problem(f"{path}: {invalid_bytes} invalid bytes at the end of a segment that is not the last")
        for batch in of_file:
            if batches and batch.base != batches[-1].end and not (gaps and batch.base > batches[-1].end):
                raise Problem(f"{path}: offset {batch.base} follows {batches[-1].end - 1}")
            if batches and batch.epoch < batches[-1].epoch:
                raise Problem(f"{path}: epoch {batch.epoch} follows {batches[-1].epoch}")
            batches.append(batch)
    return Dump(batches, files[-1][2] if files else 0)


def segment_files(partition, suffix):
    return [os.path.join(partition, name) for name in sorted(os.listdir(partition)) if re.fullmatch(r"\d{20}" + re.escape(suffix), name)]


def dump_partition(partition, gaps=False):
    """Every batch and record of a partition directory, by kafka-dump-log --deep-iteration. With `gaps` offsets may be missing."""
    logs = segment_files(partition, ".log")
    if not logs:
        return Dump([], 0)
    output, _ = run_tool("--deep-iteration", "--files", ",".join(logs))
    return join(parse(output, gaps), gaps)


def check_indexes(partition):
    """Passes the partition's offset and time indexes to the tool's two checks. Raises Problem for a mismatch."""
    indexes = segment_files(partition, ".index") + segment_files(partition, ".timeindex")
    if not indexes:
        raise Problem(f"{partition} has no index")
    for check in ("--index-sanity-check", "--verify-index-only"):
        output, errors = run_tool(check, "--files", ",".join(indexes))
        for line in [*output.splitlines(), *errors.splitlines()]:
            empty = _EMPTY.fullmatch(line)
            if empty and os.path.getsize(empty["segment"] + ".log") <= _UNINDEXED_BYTES_MAX:
                continue
            if line and not _FILE.fullmatch(line) and not _SANITY.fullmatch(line):
                raise Problem(f"{check}: {line}")
