"""What can be wrong between an application and its brokers is named, with the cause and the fix; and brokers that are away for a while
cost nothing but that time.

usage: kafka_bad_input_test.py ATTEMPT COUNTING_OWNER [FREEZE_SECONDS]      30 unless said otherwise

A node of its own wants TLS, a login and rights. Each user of `DENIED` has all the rights that Lungo prints for an application but
one; `app` has them all, and needs no other. ATTEMPT connects, makes a topic, appends and reads.
"""

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path += [HERE, os.path.join(HERE, "..", "peers")]
from kafka_cluster import free_ports  # noqa: E402
from kill_test import Process, check_counts, wait_until_all_count  # noqa: E402
from secured_kafka_cluster import SCRAM, SecuredCluster  # noqa: E402

PASSWORD = "a-password"
# User -> what it may not, as kafka-acls.sh has it, and what ATTEMPT says then.
DENIED = {
    "notopic": ("--topic events --operation write", r"append: io: no right to write to topic events; {acl} --topic events --operation Write"),
    "noread": ("--topic events --operation read", r"append: io: .*no right to read topic events; {acl} --topic events --operation Read"),
    "nocreate": ("--topic events --operation create --cluster", r"create: io: no right to create topic events; {acl} --topic events --operation Create"),
    "noconfigs": ("--topic events --operation describeconfigs", r"create: io: no right to .*topic events; {acl} --topic events --operation DescribeConfigs"),
    "nogroup": ("--group nogroup.writers --operation read", r"append: io: .*no right to take part in group nogroup\.writers; {acl} --group nogroup\.writers --operation Read"),
    "nowriter": ("--resource-pattern-type prefixed --transactional-id nowriter. --operation write", r"create: io: .*no right to write under transactional id nowriter\.w\.\w+; {acl} --resource-pattern-type prefixed --transactional-id nowriter\. --operation Write"),
}  # fmt: skip
QUICK_SECONDS = 5


class Attempts:
    """Runs ATTEMPT as an application that has the user's name."""

    def __init__(self, program, cluster, folder):
        self.program, self.cluster, self.folder = program, cluster, folder
        self.count = 0

    def secured(self, user="app", **changes):
        """Settings of that user, some of them others: `sasl_password` is `sasl.password`; None leaves one out."""
        settings = {
            "security.protocol": "sasl_ssl",
            "ssl.ca.location": os.path.join(self.cluster.certificates, "ca.pem"),
            "sasl.mechanism": "PLAIN",
            "sasl.username": user,
            "sasl.password": PASSWORD,
            **{name.replace("_", "."): value for name, value in changes.items()},
        }
        return [f"{name}={value}" for name, value in settings.items() if value is not None]

    def run(self, settings, app="app", hosts=None, topic="events", what="10"):
        self.count += 1
        command = [self.program, hosts or self.cluster.address, app, topic, os.path.join(self.folder, f"attempt-{self.count}"), what, *settings]
        begin = time.monotonic()
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
        return done.stdout.strip(), done.stderr, time.monotonic() - begin

    def expect(self, pattern, settings, seconds=60, **how):
        said, err, took = self.run(settings, **how)
        print(f"{took:4.1f} s  {said}", flush=True)
        if not re.fullmatch(pattern, said):
            raise SystemExit(f"not as wanted: {pattern}\n{err[-3000:]}")
        if took > seconds:
            raise SystemExit(f"said after {took:.1f} s, not within {seconds}")
        if PASSWORD in said + err:
            raise SystemExit("the password stands in the text")


def allow_all(attempts, cluster):
    """The rights as Lungo prints them; whoever is denied one has all others."""
    lines = ["kafka-topics.sh --create --topic compacted --partitions 1 --config cleanup.policy=compact"]
    for user in ["app", *DENIED]:
        printed, _, _ = attempts.run(["compacted"] if user == "app" else [], app=user, what="rights")
        rights = [line for line in printed.splitlines() if "--cluster" not in line]  # that one is for Kafka before 3.0 only
        lines += [line.replace(f" --bootstrap-server {cluster.address}", "").replace("User:NAME", f"User:{user}") for line in rights]
    for user, (right, _) in DENIED.items():
        lines.append(f"kafka-acls.sh --add --deny-principal User:{user} {right}")
    cluster.run_tools(lines)


def check_connections(attempts, cluster):
    secured = attempts.secured
    attempts.expect("ok", secured())
    address = re.escape(cluster.address)
    attempts.expect(rf"connect: io: {address} refused the login of 'app' \(PLAIN\): .*; are sasl\.username and sasl\.password right\?",
                    secured(sasl_password="another"), app="other")  # fmt: skip
    attempts.expect(rf"connect: io: {address} closed the connection.*; if it speaks TLS, set security\.protocol=ssl", [])
    attempts.expect(rf"connect: io: {address} closed the connection.*; if it speaks TLS, set security\.protocol=ssl",
                    secured(security_protocol="sasl_plaintext"))  # fmt: skip
    attempts.expect(rf"connect: io: {address} speaks no TLS; .*".replace(address, re.escape(cluster.internal)), secured(), hosts=cluster.internal)
    attempts.expect(rf"connect: io: the certificate of {address} is not trusted \(.*\); ssl\.ca\.location names .*",
                    secured(ssl_ca_location=os.path.join(cluster.certificates, "other-ca.pem")))  # fmt: skip
    attempts.expect(rf"connect: io: {address} takes no login by SCRAM-SHA-256 \(.*\); sasl\.mechanism is the setting for it", secured(sasl_mechanism="SCRAM-SHA-256"))
    # Since librdkafka 2.6.1 it works; before, Kafka 4 refuses it whatever the password is.
    attempts.expect(rf"ok|connect: io: {address} refused the login of 'app' \({SCRAM}\): .* Brokers of Apache Kafka 4 refuse every SCRAM login of .*",
                    secured(sasl_mechanism=SCRAM), app="app")  # fmt: skip
    attempts.expect(rf"connect: io: {address} closed the connection; if it wants a login, set .*", secured(security_protocol="ssl"))
    nobody = f"127.0.0.1:{free_ports(1)[0]}"
    attempts.expect(rf"connect: io: no broker answers at {nobody} \(connection refused\); is Kafka running, and is that its port\?",
                    [], QUICK_SECONDS, hosts=nobody)  # fmt: skip
    attempts.expect(r"connect: io: 'no-such-host\.invalid' has no address \(.*\); is the name of the host right\?",
                    [], QUICK_SECONDS, hosts="no-such-host.invalid:9092")  # fmt: skip


def check_rights(attempts):
    for user, (_, pattern) in DENIED.items():
        acl = rf"kafka-acls\.sh --add --allow-principal User:{user}"
        attempts.expect(pattern.format(acl=acl), attempts.secured(user), app=user)


def check_topics(attempts):
    attempts.expect(r"append: too_large: a record of \d+ bytes: topic events takes batches of 1048588 \(max\.message\.bytes\)", attempts.secured(), what="1100000")
    attempts.expect(r"create: already_exists: .*topic compacted .*cleanup\.policy.*", attempts.secured(), topic="compacted")


def check_freeze(owner, cluster, folder, seconds):
    """The one broker answers nothing for a while, under load."""
    address = cluster.internal

    class Plain:
        pass

    plain = Plain()
    plain.address = address
    with contextlib.ExitStack() as ends:
        everyone = [Process(owner, plain, folder, f"process-{index}") for index in (1, 2)]
        ends.callback(lambda: [process.process.kill() for process in everyone])
        wait_until_all_count(everyone, 60, "start")
        os.kill(cluster.pid(1), signal.SIGSTOP)
        try:
            time.sleep(seconds)
        finally:
            os.kill(cluster.pid(1), signal.SIGCONT)
        took = wait_until_all_count(everyone, 60, f"the broker was away for {seconds} s")
        for process in everyone:
            if status := process.stop():
                raise SystemExit(f"{process.name} ended with {status}:\n{process.said()}")
        print(f"{check_counts(owner, plain, folder, everyone)}; the broker away for {seconds} s, all went on after {took:.1f} s")


def run(attempt, owner, seconds):
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as ends:
        cluster = SecuredCluster(os.path.join(folder, "cluster"), {user: PASSWORD for user in ["app", *DENIED]})
        ends.callback(cluster.stop)
        cluster.start(1, os.getpid(), ["group.initial.rebalance.delay.ms=0"])
        attempts = Attempts(attempt, cluster, folder)
        allow_all(attempts, cluster)
        check_connections(attempts, cluster)
        check_rights(attempts)
        check_topics(attempts)
        check_freeze(owner, cluster, folder, seconds)


if __name__ == "__main__":
    match sys.argv[1:]:
        case [attempt_program, owner_program, *freeze]:
            run(attempt_program, owner_program, int(freeze[0]) if freeze else 30)
        case _:
            sys.exit(__doc__)
