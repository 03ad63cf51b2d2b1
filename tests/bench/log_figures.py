"""The figures of `tests/bench/run log`: runs lungo-bench-log case by case and holds what it prints against goals.LOG."""

import json
import os
import subprocess
import sys
import tempfile

import goals

CASES = (
    "append_500", "append_one_waiting", "append_one_async", "append_1_kib",
    "synced_latency", "synced_one", "synced_500", "synced_64_threads", "synced_64_outstanding",
    "scan", "recovery", "partitions", "paced", "roll", "streams",
)  # fmt: skip
WRITTEN_MAX_MIB = 1_024


def run(folders):
    written = 0
    for case in CASES:
        with tempfile.TemporaryDirectory(dir=folders.scratch) as data:
            process = subprocess.Popen([folders.program("tests/bench/lungo-bench-log"), case, data], stdout=subprocess.PIPE, text=True)
            lines = process.stdout.readlines()
            _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            sys.exit(f"lungo-bench-log {case} failed with status {process.returncode}")
        mebibytes = usage.ru_oublock * 512 / (1 << 20)  # pages, of its children's, too; what the file system's journal takes is not in it
        written += mebibytes
        for line in lines:
            _report_line(json.loads(line))
        goals.report(f"log.bench.written.{case}", round(mebibytes), "MiB", None)
    goals.report("log.bench.written", round(written), "MiB", goals.at_most(WRITTEN_MAX_MIB))
    if written > WRITTEN_MAX_MIB:
        print(f"{round(written)} MiB were written: the last cases measured how write-back is throttled", file=sys.stderr)


def _report_line(line):
    if "percentiles" not in line:
        return _report(line["figure"], line["unit"], line["figures"], line["ratios"])
    print(json.dumps({"case": "log." + line["figure"], "unit": line["unit"], "histogram": line["percentiles"]}), flush=True)
    for percentile in ("p50", "p90", "p99", "p99.9"):
        figures = {name: values[percentile] for name, values in line["percentiles"].items()}
        _report(f"{line['figure']}.{percentile}", line["unit"], figures, {})


def _report(figure, unit, figures, ratios):
    figures = {name: round(value) if value >= 1_000 else round(value, 1) for name, value in figures.items()}
    for peer, goal in goals.LOG.get(figure, ()):
        goals.report(f"log.{figure}", figures["lungo"], unit, goal, peer, figures.get(peer), ratios.get(peer))
