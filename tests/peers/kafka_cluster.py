"""A cluster of Apache Kafka 4 on 127.0.0.1, for tests that share it: nodes that are broker and controller each, on free ports.

usage: kafka_cluster.py start DIRECTORY [NODES [NAME=VALUE...]]
                                                   three nodes unless said otherwise, with these settings; returns when all answer
       kafka_cluster.py kill DIRECTORY NODE        kill -9 of node 1, 2...
       kafka_cluster.py restart DIRECTORY NODE     starts it again; returns when it answers
       kafka_cluster.py stop DIRECTORY             ends all of them and removes the directory

Replication factor 3 and two in-sync replicas for all topics, `__consumer_offsets` and `__transaction_state` with 8 partitions (50,
the default, cost some seconds), everything else as Kafka comes. DIRECTORY/address holds `host:port,...` for a client.

The nodes end at the latest when the process ends that called this program (ctest, where it is a fixture): a guard beside them
looks after it.
"""

import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
START_SECONDS = 120
STOP_SECONDS = 20


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def send(pid, how):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, how)


def free_ports(count):
    """`count` ports whose successors are free as well; all are held until all are found.

    None that the system gives away by itself: it could be another's while its node is down."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
        own_from = int(file.read().split()[0])
    with contextlib.ExitStack() as held:
        ports = []
        while len(ports) < count:
            first, second = held.enter_context(socket.socket()), held.enter_context(socket.socket())
            port = random.randrange(10_000, max(own_from, 20_000) - 1)
            with contextlib.suppress(OSError):
                first.bind(("127.0.0.1", port))
                second.bind(("127.0.0.1", port + 1))
                ports.append(port)
        return ports


class Cluster:
    """The cluster in a directory, whoever started it."""

    def __init__(self, directory):
        self.directory = directory

    def start(self, nodes, guarded, settings=()):
        """Starts all at once. They end when the process `guarded` does."""
        os.makedirs(self.directory)
        ports = free_ports(nodes)
        self._write("nodes.json", json.dumps(ports))
        self._write("settings.json", json.dumps(list(settings)))
        subprocess.Popen([sys.executable, "-B", os.path.abspath(__file__), "guard", self.directory, str(guarded)], start_new_session=True,
                         stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
        for node in range(1, nodes + 1):
            self._spawn(node)
        for node in range(1, nodes + 1):
            self._wait_for(node)
        self._write("address", ",".join(f"127.0.0.1:{port}" for port in ports))

    @property
    def ports(self):
        return json.loads(self._read("nodes.json"))

    @property
    def address(self):
        return self._read("address")

    def pid(self, node):
        return int(self._read(f"node-{node}.pid"))

    def kill(self, node):
        pid = self.pid(node)
        send(pid, signal.SIGKILL)
        while is_alive(pid):
            time.sleep(0.01)

    def restart(self, node):
        self._spawn(node)
        self._wait_for(node)

    def stop(self):
        """Gone, however far it had come: no controlled shutdown, since nobody reads what it leaves."""
        pids = [self.pid(node) for node in range(1, len(self.ports) + 1) if os.path.exists(os.path.join(self.directory, f"node-{node}.pid"))]
        for pid in pids:
            send(pid, signal.SIGKILL)
        deadline = time.monotonic() + STOP_SECONDS
        while any(is_alive(pid) for pid in pids) and time.monotonic() < deadline:
            time.sleep(0.02)
        shutil.rmtree(self.directory, ignore_errors=True)

    def _settings(self, node):
        ports = self.ports
        count = len(ports)
        replicas = min(count, 3)
        return {
            "node.id": node,
            "controller.quorum.voters": ",".join(f"{index}@127.0.0.1:{port + 1}" for index, port in enumerate(ports, start=1)),
            "default.replication.factor": replicas,
            "min.insync.replicas": min(count, 2),
            "offsets.topic.replication.factor": replicas,
            "offsets.topic.num.partitions": 8,
            "transaction.state.log.replication.factor": replicas,
            "transaction.state.log.min.isr": min(count, 2),
            "transaction.state.log.num.partitions": 8,
        }

    def _environment(self):
        return None

    def _spawn(self, node):
        settings = self._settings(node)
        port = self.ports[node - 1]
        data = os.path.join(self.directory, f"node-{node}")
        with open(data + ".out", "ab") as out:
            process = subprocess.Popen([os.path.join(HERE, "kafka-server"), str(port), data, *(f"{name}={value}" for name, value in settings.items()), *json.loads(self._read("settings.json"))],
                                       env=self._environment(), stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)  # fmt: skip
        self._write(f"node-{node}.pid", str(process.pid))

    def _wait_for(self, node):
        port, pid = self.ports[node - 1], self.pid(node)
        deadline = time.monotonic() + START_SECONDS
        while True:
            with socket.socket() as client:
                if client.connect_ex(("127.0.0.1", port)) == 0:
                    return
            if not is_alive(pid) or time.monotonic() > deadline:
                with open(os.path.join(self.directory, f"node-{node}.out"), encoding="utf-8", errors="replace") as out:
                    raise SystemExit(f"node {node} does not answer on port {port}:\n{out.read()[-3000:]}")
            time.sleep(0.05)

    def _read(self, name):
        with open(os.path.join(self.directory, name), encoding="utf-8") as file:
            return file.read()

    def _write(self, name, text):
        path = os.path.join(self.directory, name)
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(path + ".new", path)


def guard(cluster, guarded):
    while is_alive(guarded):
        if not os.path.exists(cluster.directory):
            return
        time.sleep(0.5)
    cluster.stop()


def main(arguments):
    match arguments:
        case ["start", directory, *nodes]:
            begin = time.monotonic()
            cluster = Cluster(directory)
            if os.path.exists(directory):  # what a run that was cut off has left
                cluster.stop()
            cluster.start(int(nodes[0]) if nodes else 3, os.getppid(), nodes[1:])
            print(f"{cluster.address}: {time.monotonic() - begin:.1f} s")
        case ["stop", directory]:
            Cluster(directory).stop()
        case ["kill", directory, node]:
            Cluster(directory).kill(int(node))
        case ["restart", directory, node]:
            Cluster(directory).restart(int(node))
        case ["guard", directory, guarded]:
            guard(Cluster(directory), int(guarded))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
