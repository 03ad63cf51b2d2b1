"""Runs the benchmark programs and prints one JSON line per figure; tests/bench/run builds them and picks the CPU.

usage: measure.py BUILD_FOLDER SCRATCH_FOLDER AREA...
"""

import json
import os
import shutil
import subprocess
import sys
import time
from typing import NamedTuple

import kafka_figures
import log_figures
import web
from goals import at_least, at_most, ratio_at_least, ratio_at_most, report

GENERATED_LINES = 5_000_000
GENERATED = ["--lines", str(GENERATED_LINES), "--seed", "1", "--days", "30", "--visitors", "300000", "--urls", "100000",
             "--zipf", "1.0", "--bots", "15", "--broken", "1"]  # fmt: skip


class Folders(NamedTuple):
    build: str
    scratch: str

    def program(self, *path):
        return os.path.join(self.build, *path)


def codec(folders):
    output = subprocess.run([folders.program("tests/bench/lungo-bench-codec")], capture_output=True, check=True).stdout
    figures = json.loads(output)
    for case, unit, ratio in (("encode", "ns/event", 0.5), ("decode", "ns/event", 0.5), ("bytes", "bytes/event", 1.0)):
        report(f"codec.{case}", figures[case], unit, ratio_at_most(ratio), "Boost binary archive", figures["boost_" + case])


def parts(folders):
    """Medians of nine repetitions that Google Benchmark shuffles, so that a bad moment of the machine hits all a little."""
    command = [
        folders.program("tests/bench/lungo-bench-parts"), "--benchmark_format=json", "--benchmark_repetitions=9",
        "--benchmark_enable_random_interleaving=true", "--benchmark_report_aggregates_only=true", "--benchmark_min_time=0.05",
    ]  # fmt: skip
    output = subprocess.run(command, stdout=subprocess.PIPE, check=True, cwd=folders.scratch).stdout
    for run in json.loads(output)["benchmarks"]:
        if run["aggregate_name"] != "median":
            continue
        name = "parts." + run["run_name"].replace("/", ".") + ("." + run["label"] if "label" in run else "")
        if "items_per_second" in run:
            report(name, round(1e9 / run["items_per_second"], 1), "ns/record", None)
        else:
            report(name, round(run["bytes_per_second"] / 1e6), "MB/s", None)


class Run(NamedTuple):
    seconds: float
    memory_mb: float
    output: str


def timed(command):
    """Wall time, peak resident memory and output of a program that must succeed."""
    begin = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{' '.join(command)} failed with status {process.returncode}")
    return Run(time.monotonic() - begin, usage.ru_maxrss / 1024, output)


def generated_log(folders):
    """The generated access log, made once. Plain text, so that the figure is the import's and not gzip's."""
    path = os.path.join(folders.scratch, f"access-{GENERATED_LINES}.log")
    if not os.path.exists(path):
        with open(path + ".part", "wb") as file:
            subprocess.run([folders.program("tests/samples/generate-access-log"), *GENERATED], stdout=file, check=True)
        os.rename(path + ".part", path)
    return path


def tracker(folders):
    program = folders.program("samples/web_tracker/web-tracker")
    log_file = generated_log(folders)
    data = os.path.join(folders.scratch, "tracker-data")
    shutil.rmtree(data, ignore_errors=True)

    imported = timed([program, "--data", data, "--import", log_file, "--exit", "--json"])
    summary = json.loads(imported.output)
    report("tracker.import", round(summary["lines"] / imported.seconds), "lines/s", at_least(150_000))
    report("tracker.import.memory", round(imported.memory_mb), "MB", at_most(200))

    started = max((timed([program, "--data", data, "--exit", "--json"]) for _ in range(5)), key=lambda run: run.seconds)
    report("tracker.start", round(started.seconds * 1000), "ms", at_most(300))

    rebuilt = timed([program, "--data", data, "replay", "rebuild"])
    events = summary["lines"] - sum(summary["drops"].values())
    report("tracker.rebuild", round(events / rebuilt.seconds), "events/s", at_least(400_000))
    report("tracker.rebuild.memory", round(rebuilt.memory_mb), "MB", at_most(200))
    shutil.rmtree(data)


AREAS = {"codec": codec, "parts": parts, "log": log_figures.run, "tracker": tracker, "web": web.run, "kafka": kafka_figures.run}


def main(build, scratch, areas):
    os.makedirs(scratch, exist_ok=True)
    for area in areas:
        AREAS[area](Folders(build, scratch))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
