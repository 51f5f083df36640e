"""Real Apache Kafka, one KRaft node, from its Maven artifacts.

``python -m streams.embedded.kafka fetch`` copies the artifacts into ``.kafka/libs``, once.
"""

from __future__ import annotations

import base64
import re
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from streams.embedded import process
from streams.embedded.errors import ServerDidNotStart, ToolMissing
from streams.embedded.ports import free_port, listening
from streams.embedded.server import Server

ROOT: Final = Path(__file__).parents[2]
POM: Final = ROOT / "deploy" / "kafka" / "pom.xml"
LIBS: Final = ROOT / ".kafka" / "libs"
_JAVA: Final = 17


def available(libs: Path = LIBS) -> str | None:
    """Return None if Kafka can be fetched and run here, else the reason and what to do."""
    java = shutil.which("java")
    if java is None:
        return "real Kafka needs Java 17: install a JRE, or set ICAM_KAFKA__BOOTSTRAP_SERVERS"
    told = subprocess.run(  # noqa: S603 - our own command
        [java, "-version"],
        capture_output=True,
        text=True,
        check=False,
        env=process.without_settings(),
    )
    version = re.search(r'version "(\d+)', told.stderr)
    if version is None or int(version[1]) < _JAVA:
        return f"real Kafka needs Java {_JAVA}, this is {version[1] if version else 'unknown'}"
    if not _fetched(libs) and shutil.which("mvn") is None:
        return "real Kafka is fetched by Maven: install it, or set ICAM_KAFKA__BOOTSTRAP_SERVERS"
    return None


def fetch(libs: Path = LIBS) -> bool:
    """Copy Kafka's artifacts into ``libs``; return False if they were there already. Blocks.

    Atomic: ``libs`` is complete or unchanged.

    Raises:
        ToolMissing: Java or Maven is not installed, or Maven could not fetch the artifacts.
    """
    reason = available(libs)
    if reason is not None:
        raise ToolMissing(reason)
    if _fetched(libs):
        return False
    libs.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=libs.parent) as scratch:
        fresh = Path(scratch) / "libs"
        copied = subprocess.run(  # noqa: S603 - our own command
            [
                shutil.which("mvn") or "mvn",
                *("-q", "-B", "-f", str(POM)),
                f"-Dmaven.repo.local={libs.absolute().parent / 'repository'}",
                "dependency:copy-dependencies",
                f"-DoutputDirectory={fresh.absolute()}",
            ],
            capture_output=True,
            text=True,
            check=False,
            env=process.without_settings(),
        )
        if copied.returncode != 0:
            raise ToolMissing(f"Maven could not fetch Kafka:\n{copied.stdout[-2000:]}")
        (fresh / "complete").write_text(_stamp())
        shutil.rmtree(libs, ignore_errors=True)
        fresh.rename(libs)
    return True


class KafkaNode(Server):
    """One broker and controller on free local ports; its data survive restarts and kills.

    Writes only to ``directory``. It is killed when this process ends, even if this process is
    killed.
    """

    def __init__(
        self,
        directory: Path,
        libs: Path = LIBS,
        *,
        join_delay_ms: int = 0,
        host: str = "127.0.0.1",
        java_options: Sequence[str] = (),
    ) -> None:
        """Prepare a node.

        ``join_delay_ms`` is how long a new group waits for more members; Kafka's default is 3000.
        With 0 the first worker starts at once, and the second causes a rebalance. ``host`` is the
        address of this machine at which clients reach it.
        """
        self.directory = directory.resolve()
        self._classpath = f"{libs.absolute()}/*"
        self._host, self.port, self._controller = host, free_port(), free_port()
        self._log = self.directory / "kafka.log"
        self._config = self.directory / "server.properties"
        self._data = self.directory / "data"
        self._join_delay_ms = join_delay_ms
        self._java_options = tuple(java_options)

    @property
    def bootstrap_servers(self) -> str:
        """Return its address; the same after every restart."""
        return f"{self._host}:{self.port}"

    def start(self) -> None:
        """Start it and wait until it is ready; format its storage the first time. Blocks.

        Raises:
            ToolMissing: the artifacts were not fetched.
            ServerDidNotStart: it ended or did not become ready; the message quotes its log.
        """
        if self.running:
            return
        if not any(Path(self._classpath).parent.glob("kafka_*.jar")):
            raise ToolMissing("real Kafka was not fetched yet: run make kafka")
        self._configure()
        if not (self._data / "meta.properties").exists():
            self._format()
        mark = self._log.stat().st_size if self._log.exists() else 0
        self._process = process.start(
            self._java("-Xms256m", "-Xmx512m", "kafka.Kafka", str(self._config)),
            self._log,
            cwd=self.directory,
        )

        def serves() -> bool:
            with self._log.open("rb") as log:
                log.seek(mark)
                return b"Kafka Server started" in log.read() and listening(self.port, self._host)

        process.await_ready(self._process, serves, self._log, 90)

    def stop(self) -> None:
        """Stop it gracefully; kill it after 30 s. Blocks."""
        if self._process is not None:
            process.stop(self._process, signal.SIGTERM, 30)

    def kill(self) -> None:
        """Kill it at once; acknowledged records are kept."""
        if self._process is not None:
            process.kill(self._process)

    def _configure(self) -> None:
        (self.directory / "tmp").mkdir(parents=True, exist_ok=True)
        broker, controller = self.bootstrap_servers, f"127.0.0.1:{self._controller}"
        lines = self._settings(broker, controller)
        self._config.write_text("".join(f"{name}={value}\n" for name, value in lines.items()))

    def _settings(self, broker: str, controller: str) -> dict[str, str]:
        """Return the lines of the broker's configuration; a test node may change them."""
        return {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@{controller}",
            "listeners": f"PLAINTEXT://{broker},CONTROLLER://{controller}",
            "advertised.listeners": f"PLAINTEXT://{broker}",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            "log.dirs": str(self._data),
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "group.initial.rebalance.delay.ms": str(self._join_delay_ms),
            "auto.create.topics.enable": "false",
            # A killed broker can register again only after its old session has expired.
            "broker.session.timeout.ms": "4000",
            "broker.heartbeat.interval.ms": "500",
        }

    def _format_options(self) -> list[str]:
        """Return more options of the storage tool; a test node may add users."""
        return []

    def _format(self) -> None:
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        made = subprocess.run(  # noqa: S603 - our own command
            self._java(
                "-Xmx128m",
                *("kafka.tools.StorageTool", "format", "--ignore-formatted"),
                # Joined by "=": an id may begin with a dash.
                *(f"--cluster-id={cluster}", "--config", str(self._config)),
                *self._format_options(),
            ),
            cwd=self.directory,
            capture_output=True,
            text=True,
            check=False,
            env=process.without_settings(),
        )
        if made.returncode != 0:
            told = f"{made.stderr[-2000:]}\n{made.stdout[-2000:]}"
            raise ServerDidNotStart(f"formatting failed with {made.returncode}:\n{told}")

    def _java(self, *arguments: str) -> list[str]:
        java = shutil.which("java")
        if java is None:
            raise ToolMissing("real Kafka needs Java 17: install a JRE")
        return [
            java,
            # Without these, files remain in the system's temporary directory.
            "-XX:-UsePerfData",
            f"-Djava.io.tmpdir={self.directory / 'tmp'}",
            "-Dorg.slf4j.simpleLogger.showDateTime=true",
            "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSZ",
            *self._java_options,
            *("-cp", self._classpath),
            *arguments,
        ]


def _stamp() -> str:
    return sha256(POM.read_bytes()).hexdigest()


def _fetched(libs: Path) -> bool:
    mark = libs / "complete"
    return mark.exists() and POM.exists() and mark.read_text() == _stamp()


if __name__ == "__main__":
    if sys.argv[1:] != ["fetch"]:
        sys.exit("usage: python -m streams.embedded.kafka fetch")
    if not _fetched(LIBS):
        print("Apache Kafka: Maven fetches it, about 45 MB, once ...", flush=True)
    try:
        fetch()
    except ToolMissing as missing:
        sys.exit(str(missing))
    print(f"Apache Kafka is in {LIBS.relative_to(ROOT)}")
