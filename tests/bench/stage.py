"""The servers of the benchmark: one real Kafka with one history on its topics, and databases."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from types import TracebackType
from uuid import uuid4

from confluent_kafka.admin import AdminClient

from schemas.codec import Outgoing
from streams.embedded import kafka as real_kafka
from streams.embedded.kafka import KafkaNode
from streams.kafka import topics
from streams.kafka.publish import publish
from streams.runtime.settings import KafkaSettings
from tests.bench.database import Database, Databases
from tests.bench.programs import Running
from tests.bench.shipped import environment
from tests.producers import TOPICS

_JOIN_DELAY_MS = 1_000
"""Processes that start together join in one rebalance, as with Kafka's default."""


class Stage:
    """Everything below ``home`` is removed at the end."""

    def __init__(self, home: Path, servers: str | None = None, code: Path | None = None) -> None:
        """``code`` is the folder of the packages that contenders run; None is the checkout."""
        self.home = home.absolute()
        self.code = code
        self.databases = Databases(self.home)
        self._servers = servers
        self._numbers = count(1)
        self._stack = ExitStack()

    def __enter__(self) -> Stage:
        self.home.mkdir(parents=True, exist_ok=True)
        self._stack.callback(shutil.rmtree, self.home, ignore_errors=True)
        if self._servers is None:
            real_kafka.fetch()
            node = self._stack.enter_context(
                KafkaNode(self.home / "kafka", join_delay_ms=_JOIN_DELAY_MS)
            )
            self._servers = node.bootstrap_servers
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._stack.close()

    @property
    def servers(self) -> str:
        """Return the address of Kafka."""
        if self._servers is None:
            raise RuntimeError("the stage was not entered")
        return self._servers

    def fill(self, records: Iterable[Outgoing]) -> None:
        """Empty our topics, then publish records. Blocks."""
        self.clear()
        kafka = KafkaSettings(bootstrap_servers=self.servers)
        topics.ensure(kafka, TOPICS)
        publish(kafka, records)

    def clear(self) -> None:
        """Delete our topics. Blocks."""
        admin = AdminClient({"bootstrap.servers": self.servers})
        ours = set(topics.every(TOPICS))
        present = ours & set(admin.list_topics(timeout=10).topics)
        if present:
            for future in admin.delete_topics(sorted(present)).values():
                future.result(15)
        while ours & set(admin.list_topics(timeout=10).topics):
            time.sleep(0.1)

    def place(self, name: str) -> Path:
        """Return a new directory."""
        return self.home / f"{next(self._numbers):03d}-{name}"

    def environment(self, database: Database | None = None) -> dict[str, str]:
        """Return the environment of a contender, with a new consumer group."""
        found = {
            "ICAM_KAFKA__BOOTSTRAP_SERVERS": self.servers,
            "ICAM_KAFKA__GROUP": f"bench-{uuid4().hex[:12]}",
            "ICAM_LOG_LEVEL": "WARNING",
        }
        if database is not None:
            found["ICAM_DATABASE__URL"] = database.url
        if self.code is not None:
            found |= environment(self.code)
        return found


@contextmanager
def stopping(running: list[Running]) -> Iterator[list[Running]]:
    """Stop processes at the end of the block."""
    try:
        yield running
    finally:
        for one in running:
            one.stop()
