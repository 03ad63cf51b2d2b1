"""The web service under load: the server has one CPU, its clients the other."""

import json
import os
import re
import shutil
import statistics
import subprocess
import time

from goals import at_least, at_most, report

CLIENT_CPU = "0"
CONNECTIONS = 64
SECONDS = 10
ROUNDS = 3
DASHBOARDS = 100
HERE = os.path.dirname(os.path.abspath(__file__))


class Server:
    """A tracker on an empty directory, ended in good order."""

    def __init__(self, folders, *options):
        self.data = os.path.join(folders.scratch, "web-data")
        shutil.rmtree(self.data, ignore_errors=True)
        command = [folders.program("samples/web_tracker/web-tracker"), "--data", self.data, "--port", "0", "--rate-limit", "0", *options]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self.port = int(re.search(r":(\d+)/", self.process.stderr.readline()).group(1))

    def resident_mb(self):
        with open(f"/proc/{self.process.pid}/status", encoding="utf-8") as status:
            return int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1)) / 1024

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.data)


def client(*command):
    done = subprocess.run(["taskset", "--cpu-list", CLIENT_CPU, *command], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def idle(folders):
    with Server(folders) as server:
        time.sleep(3)
        report("web.idle.memory", round(server.resident_mb()), "MB", at_most(40))


def events(folders):
    runs = []
    with Server(folders) as server:
        for _ in range(ROUNDS):
            runs.append(client("wrk", "--threads", "1", "--connections", str(CONNECTIONS), "--duration", f"{SECONDS}s", "--latency",
                               "--script", os.path.join(HERE, "web", "events.lua"), f"http://127.0.0.1:{server.port}/"))  # fmt: skip
        memory = server.resident_mb()
    report("web.events", round(statistics.median(run["requests"] / run["seconds"] for run in runs)), "events/s", at_least(20_000))
    report("web.events.p99", round(statistics.median(run["p99_ms"] for run in runs), 1), "ms", at_most(20))
    report("web.events.refused", sum(run["errors"] for run in runs), "requests", at_most(0))
    report("web.events.memory", round(memory), "MB", at_most(200))


def updates(folders):
    with Server(folders, "--update-interval", "5") as server:
        got = client(folders.program("tests/bench/lungo-bench-dashboards"), str(server.port), str(DASHBOARDS), str(SECONDS), "2000")
    report("web.updates", round(got["messages"] / got["seconds"]), "messages/s", at_least(10_000))
    report("web.updates.fewest", round(got["fewest"] / got["seconds"]), "messages/s", at_least(90))


def run(folders):
    idle(folders)
    events(folders)
    updates(folders)
