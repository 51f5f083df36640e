"""A stage for pipeline tests: real Kafka, real PostgreSQL, workers as processes, one audit."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import ExitStack, suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from uuid import uuid4

import psycopg
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from schemas.codec import Outgoing
from streams import reference
from streams.audit import Report, audit
from streams.embedded.postgres import EmbeddedPostgres
from streams.embedded.worker import Role, RoleProcess, WorkerProcess
from streams.kafka import topics
from streams.kafka.connection import client
from streams.kafka.publish import publish
from streams.runtime.settings import KafkaSettings
from streams.store import migrate
from tests.producers import FILE, PRODUCERS, TOPICS

JOB_OF: Final[Mapping[Role, str]] = {
    "worker": "icam",
    "exporter": "icam-exporter",
    "canary": "icam-canary",
}
"""Prometheus' job of each role."""
_AUDITS: Final = 3


class Stage:
    """Fresh topics, a fresh database and a fresh group for one test."""

    def __init__(
        self, kafka_servers: str, directory: Path, postgres: EmbeddedPostgres | None = None
    ) -> None:
        """``postgres`` where it must be other than usual: not started yet, and empty."""
        self.kafka = KafkaSettings(
            bootstrap_servers=kafka_servers, group=f"test-{uuid4().hex[:8]}", partitions=6
        )
        self.directory = directory
        self.postgres = postgres or _copy_of_template(directory / "postgres")
        self.producers, self.producers_file = PRODUCERS, FILE
        self._stack = ExitStack()

    def use_producers(self, file: Path) -> None:
        """Use another table of producers from now on, and make its topics."""
        self.producers, self.producers_file = reference.producers(file), file
        more = [name for name in self.producers.topics if name not in TOPICS]
        _delete_topics(self.kafka, more)
        topics.ensure(self.kafka, self.producers.topics)
        self._stack.callback(_delete_topics, self.kafka, more)

    def __enter__(self) -> Stage:
        _delete_topics(self.kafka)
        topics.ensure(self.kafka, TOPICS)
        self._stack.callback(_delete_topics, self.kafka)
        self._stack.enter_context(self.postgres)
        migrate.apply(self.postgres.url)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def environment(self) -> dict[str, str]:
        return {
            "ICAM_KAFKA__BOOTSTRAP_SERVERS": self.kafka.bootstrap_servers,
            "ICAM_KAFKA__GROUP": self.kafka.group,
            "ICAM_KAFKA__SESSION_TIMEOUT_SECONDS": "6",
            "ICAM_DATABASE__URL": self.postgres.url,
            "ICAM_INTAKE__RETRY_CAP_SECONDS": "1",
            "ICAM_PRODUCERS_FILE": str(self.producers_file),
        }

    def worker(self, name: str, script: Path | None = None, **more: str) -> WorkerProcess:
        """Return a worker that is stopped at the latest when the test ends; start it yourself."""
        made = self._make(self.directory / name, {**self.environment, **more}, script)
        self._stack.callback(made.kill)
        return made

    def role(self, role: Role, **more: str) -> RoleProcess:
        """Return another role, stopped likewise; start it yourself."""
        made = RoleProcess(role, self.directory / role, {**self.environment, **more})
        self._stack.callback(made.kill)
        return made

    def all_roles(self) -> dict[Role, RoleProcess]:
        """Return a worker, an exporter and a canary, ready, that do everything in seconds."""
        quick = {
            "ICAM_EXPORTER__BACKLOG_SECONDS": "1",
            "ICAM_EXPORTER__CASES_SECONDS": "1",
            "ICAM_EXPORTER__OFFSETS_SECONDS": "1",
            "ICAM_EXPORTER__AUDIT_SECONDS": "5",
            "ICAM_CANARY__EVERY_SECONDS": "2",
        }
        made = {role: self.role(role, **quick) for role in JOB_OF}
        for process in made.values():
            process.start()
        return made

    def _make(
        self, directory: Path, environment: Mapping[str, str], script: Path | None
    ) -> WorkerProcess:
        return WorkerProcess(directory, environment, script=script)

    def publish(self, records: Iterable[Outgoing]) -> int:
        return publish(self.kafka, records)

    def query(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Return the rows of a query, its instants in UTC.

        An instant of the hour that a zone has twice equals none of another zone (PEP 495).
        """
        utc = "-c timezone=UTC"
        with psycopg.connect(self.postgres.url, autocommit=True, options=utc) as conn:
            return conn.execute(sql.encode(), values).fetchall()

    def in_log(self) -> int:
        found: int = self.query("SELECT count(*) FROM case_event")[0][0]
        return found

    def drain(self, patience: float = 120) -> None:
        """Wait until every record is committed and every announcement published."""
        until(self.drained, patience, "the stream is worked through")

    def audit(self, *, drained: bool = True, **more: Any) -> Report:
        """Return the audit of what is stored. With ``drained``, nothing may be in flight.

        If something is in flight again, the audit is repeated once it is not. Terms end at local
        midnight, and are announced then. And a worker that was frozen sets the handled offset back
        when it wakes up: the worker that has the partition commits lower offsets for a moment.
        """
        for _ in range(_AUDITS - 1):
            report = self._audit(drained=drained, **more)
            if not drained or not report.in_flight:
                return report
            with suppress(AssertionError):  # the next audit reports what remains
                self.drain()
        return self._audit(drained=drained, **more)

    def _audit(self, **more: Any) -> Report:
        return audit(
            client(self.kafka),
            self.postgres.url,
            group=self.kafka.group,
            producers=self.producers,
            **more,
        )

    def lag(self) -> int:
        """Return how many input records the group has not committed."""
        consumer = Consumer(
            {"bootstrap.servers": self.kafka.bootstrap_servers, "group.id": self.kafka.group}
        )
        try:
            parts = [
                TopicPartition(topic, number)
                for topic in self.producers.topics
                for number in range(self.kafka.partitions)
            ]
            committed = {(c.topic, c.partition): c.offset for c in consumer.committed(parts, 10)}
            left = 0
            for part in parts:
                low, high = consumer.get_watermark_offsets(part, 10)
                left += high - max(low, committed[part.topic, part.partition])
            return left
        finally:
            consumer.close()

    def drained(self) -> bool:
        """Whether nothing is under way: all committed, all published, nothing due."""
        waiting = self.query(
            "SELECT (SELECT count(*) FROM outbox_pending)"
            " + (SELECT count(*) FROM case_projection WHERE next_check_at <= now())"
        )
        return waiting[0][0] == 0 and self.lag() == 0


def until(true: Callable[[], bool], patience: float, what: str) -> None:
    """Wait until something is so.

    Raises:
        AssertionError: it was not within ``patience`` seconds.
    """
    deadline = time.monotonic() + patience
    while not true():
        assert time.monotonic() < deadline, f"not within {patience:g} s: {what}"
        time.sleep(0.1)


def _copy_of_template(directory: Path) -> EmbeddedPostgres:
    """Return a server that is not started, with a migrated cluster of its own."""
    directory.mkdir(parents=True, exist_ok=True)
    template = _template().directory
    shutil.copystat(template, directory)
    owner = template.stat()
    os.chown(directory, owner.st_uid, owner.st_gid)
    # Owners and modes too: PostgreSQL refuses a directory of anybody else's.
    subprocess.run(
        ["cp", "--archive", "--reflink=auto", template / "data", directory / "data"], check=True
    )
    return EmbeddedPostgres(directory)


@cache
def _template() -> EmbeddedPostgres:
    """Return a stopped server whose cluster is migrated, made once a process."""
    scratch = TemporaryDirectory(prefix="icam-postgres-")
    atexit.register(scratch.cleanup)
    Path(scratch.name).chmod(0o755)  # another account runs it, when we are root
    server = EmbeddedPostgres(Path(scratch.name) / "postgres", {"fsync": "off"})
    with server:
        migrate.apply(server.url)
    return server


def _delete_topics(kafka: KafkaSettings, inputs: Collection[str] = ()) -> None:
    """Delete these topics, by default all of the tests' table and ours."""
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    old = [
        name
        for name in inputs or topics.every(TOPICS)
        if name in admin.list_topics(timeout=10).topics
    ]
    if old:
        for future in admin.delete_topics(old).values():
            future.result(10)
        gone = set(old)
        until(lambda: not gone & {*admin.list_topics(timeout=10).topics}, 20, "old topics gone")
