"""Commands on Apache Kafka, beside what a producer alone does with the same brokers in the same run: three brokers of the run's own,
which it ends, with 1 GiB each. They and the program share all CPUs."""

import json
import os
import shutil
import statistics
import subprocess
import sys

from goals import at_least, report

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "peers"))
from kafka_cluster import Cluster  # noqa: E402

SECONDS, ROUNDS = 10, 5  # the first round is the brokers' warm-up


def rounds(program, address, directory):
    """Events per second of each round, by case."""
    command = [program, address, directory, str(SECONDS), str(ROUNDS)]
    output = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True, text=True).stdout
    cases = [json.loads(line) for line in output.splitlines()]
    return {case["case"]: case["events_per_second"][1:] for case in cases}


def run(folders):
    os.sched_setaffinity(0, range(os.cpu_count()))
    os.environ["LUNGO_KAFKA_JAVA"] = "-Xms1G -Xmx1G"
    scratch = os.path.join(folders.scratch, "kafka")
    shutil.rmtree(scratch, ignore_errors=True)
    os.makedirs(scratch)
    cluster = Cluster(os.path.join(scratch, "cluster"))
    try:
        cluster.start(3, os.getpid())
        figures = rounds(folders.program("tests/bench/lungo-bench-kafka"), cluster.address, os.path.join(scratch, "log"))
    finally:
        cluster.stop()
        shutil.rmtree(scratch, ignore_errors=True)
    ours, raw = figures["kafka.commands"], figures["kafka.raw"]
    ratio = statistics.median(one / other for one, other in zip(ours, raw))
    report("kafka.commands", round(statistics.median(ours)), "events/s", at_least(50_000), "raw", round(statistics.median(raw)), ratio)
