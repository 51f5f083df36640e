"""One event after another through the whole pipeline, and how long its announcement takes.

Each is a new order of the day's canary case (``schemas.canary``), real to everything that it
passes: Kafka, intake, decision, outbox, relay, Kafka. Its notification is not proven, so whatever
happens nothing about it is ever escalated. Knows no database: it stands where a producer and a
subscriber stand.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final
from uuid import uuid4

import orjson
import structlog
from confluent_kafka import Consumer, KafkaException, TopicPartition

from schemas import canary
from schemas.codec import Outgoing, encode
from schemas.events import (
    Annex,
    Household,
    HouseholdKind,
    Lodging,
    Notification,
    NotificationChannel,
    OqtIssued,
)
from schemas.outcomes import CASE_ROUTED_TOPIC
from schemas.types import Language
from streams.kafka.publish import Publisher, PublishError
from streams.runtime import service
from streams.runtime.http import Verdict, application
from streams.runtime.metrics import CanaryMetrics
from streams.runtime.settings import Settings

log = structlog.get_logger(__name__)

_PATIENCE_TO_START: Final = 10.0


def order(at: datetime) -> tuple[str, Outgoing]:
    """Return the reference of an order of the canary's case of the day, and its record."""
    order_id = f"canary-{uuid4().hex}"
    event = OqtIssued(
        order_id=order_id,
        annex=Annex.A13,
        notified_at=at,
        notification=Notification(channel=NotificationChannel.COMMUNE, proven=False),
        departure_term_days=30,
        repeat_order=False,
        residence_postcode="1000",
        lodging=Lodging.HOME,
        household=Household(kind=HouseholdKind.SINGLE),
        language=Language.FR,
    )
    case_id = canary.case_id(at.date())
    return order_id, encode(event, event_id=uuid4(), case_id=case_id, source=canary.SOURCE, time=at)


class Canary:
    """Publishes an order and waits until the routing of just this order is announced."""

    def __init__(self, settings: Settings, metrics: CanaryMetrics) -> None:
        self._servers = settings.kafka.bootstrap_servers
        self._patience = settings.canary.patience_seconds
        self._metrics = metrics
        self._listener: Any = None
        self._publisher: Publisher | None = None

    def sing(self, at: datetime) -> float | None:
        """Return how many seconds the announcement took; None when it did not come in time.

        Blocks up to the patience of the settings, and as long again while the brokers are away.
        """
        self._metrics.sent.inc()
        try:
            taken = self._round(at)
        except (KafkaException, PublishError) as error:
            log.warning("canary_not_sent", error=type(error).__name__)
            self.close()
            taken = None
        if taken is None:
            self._metrics.missed.inc()
            log.warning("canary_missed", patience=self._patience)
        else:
            self._metrics.seconds.observe(taken)
            self._metrics.last_success.set_to_current_time()
        return taken

    def close(self) -> None:
        """Stop listening and publishing; the next round begins anew."""
        self._publisher = None
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def _round(self, at: datetime) -> float | None:
        if self._listener is None:
            self._listener = self._listen()
        if self._publisher is None:
            self._publisher = Publisher(self._servers)
        order_id, record = order(at)
        begun = time.monotonic()
        self._publisher.send(record)
        self._publisher.flush(self._patience)
        while (left := begun + self._patience - time.monotonic()) > 0:
            message = self._listener.poll(min(left, 0.5))
            if message is None or message.error() is not None or message.key() != record.key:
                continue
            if orjson.loads(message.value())["order_id"] == order_id:
                return time.monotonic() - begun
        return None

    def _listen(self) -> Any:
        """Return a consumer that stands at the end of every partition; it joins no group."""
        listener = Consumer(
            {
                "bootstrap.servers": self._servers,
                "group.id": "icam-canary",
                "enable.auto.commit": False,
                "log_level": 2,
            }
        )
        try:
            described = listener.list_topics(CASE_ROUTED_TOPIC, _PATIENCE_TO_START)
            ends = []
            for number in described.topics[CASE_ROUTED_TOPIC].partitions:
                part = TopicPartition(CASE_ROUTED_TOPIC, number)
                _, end = listener.get_watermark_offsets(part, _PATIENCE_TO_START)
                ends.append(TopicPartition(CASE_ROUTED_TOPIC, number, end))
            # By number: "the end" would be that of the first fetch, which comes after we published.
            listener.assign(ends)
        except BaseException:
            listener.close()
            raise
        return listener


def run(settings: Settings) -> int:
    """Sing until told to stop (SIGTERM, SIGINT); return the exit code. Blocks.

    Raises:
        OSError: the port is taken.
    """
    return service.run(_sing(settings, lambda: datetime.now(UTC)), settings.log_level)


async def _sing(settings: Settings, now: Callable[[], datetime]) -> None:
    metrics, mine = CanaryMetrics(), settings.canary
    bird = Canary(settings, metrics)
    heard: list[float] = []

    async def rounds() -> None:
        while True:
            begun = time.monotonic()
            taken = await asyncio.to_thread(bird.sing, now())
            heard[:] = [] if taken is None else [taken]
            await asyncio.sleep(max(0.0, mine.every_seconds - (time.monotonic() - begun)))

    made = application(lambda: Verdict(True, {}), partial(_ready, heard), metrics.registry)
    await service.run_with_http(rounds(), made, mine.host, mine.port)


def _ready(heard: list[float]) -> Verdict:
    """Ready when the last announcement came in time."""
    return Verdict(bool(heard), {"last_seconds": round(heard[0], 3) if heard else None})
