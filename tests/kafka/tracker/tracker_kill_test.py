"""Two web trackers share one application of three brokers while they are killed: their rows are those of an undisturbed run.

usage: tracker_kill_test.py PROGRAM [TRACKER_KILLS [BROKER_KILLS COUNTING_OWNER]]    PROGRAM is web-tracker; 2 and 0 unless said otherwise

Each tracker imports half of an access log, in files that are begun one after the other, so that kills meet imports; and both are sent
page views, each under an id and until it is answered 204, by whichever tracker lives. Every third kill is a SIGSTOP: the tracker sleeps
until the other one has taken over, and goes on then with what it had on its way. The log is LUNGO_ACCESS_LOG, the project's
own where that is there, otherwise a made-up one. The brokers have Kafka's own settings;
a killed one comes back, and COUNTING_OWNER says when all replicas are in sync again, before the next one goes.

In stage 1 of decision 0007 each tracker keeps all rows, whichever partitions it owns. So in the end the summary and the tables of both
are compared with those of one tracker on a log of its own, which got the same files and views undisturbed. What is left out of the
comparison is when today's views came: their minutes and hours.
"""

import collections
import contextlib
import datetime
import gzip
import http.client
import itertools
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path += [os.path.join(HERE, ".."), os.path.join(HERE, "..", "..", "peers")]
from kafka_cluster import Cluster  # noqa: E402
from kill_test import wait_until_in_sync  # noqa: E402

PROJECT_LOG = os.path.join(HERE, "..", "..", "..", "..", "shared", "data", "access.log.gz")
FILES, LINES = 24, 10_000
VISITORS = 12
SENDERS = 4
TAKE_OVER_SECONDS = 15
ANSWER_SECONDS = 5  # then a sender tries the other tracker, while the first may still be at it
PATIENCE_SECONDS = 60
SECRET = "tracker-secret"
# What depends on when a view came. Of PagesPerDay it is the column with the hours; of the others every row of today.
OF_MINUTES = {"HitsPerMinute", "HitsPerHour", "ActiveVisitors"}


def access_log():
    """Its lines, as bytes."""
    path = os.environ.get("LUNGO_ACCESS_LOG", PROJECT_LOG)
    if os.path.exists(path):
        with (gzip.open if path.endswith(".gz") else open)(path, "rb") as log:
            return list(itertools.islice(log, LINES))
    rng, at, lines = random.Random(3), datetime.datetime(2024, 3, 1), []
    for number in range(LINES):
        at += datetime.timedelta(seconds=rng.randrange(40))
        visitor = f"10.0.{rng.randrange(4)}.{rng.randrange(250)}"
        lines.append(f'{visitor} - - [{at:%d/%b/%Y:%H:%M:%S} +0000] "GET /page-{rng.randrange(60)}?{number} HTTP/1.1" 200 9 "-" "Firefox"\n'.encode())
    return lines


def write_files(folder):
    lines = access_log()
    size = -(-len(lines) // FILES)
    paths = []
    for begin in range(0, len(lines), size):
        paths.append(os.path.join(folder, f"access-{len(paths)}.log"))
        with open(paths[-1], "wb") as out:
            out.writelines(lines[begin : begin + size])
    return paths


def imports(paths):
    return [word for path in paths for word in ("--import", path)]


class Tracker:
    """The program with its data directory, which outlives it. Serves until it is stopped or killed."""

    def __init__(self, program, data, options):
        self.command = [program, "--data", data, *options]
        self.data = data
        self.port = None
        self.start()

    def start(self):
        self.err = f"{self.data}.err"
        with open(self.err, "wb") as err:
            command = [*self.command, "--port", "0", "--rate-limit", "0"]
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=err)

    def said(self):
        with open(self.err, encoding="utf-8", errors="replace") as err:
            return err.read()

    def _wait(self, pattern, what):
        end = time.monotonic() + PATIENCE_SECONDS
        while not (match := re.search(pattern, self.said())):
            if self.process.poll() is not None or time.monotonic() > end:
                raise SystemExit(f"{self.data}: {what}: status {self.process.poll()}\n{self.said()[-3000:]}")
            time.sleep(0.05)
        return match

    def wait_until_it_serves(self):
        self.port = int(self._wait(r"http://127\.0\.0\.1:(\d+)/", "does not serve").group(1))

    def has_imported(self):
        return "serving; stop" in self.said()

    def wait_until_it_has_imported(self):
        self._wait("serving; stop", "has not imported all")

    def end_by(self, how):
        self.port = None  # as a balancer does that has lost it; some views are on their way there
        self.process.send_signal(how)
        if how == signal.SIGKILL:
            self.process.wait()

    def begin_again(self, how):
        if how == signal.SIGKILL:
            self.start()
        else:
            self.process.send_signal(signal.SIGCONT)
        self.wait_until_it_serves()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        if status := self.process.wait(timeout=PATIENCE_SECONDS):
            raise SystemExit(f"{self.data}: ended with {status}\n{self.said()[-3000:]}")

    def summary(self):
        """Of all that is in the log, once this program, alone, has come to its end."""
        done = subprocess.run([*self.command, "--exit", "--json"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
        if done.returncode:
            raise SystemExit(f"{self.data}: --exit ended with {done.returncode}\n{done.stderr}")
        summary = json.loads(done.stdout)
        return {name: value for name, value in summary.items() if name not in ("imports", "late_in_this_run")}

    def rows(self, today):
        """Of each table, without when today's views came."""
        with contextlib.closing(sqlite3.connect(f"file:{self.data}/views.db?mode=ro", uri=True)) as database:
            names = [name for (name,) in database.execute("select name from sqlite_master where type = 'table' and name not like 'lungo%'")]
            tables = {}
            for name in names:
                rows = database.execute(f'select * from "{name}"').fetchall()
                if name in OF_MINUTES:
                    rows = [row for row in rows if not row[0].startswith(today)]
                if name == "PagesPerDay":
                    rows = [row[:4] if row[0] == today else row for row in rows]
                tables[name] = sorted(rows)
            if not any(tables.values()):
                raise SystemExit(f"{self.data} has no rows at all")
            return tables


def send(port, number):
    """One page view; the status, or nothing where nobody answers in time."""
    visitor = number % VISITORS
    body = json.dumps({"name": "pageview", "url": f"http://localhost/visitor-{visitor}", "id": f"view-{number}"})
    agent = f"Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101 Firefox/{visitor}.0"
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS)
    with contextlib.closing(connection):
        try:
            connection.request("POST", "/api/event", body, {"Content-Type": "application/json", "User-Agent": agent})
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return None


class Load:
    """Threads that send views to whichever of the trackers lives, each until it is answered."""

    def __init__(self, trackers):
        self.trackers = trackers
        self.numbers = itertools.count()
        self.lock = threading.Lock()
        self.answered = []  # visitor, when it was sent first
        self.statuses = collections.Counter()
        self.is_over = False
        self.threads = [threading.Thread(target=self._run, args=(index,), daemon=True) for index in range(SENDERS)]
        for thread in self.threads:
            thread.start()

    def _run(self, turn):
        while not self.is_over:
            with self.lock:
                number = next(self.numbers)
            begun = time.monotonic()
            status = None
            while status != 204:
                turn += 1
                port = self.trackers[turn % len(self.trackers)].port
                status = send(port, number) if port else None
                with self.lock:
                    self.statuses[status] += 1
                if status not in (204, 503, None):
                    self.is_over = True  # no other answer may come; end() and who waits say so
                    return
                if status != 204:
                    time.sleep(0.05)
            with self.lock:
                self.answered.append((number % VISITORS, begun))
            time.sleep(0.02)

    def wait_for_all_visitors(self, seconds, what):
        """Until a view of each visitor was answered that was sent from now on; how long that took."""
        begin = time.monotonic()
        while True:
            with self.lock:
                seen = {visitor for visitor, begun in self.answered if begun >= begin}
            took = time.monotonic() - begin
            if len(seen) == VISITORS:
                return took
            if took > seconds or self.is_over:
                said = "\n".join(f"{tracker.data}:\n{tracker.said()[-2000:]}" for tracker in self.trackers)
                raise SystemExit(f"{what}: visitors {sorted(set(range(VISITORS)) - seen)} wait for {took:.0f} s; answers {dict(self.statuses)}\n{said}")
            time.sleep(0.05)

    def end(self):
        """The number of views, all of which were answered."""
        self.is_over = True
        for thread in self.threads:
            thread.join(timeout=PATIENCE_SECONDS)
        if any(thread.is_alive() for thread in self.threads) or set(self.statuses) - {204, 503, None}:
            raise SystemExit(f"a view was not taken; answers: {dict(self.statuses)}")
        return len(self.answered)


def differences(name, expected, actual):
    for table in sorted(expected | actual):
        if expected.get(table) != actual.get(table):
            left = [row for row in expected.get(table, []) if row not in actual.get(table, [])][:5]
            right = [row for row in actual.get(table, []) if row not in expected.get(table, [])][:5]
            yield f"{name}: {table}: {left} expected, {right} there"


def disturb(cluster, load, trackers, tracker_kills, broker_kills, wait_for_replicas):
    """How long each take-over took, and how many kills met an import."""
    rng = random.Random(7)
    took, met = [], 0
    for turn in range(max(tracker_kills, broker_kills)):
        load.wait_for_all_visitors(PATIENCE_SECONDS, "before a kill")
        if turn < tracker_kills:
            victim = rng.choice(trackers)
            met += not victim.has_imported()
            how = signal.SIGSTOP if turn % 3 == 2 else signal.SIGKILL
            victim.end_by(how)
            if turn % 3 != 1:  # the other one takes over; otherwise both share what there is
                took.append(load.wait_for_all_visitors(TAKE_OVER_SECONDS, f"{victim.data} was ended by {how.name}"))
            victim.begin_again(how)
        if turn < broker_kills:
            node = rng.randrange(3) + 1
            cluster.kill(node)
            load.wait_for_all_visitors(PATIENCE_SECONDS, f"broker {node} was killed")
            cluster.restart(node)
            load.wait_for_all_visitors(PATIENCE_SECONDS, f"broker {node} is back")
            wait_for_replicas()
    return took, met


def undisturbed(program, data, paths, views):
    """A tracker on a log of its own that gets the same."""
    tracker = Tracker(program, data, imports(paths))
    try:
        tracker.wait_until_it_serves()
        for number in range(views):
            if (status := send(tracker.port, number)) != 204:
                raise SystemExit(f"the undisturbed tracker answers {status}")
        tracker.wait_until_it_has_imported()
        tracker.stop()
    finally:
        tracker.process.kill()
    tracker.command = [program, "--data", data]
    return tracker


def run(program, tracker_kills, broker_kills, counting_owner):
    left = 86_400 - time.time() % 86_400
    time.sleep(left if left < 600 else 0)  # the views are of one day
    today = f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d}"
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as ends:
        paths = write_files(folder)
        cluster = Cluster(os.path.join(folder, "cluster"))
        ends.callback(cluster.stop)
        cluster.start(3, os.getpid())
        log = ["--log", f"kafka://{cluster.address}/kills"]
        trackers = []
        ends.callback(lambda: [tracker.process.kill() for tracker in trackers])
        for index, name in enumerate(("one", "other")):
            data = os.path.join(folder, name)
            os.makedirs(data)
            with open(os.path.join(data, SECRET), "wb") as secret:
                secret.write(bytes(range(32)))
            trackers.append(Tracker(program, data, [*log, *imports(paths[index::2])]))
        for tracker in trackers:
            tracker.wait_until_it_serves()
        load = Load(trackers)
        took, met = disturb(cluster, load, trackers, tracker_kills, broker_kills,
                            lambda: wait_until_in_sync(counting_owner, cluster, folder))  # fmt: skip
        for tracker in trackers:
            tracker.wait_until_it_has_imported()
        load.wait_for_all_visitors(PATIENCE_SECONDS, "behind the imports")
        views = load.end()
        for tracker in trackers:
            tracker.stop()

        alone = os.path.join(folder, "alone")
        os.makedirs(alone)
        shutil.copy(os.path.join(trackers[0].data, SECRET), alone)
        reference = undisturbed(program, alone, paths, views)
        expected = reference.summary()
        wrong = []
        for tracker in trackers:
            tracker.command = [program, "--data", tracker.data, *log]
            summary = tracker.summary()
            wrong += [f"{tracker.data}: {name}: {value} expected, {summary.get(name)} there" for name, value in expected.items()
                      if summary.get(name) != value]  # fmt: skip
            wrong += differences(tracker.data, reference.rows(today), tracker.rows(today))
        if tracker_kills and not met:
            wrong.append("no kill met an import")
        if wrong:
            raise SystemExit("\n".join(wrong))
        print(f"{expected['lines']} lines and {views} views are counted once; {tracker_kills} trackers killed, {met} in an import, and "
              f"{broker_kills} brokers; taken over after {', '.join(f'{seconds:.1f}' for seconds in took) or '-'} s; "
              f"answers {dict(load.statuses)}")  # fmt: skip


if __name__ == "__main__":
    match sys.argv[1:]:
        case [tracker]:
            run(tracker, 2, 0, None)
        case [tracker, trackers]:
            run(tracker, int(trackers), 0, None)
        case [tracker, trackers, brokers, owner]:
            run(tracker, int(trackers), int(brokers), owner)
        case _:
            sys.exit(__doc__)
