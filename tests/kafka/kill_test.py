"""Two processes share a stream topic of three brokers while processes and brokers are killed: nothing is lost, and nothing is there twice.

usage: kill_test.py PROGRAM [PROCESS_KILLS BROKER_KILLS]    PROGRAM is lungo_kafka_counting_owner; 2 and 0 unless said otherwise

The brokers have Kafka's own settings. Each process counts the streams of the partitions that it owns; a number that it has printed was
answered. Behind the kills every stream counts 1, 2, 3, ... without a gap or a repetition, and has each number that was answered. A
process that is killed is replaced within 15 s, at a session timeout of 6 s.
"""

import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "peers"))
from kafka_cluster import Cluster  # noqa: E402

STREAMS = 20
TAKE_OVER_SECONDS = 15
BROKER_SECONDS = 60
APP, TOPIC = "kills", "kills"


class Process:
    """A counting owner, with what it has printed."""

    def __init__(self, program, cluster, folder, name):
        self.name = name
        self.out = os.path.join(folder, name + ".out")
        with open(self.out, "wb") as out, open(os.path.join(folder, name + ".err"), "wb") as err:
            command = [program, cluster.address, APP, TOPIC, name, str(STREAMS), os.path.join(folder, name)]
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err)

    def answers(self):
        with open(self.out, encoding="ascii") as out:
            lines = out.read().split("\n")[:-1]  # the last one may be half a line
        return [(key, int(number)) for key, number in (line.split(" ") for line in lines)]

    def said(self):
        with open(self.out[:-4] + ".err", encoding="utf-8", errors="replace") as err:
            return err.read()[-3000:]

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)


def highest(processes):
    """Of each stream the highest number that was answered."""
    numbers = {}
    for process in processes:
        for key, number in process.answers():
            numbers[key] = max(number, numbers.get(key, 0))
    return numbers


def wait_until_all_count(processes, seconds, what):
    """Until each stream has a number more than now; returns how long that took."""
    begin = time.monotonic()
    before = highest(processes)
    while True:
        now = highest(processes)
        if len(now) == STREAMS and all(now[key] > before.get(key, 0) for key in now):
            return time.monotonic() - begin
        if time.monotonic() > begin + seconds:
            stuck = sorted(key for key in now if now[key] <= before.get(key, 0))
            said = "\n".join(f"{process.name}:\n{process.said()}" for process in processes)
            raise SystemExit(f"{what}: not counted on within {seconds} s: {stuck or 'some never began'}\n{said}")
        time.sleep(0.05)


def wait_until_in_sync(program, cluster, folder):
    """Behind a broker that came back: the next one may go when each partition has all its replicas, or its records may be nowhere."""
    begin = time.monotonic()
    while True:
        command = [program, cluster.address, APP, TOPIC, "in-sync", "0", folder]
        asked = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=120)
        if asked.returncode == 0 and asked.stdout.strip() == "0":
            return
        if time.monotonic() > begin + 2 * BROKER_SECONDS:
            raise SystemExit(f"after {2 * BROKER_SECONDS} s partitions are not in sync: {asked.stdout.strip() or 'no answer'}")
        time.sleep(0.5)


def check_counts(program, cluster, folder, everyone):
    """Each stream counts up, and has all that was answered. Returns how much that is."""
    look = subprocess.run([program, cluster.address, APP, TOPIC, "look", "0", os.path.join(folder, "look")],
                          stdout=subprocess.PIPE, check=True, text=True, timeout=120)  # fmt: skip
    counts = {key: int(count) for key, count in (line.split(" ") for line in look.stdout.splitlines())}
    lost = {key: (number, counts.get(key, 0)) for key, number in highest(everyone).items() if number > counts.get(key, 0)}
    if lost:
        raise SystemExit(f"answered, and not there: {lost}")
    answers = len([answer for process in everyone for answer in process.answers()])
    return f"{sum(counts.values())} numbers, {answers} answers"


def run(program, process_kills, broker_kills):
    rng = random.Random(7)
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as ends:
        cluster = Cluster(os.path.join(folder, "cluster"))
        ends.callback(cluster.stop)
        cluster.start(3, os.getpid())
        everyone = [Process(program, cluster, folder, f"process-{index}") for index in (1, 2)]
        ends.callback(lambda: [process.process.kill() for process in everyone])
        alive = list(everyone)
        wait_until_all_count(everyone, 90, "start")
        took = []
        for turn in range(max(process_kills, broker_kills)):
            if turn < process_kills:
                victim = alive.pop(rng.randrange(2))
                victim.kill()
                took.append(wait_until_all_count(everyone, TAKE_OVER_SECONDS, f"{victim.name} was killed"))
                alive.append(Process(program, cluster, folder, f"process-{len(everyone) + 1}"))
                everyone.append(alive[-1])
                wait_until_all_count([alive[-1], alive[0]], BROKER_SECONDS, f"{alive[-1].name} has come")
            if turn < broker_kills:
                node = rng.randrange(3) + 1
                cluster.kill(node)
                wait_until_all_count(everyone, BROKER_SECONDS, f"broker {node} was killed")
                cluster.restart(node)
                wait_until_all_count(everyone, BROKER_SECONDS, f"broker {node} is back")
                wait_until_in_sync(program, cluster, folder)
        for process in alive:
            if status := process.stop():
                raise SystemExit(f"{process.name} ended with {status}:\n{process.said()}")
        print(f"{check_counts(program, cluster, folder, everyone)}; {process_kills} processes and {broker_kills} brokers killed; "
              f"taken over after {', '.join(f'{seconds:.1f}' for seconds in took) or '-'} s")  # fmt: skip


if __name__ == "__main__":
    match sys.argv[1:]:
        case [owner]:
            run(owner, 2, 0)
        case [owner, processes, brokers]:
            run(owner, int(processes), int(brokers))
        case _:
            sys.exit(__doc__)
