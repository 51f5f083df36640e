"""The servers of the benchmark: one real Kafka with one history on its topics, and databases."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Final
from uuid import uuid4

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from schemas.codec import Outgoing
from streams.embedded import kafka as real_kafka
from streams.embedded.kafka import KafkaNode
from streams.kafka import topics
from streams.kafka.publish import publish
from streams.runtime.settings import KafkaSettings
from tests.bench.database import OURS, Database, Databases, Tables, written
from tests.bench.processes import cpu_seconds
from tests.bench.programs import Running
from tests.bench.roster import ROSTER, Contender
from tests.bench.version import Version
from tests.producers import TOPICS

_JOIN_DELAY_MS = 1_000
"""Processes that start together join in one rebalance, as with Kafka's default."""
_SETTLE: Final = 3.0
"""Seconds before topics that were made again are used: under load one lost a record that the
broker had acknowledged."""
_ATTEMPTS: Final = 3
_UNSTAFFED: Final = Path(__file__).with_name("unstaffed.toml")


@dataclass(frozen=True)
class Output:
    """How much a contender that decides nothing must publish for a history."""

    events: int
    records: int
    size: int
    """Bytes of keys, headers and values."""


class RecordsLost(Exception):
    """Kafka does not have all acknowledged records, so no contender can process them."""


class NoBase(Exception):
    """A contender runs an earlier commit, and none was named."""


class Stage:
    """Everything below ``home`` is removed at the end."""

    def __init__(
        self,
        home: Path,
        servers: str | None = None,
        head: Version | None = None,
        base: Version | None = None,
    ) -> None:
        """``head`` is what contenders run; None is the checkout, interpreted. ``base`` is the
        earlier commit that contenders of the name run.
        """
        self.home = home.absolute()
        self.head = head
        self.base = base
        self.databases = Databases(self.home)
        self.output = Output(0, 0, 0)
        self._node: KafkaNode | None = None
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
            self._node, self._servers = node, node.bootstrap_servers
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

    def kafka_cpu(self) -> float | None:
        """Return the CPU seconds of Kafka's process; None if it is not ours."""
        return None if self._node is None else cpu_seconds(self._node.pid)

    def tables(self, contender: Contender) -> Tables:
        """Return the tables that a contender writes to."""
        if contender.tables is not None:
            return written(contender.tables)
        if contender.version == "base":
            base = self._base()
            return Tables(f"base-{base.commit}", base.migrate)
        return OURS

    def _base(self) -> Version:
        if self.base is None:
            raise NoBase("name an earlier commit with --base")
        return self.base

    def fill(self, records: Iterable[Outgoing]) -> None:
        """Empty our topics, then publish records, and check that the topics have them. Blocks.

        Raises:
            RecordsLost: a topic that was made again lost acknowledged records, several times.
        """
        again = records if isinstance(records, Sequence) else None
        for attempt in range(_ATTEMPTS):
            self.renew()
            sent = publish(KafkaSettings(bootstrap_servers=self.servers), records)
            held = self._held()
            if held == sent:
                return
            if again is None or attempt == _ATTEMPTS - 1:
                raise RecordsLost(f"Kafka has {held} of {sent} acknowledged records: run it again")

    def _held(self) -> int:
        """Return how many records are on the input topics."""
        consumer = Consumer({"bootstrap.servers": self.servers, "group.id": "bench-unused"})
        try:
            known = consumer.list_topics(timeout=10).topics
            places = [TopicPartition(t, n) for t in TOPICS for n in known[t].partitions]
            return sum(consumer.get_watermark_offsets(place, 10)[1] for place in places)
        finally:
            consumer.close()

    def renew(self) -> None:
        """Make our topics again, empty. Blocks."""
        self.clear()
        topics.ensure(KafkaSettings(bootstrap_servers=self.servers), TOPICS)
        time.sleep(_SETTLE)

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

    def code(self, contender: Contender) -> Mapping[str, str]:
        """Return the variables that choose the code that a contender runs."""
        version = self._base() if contender.version == "base" else self.head
        return {} if version is None else version.environment(compiled=contender.compiled)

    def environment(
        self, database: Database | None = None, contender: Contender = ROSTER["worker"]
    ) -> dict[str, str]:
        """Return the environment of a contender, with a new consumer group."""
        found = {
            "ICAM_KAFKA__BOOTSTRAP_SERVERS": self.servers,
            "ICAM_KAFKA__GROUP": f"bench-{uuid4().hex[:12]}",
            "ICAM_STAFFING_FILE": str(_UNSTAFFED),
            "ICAM_BENCH_OUTPUT": f"{self.output.events} {self.output.records} {self.output.size}",
            "ICAM_LOG_LEVEL": "WARNING",
        }
        if database is not None:
            found["ICAM_DATABASE__URL"] = database.url
        return found | {**self.code(contender)}


@contextmanager
def stopping(running: list[Running]) -> Iterator[list[Running]]:
    """Stop processes at the end of the block."""
    try:
        yield running
    finally:
        for one in running:
            one.stop()
