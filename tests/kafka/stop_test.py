"""Without brokers a log ends in 10 seconds, answers whatever waits, and nothing is lost that it had answered before.

usage: stop_test.py STOPPING_OWNER COUNTING_OWNER LUNGO_LOG

Processes append without pause while their broker is stopped (it answers nothing) or killed (nobody listens), and close their logs
after a while: at once, in the middle of a transaction; and later, when a transaction's abort and a new producer are under way.
"""

import contextlib
import glob
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "peers"))
from kafka_cluster import Cluster  # noqa: E402

ANSWERS_BEFORE = 200
BEGIN_SECONDS = 90
END_MS_MAX = 10_000
MARKERS_SECONDS = 30


def topic_of(application):
    """Its own: by a name that they shared, one would find the other's records as its own, by their ids, as long as these are new."""
    return f"stops-of-{application}"


class Process:
    def __init__(self, program, cluster, folder, name):
        self.name = name
        self.out, self.err = os.path.join(folder, name + ".out"), os.path.join(folder, name + ".err")
        with open(self.out, "wb") as out, open(self.err, "wb") as err:
            self.process = subprocess.Popen([program, cluster.address, name, topic_of(name), os.path.join(folder, name)],
                                            stdin=subprocess.PIPE, stdout=out, stderr=err)  # fmt: skip

    def lines(self):
        with open(self.out, encoding="ascii") as out:
            return out.read().split("\n")[:-1]

    def wait_until_it_appends(self):
        deadline = time.monotonic() + BEGIN_SECONDS
        while len(self.lines()) < ANSWERS_BEFORE:
            if time.monotonic() > deadline or self.process.poll() is not None:
                self.fail("does not append")
            time.sleep(0.02)

    def close(self):
        self.process.stdin.write(b"\n")
        self.process.stdin.close()

    def has_to_end(self):
        """Returns what it has answered: of each stream the highest number."""
        try:
            status = self.process.wait(timeout=2 * END_MS_MAX / 1000)
        except subprocess.TimeoutExpired:
            self.fail("does not end")
        pairs = [line.split(" ") for line in self.lines()]
        end = {name: int(number) for name, number in pairs if not name.startswith("k")}
        print(f"{self.name}: {end}")
        if status or end["ended"] > END_MS_MAX or end["unanswered"] or not set(end) <= {"closed", "timed_out", "unanswered", "ended"}:
            self.fail(f"ended with {status}: {end}")
        return {key: int(number) for key, number in pairs if key.startswith("k")}  # in order: the last one is the highest

    def fail(self, what):
        with open(self.err, encoding="utf-8", errors="replace") as err:
            raise SystemExit(f"{self.name} {what}\n{err.read()[-5000:]}")


def counts_of(look, cluster, folder, process):
    with tempfile.TemporaryDirectory(dir=folder) as mirror:
        command = [look, cluster.address, process.name, topic_of(process.name), "look", "0", os.path.join(mirror, "look")]
        found = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True, text=True, timeout=120).stdout
    return {key: int(count) for key, count in (line.split(" ") for line in found.splitlines())}


def written_to(dump, cluster, process):
    """Of each stream the highest number that the broker's own files have, whatever became of its transaction."""
    folders = glob.glob(os.path.join(cluster.directory, "node-1", topic_of(process.name) + "-*"))
    lines = subprocess.run([dump, "dump", *folders, "--records", "--json"], stdout=subprocess.PIPE, check=True, text=True, timeout=60).stdout
    numbers = {}
    for line in map(json.loads, lines.splitlines()):
        if line["kind"] == "record" and "key" in line:
            numbers[line["key"]] = max(int(line["value"]), numbers.get(line["key"], 0))
    return numbers


def has_all(look, dump, cluster, folder, process, answered):
    """A commit that was answered is decided; a broker that was killed behind it writes its markers, by which readers see it, after it came back.
    Where it is alone Kafka 4.3.1 now and then completes the transaction without them (docs/decisions/0007, N): then all has to be in its files."""
    begin = time.monotonic()
    while True:
        counts = counts_of(look, cluster, folder, process)
        lost = {key: number for key, number in answered.items() if counts.get(key, 0) < number}
        took = time.monotonic() - begin
        if not lost:
            return print(f"{process.name}: all there after {took:.1f} s")
        if took > MARKERS_SECONDS and all(written_to(dump, cluster, process).get(key, 0) >= number for key, number in answered.items()):
            return print(f"{process.name}: all is written, and the broker has completed its transaction without a marker: not shown {lost}")
        if took > MARKERS_SECONDS:
            raise SystemExit(f"{process.name}: answered, and not there: {lost} of {counts}")
        time.sleep(0.5)


def run(program, look, dump):
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as ends:
        cluster = Cluster(os.path.join(folder, "cluster"))
        ends.callback(cluster.stop)
        cluster.start(1, os.getpid(), ["group.initial.rebalance.delay.ms=0"])

        def start(name):
            process = Process(program, cluster, folder, name)
            ends.callback(process.process.kill)
            process.wait_until_it_appends()
            return process

        at_once, later = start("at-once"), start("later")
        os.kill(cluster.pid(1), signal.SIGSTOP)
        time.sleep(0.3)
        at_once.close()
        answered = {at_once: at_once.has_to_end()}
        time.sleep(5)
        later.close()
        answered[later] = later.has_to_end()
        os.kill(cluster.pid(1), signal.SIGCONT)
        killed = start("killed")
        cluster.kill(1)
        time.sleep(3)
        killed.close()
        answered[killed] = killed.has_to_end()
        cluster.restart(1)
        for process, numbers in answered.items():
            has_all(look, dump, cluster, folder, process, numbers)


if __name__ == "__main__":
    match sys.argv[1:]:
        case [owner, counting_owner, lungo_log]:
            run(owner, counting_owner, lungo_log)
        case _:
            sys.exit(__doc__)
