"""One node of Apache Kafka that wants TLS, a login (PLAIN or SCRAM-SHA-512) and rights (StandardAuthorizer), for tests.

Clients come by the listener CLIENT, which `address` names; whoever comes by INTERNAL (`internal`, plain) may do everything, as the
node itself. The directory has `ca.pem`, which signed the node's certificate, and `other-ca.pem`, which did not.
"""

import os
import subprocess

from kafka_cluster import HERE, Cluster, free_ports

SCRAM = "SCRAM-SHA-512"


def make_certificates(directory):
    """ca.pem, other-ca.pem, and node.pem: key and certificate for 127.0.0.1."""

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=directory, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    for name in ("ca", "other-ca"):
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem")
    with open(os.path.join(directory, "names"), "w", encoding="ascii") as names:
        names.write("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=node", "-keyout", "node.key", "-out", "node.csr")
    openssl("x509", "-req", "-in", "node.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "names", "-out", "node.crt")
    with open(os.path.join(directory, "node.pem"), "wb") as both:
        for name in ("node.key", "node.crt"):
            with open(os.path.join(directory, name), "rb") as part:
                both.write(part.read())


class SecuredCluster(Cluster):
    """`users`: name -> password."""

    def __init__(self, directory, users):
        super().__init__(directory)
        self.users = users
        self.internal_port = free_ports(1)[0]
        self.certificates = directory + "-certificates"
        os.makedirs(self.certificates)
        make_certificates(self.certificates)

    @property
    def internal(self):
        return f"127.0.0.1:{self.internal_port}"

    def run_tools(self, lines):
        """Calls of kafka-acls.sh and kafka-topics.sh, a line for each, by who may do everything."""
        jars = subprocess.run([os.path.join(HERE, "fetch"), "kafka4"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
        command = ["java", "-Xmx128M", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{jars}/*", os.path.join(HERE, "KafkaTools.java")]
        text = "".join(f"{line} --bootstrap-server {self.internal}\n" for line in lines)
        subprocess.run(command, input=text, check=True, stdout=subprocess.DEVNULL, text=True)

    def _settings(self, node):
        port = self.ports[node - 1]
        users = " ".join(f'user_{name}="{password}"' for name, password in self.users.items())
        listeners = f"CLIENT://127.0.0.1:{port},INTERNAL://{self.internal}"
        return {
            **super()._settings(node),
            "listeners": f"{listeners},CONTROLLER://127.0.0.1:{port + 1}",
            "advertised.listeners": listeners,
            "inter.broker.listener.name": "INTERNAL",
            "listener.security.protocol.map": "CLIENT:SASL_SSL,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": os.path.join(self.certificates, "node.pem"),
            "sasl.enabled.mechanisms": f"PLAIN,{SCRAM}",
            "listener.name.client.plain.sasl.jaas.config": f"org.apache.kafka.common.security.plain.PlainLoginModule required {users};",
            "listener.name.client.scram-sha-512.sasl.jaas.config": "org.apache.kafka.common.security.scram.ScramLoginModule required;",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
        }

    def _environment(self):
        users = " ".join(f"--add-scram {SCRAM}=[name={name},password={password}]" for name, password in self.users.items())
        return {**os.environ, "LUNGO_KAFKA_FORMAT": users}
