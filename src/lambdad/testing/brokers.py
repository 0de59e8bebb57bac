"""Brokers of Kafka and RabbitMQ in processes of their own, on free ports of this host."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

_START_S = 60.0
_STOP_S = 20.0
_REPOSITORY = Path(__file__).parents[3]
USER, PASSWORD = "alice", "wonderland"


class Unavailable(Exception):
    """The broker cannot run here; says what is missing."""


def free_ports(count: int) -> list[int]:
    """Return ports that nobody uses now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports: list[int] = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


class KafkaBroker:
    """One node of Apache Kafka that is its own controller.

    Attributes:
        plain: `host:port` for everybody.
        guarded: `host:port` for who logs in, without TLS.
        encrypted: `host:port` for who logs in, with TLS.
        mutual: `host:port` for who has a certificate of the same authority, with TLS.
        authority: PEM of what signed its certificate, which is itself.
        key: PEM of the key of that, encrypted with :data:`PASSWORD`.
    """

    def __init__(self, directory: Path) -> None:
        """`directory` is empty."""
        self._directory = directory
        ports = free_ports(5)
        self.plain, self.guarded, self.encrypted, self.mutual, self._controller = (
            f"127.0.0.1:{port}" for port in ports
        )
        self.authority = ""
        self.key = ""
        self._process: subprocess.Popen[bytes] | None = None
        self._formatted = False

    def start(self) -> None:
        """Start it and return when it answers; again after :meth:`kill`.

        Raises:
            Unavailable: Java, Maven or the archives are missing.
        """
        if shutil.which("java") is None:
            raise Unavailable("java is not installed")
        if not self._formatted:
            self._prepare()
        self._process = self._java(
            "kafka.Kafka", str(self._directory / "server.properties"), heap="256m"
        )
        _wait_for(self.plain, self._process)

    def stop(self) -> None:
        """End it at once: what it has stored is of no use to anybody."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(_STOP_S)
            self._process = None

    def _prepare(self) -> None:
        keys = self._directory / "broker.pem"
        certificate = self._directory / "certificate.pem"
        subprocess.run(  # noqa: S603
            (
                *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
                *("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
                *("-keyout", str(keys), "-out", str(certificate)),
            ),
            check=True,
            capture_output=True,
        )
        self.authority = certificate.read_text(encoding="ascii")
        encrypt = ("openssl", "pkcs8", "-topk8", "-in", str(keys), "-passout", f"pass:{PASSWORD}")
        self.key = subprocess.run(  # noqa: S603
            encrypt, check=True, capture_output=True, text=True
        ).stdout
        with keys.open("a", encoding="ascii") as file:
            file.write(self.authority)
        properties = self._directory / "server.properties"
        properties.write_text(self._properties(keys), encoding="utf-8")
        scram = [
            option
            for kind in ("SCRAM-SHA-256", "SCRAM-SHA-512")
            for option in ("--add-scram", f"{kind}=[name={USER},password={PASSWORD}]")
        ]
        format_ = ("format", "-t", "MkU3OEVBNTcwNTJENDM2Qg", "-c", str(properties), *scram)
        process = self._java("kafka.tools.StorageTool", *format_, heap="64m")
        if process.wait(_START_S) != 0:
            raise RuntimeError((self._directory / "output").read_text(encoding="utf-8"))
        self._formatted = True

    def _java(self, main: str, *arguments: str, heap: str) -> subprocess.Popen[bytes]:
        with (self._directory / "output").open("ab") as output:
            return subprocess.Popen(  # noqa: S603
                (
                    *("java", f"-Xmx{heap}", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
                    *("-cp", f"{_archives()}/*", main, *arguments),
                ),
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self._directory,
            )

    def _properties(self, keys: Path) -> str:
        plain = "org.apache.kafka.common.security.plain.PlainLoginModule"
        scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        listeners = {
            "PLAINTEXT": self.plain,
            "SASL_PLAINTEXT": self.guarded,
            "SASL_SSL": self.encrypted,
            "SSL": self.mutual,
        }
        public = ",".join(f"{name}://{address}" for name, address in listeners.items())
        lines = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@{self._controller}",
            "controller.listener.names": "CONTROLLER",
            "listeners": f"{public},CONTROLLER://{self._controller}",
            "advertised.listeners": public,
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,"
            "SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL,SSL:SSL",
            "log.retention.ms": "-1",
            "log.dirs": str(self._directory / "data"),
            "auto.create.topics.enable": "false",
            "group.initial.rebalance.delay.ms": "0",
            "offsets.topic.num.partitions": "1",
            "offsets.topic.replication.factor": "1",
            "transaction.state.log.replication.factor": "1",
            "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(keys),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(keys.with_name("certificate.pem")),
            "listener.name.ssl.ssl.client.auth": "required",
        }
        for listener in ("sasl_plaintext", "sasl_ssl"):
            prefix = f"listener.name.{listener}"
            lines[f"{prefix}.plain.sasl.jaas.config"] = (
                f'{plain} required user_{USER}="{PASSWORD}";'
            )
            for kind in ("scram-sha-256", "scram-sha-512"):
                lines[f"{prefix}.{kind}.sasl.jaas.config"] = scram
        return "".join(f"{name}={value}\n" for name, value in lines.items())


class RabbitMqBroker:
    """One node of RabbitMQ, and the port mapper that it needs.

    Attributes:
        address: `host:port`; the user is :data:`USER`.
    """

    def __init__(self, directory: Path) -> None:
        """`directory` is empty."""
        self._directory = directory
        port, self._mapper_port, distribution = free_ports(3)
        self.address = f"127.0.0.1:{port}"
        self._environ: Mapping[str, str] = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(directory),
            "LANG": "C.UTF-8",
            "ERL_EPMD_PORT": str(self._mapper_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"test{os.getpid()}@localhost",
            "RABBITMQ_DIST_PORT": str(distribution),
            "RABBITMQ_CONFIG_FILE": str(directory / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_ENABLED_PLUGINS_FILE": "/dev/null",
            "RABBITMQ_MNESIA_BASE": str(directory / "data"),
            "RABBITMQ_LOG_BASE": str(directory / "logs"),
            "RABBITMQ_PID_FILE": str(directory / "pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._mapper: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and return when it answers.

        Raises:
            Unavailable: the server is not installed.
        """
        server = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
        if not server.is_file() or shutil.which("epmd") is None:
            raise Unavailable("rabbitmq-server is not installed")
        (self._directory / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = {self.address}\ndefault_user = {USER}\n"
            f"default_pass = {PASSWORD}\nloopback_users = none\n"
            "vm_memory_high_watermark.absolute = 512MB\ndisk_free_limit.absolute = 1MB\n",
            encoding="utf-8",
        )
        self._mapper = subprocess.Popen(  # noqa: S603
            ("epmd", "-port", str(self._mapper_port), "-address", "127.0.0.1"),  # noqa: S607
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=self._environ,
        )
        with (self._directory / "output").open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603
                (str(server),),
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self._environ,
                cwd=self._directory,
                start_new_session=True,
            )
        _wait_for(self.address, self._process)

    def stop(self) -> None:
        """End it and its port mapper."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(_STOP_S)
            self._process = None
        if self._mapper is not None:
            self._mapper.kill()
            self._mapper.wait(_STOP_S)
            self._mapper = None


def _archives() -> Path:
    script = _REPOSITORY / "scripts" / "install_kafka"
    if not script.is_file() or shutil.which("mvn") is None:
        raise Unavailable("scripts/install_kafka or Maven is missing")
    found = subprocess.run((str(script),), capture_output=True, text=True, check=False)  # noqa: S603
    if found.returncode != 0:
        raise Unavailable(f"Kafka could not be installed: {found.stderr[-500:]}")
    return Path(found.stdout.strip())


def _wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    host, _, port = address.rpartition(":")
    deadline = time.monotonic() + _START_S  # noqa: TID251
    while True:
        try:
            socket.create_connection((host, int(port)), 1.0).close()
        except OSError:
            if process.poll() is not None:
                raise RuntimeError(f"the broker ended with {process.returncode}") from None
            if time.monotonic() > deadline:  # noqa: TID251
                raise RuntimeError(f"the broker did not answer at {address}") from None
            time.sleep(0.05)
        else:
            return
