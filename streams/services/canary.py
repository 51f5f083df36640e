"""Send synthetic events through the whole pipeline and measure the time to their announcement.

Each event is a new order of the canary case of the day (``schemas.canary``). Every step handles it
as a real event: Kafka, intake, decision, outbox, relay, Kafka. The case of a day ends with the day,
so it is never escalated. The canary does not use the database: it is a producer and a subscriber.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from datetime import time as time_of_day
from typing import Any, Final
from uuid import uuid4

import orjson
import structlog
from confluent_kafka import Consumer, KafkaException, TopicPartition

from schemas import canary
from schemas.codec import Outgoing, encode
from schemas.codes import Language
from schemas.events import (
    Annex,
    EndReason,
    FollowUpEnded,
    Household,
    HouseholdKind,
    Lodging,
    Notification,
    NotificationChannel,
    OqtIssued,
)
from schemas.outcomes import CASE_ROUTED_TOPIC
from streams.kafka.connection import client
from streams.kafka.publish import Publisher, PublishError
from streams.runtime import service
from streams.runtime.http import Verdict, application
from streams.runtime.metrics import CanaryMetrics
from streams.runtime.settings import Settings

log = structlog.get_logger(__name__)

_START_TIMEOUT_SECONDS: Final = 10.0


def order(at: datetime) -> tuple[str, Outgoing]:
    """Return the id and the record of a new order of the canary case of the day."""
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


def end(at: datetime) -> Outgoing:
    """Return the end of the canary case of the day, in effect an hour after the day.

    Sent with every order: an order that is notified after the newest end would be followed again.
    """
    midnight = datetime.combine(at.date(), time_of_day.min, at.tzinfo)
    event = FollowUpEnded(
        reason=EndReason.OPENED_IN_ERROR, effective_at=midnight + timedelta(hours=25)
    )
    case_id = canary.case_id(at.date())
    return encode(event, event_id=uuid4(), case_id=case_id, source=canary.SOURCE, time=at)


class Canary:
    """Publish an order and wait until the routing of that order is announced."""

    def __init__(self, settings: Settings, metrics: CanaryMetrics) -> None:
        self._kafka = settings.kafka
        self._timeout = settings.canary.patience_seconds
        self._metrics = metrics
        self._consumer: Any = None
        self._publisher: Publisher | None = None

    def measure(self, at: datetime) -> float | None:
        """Send one event and return the seconds to its announcement; None on timeout or failure.

        Blocks up to ``patience_seconds``, and up to twice that while the brokers are away.
        """
        self._metrics.sent.inc()
        try:
            seconds = self._send_and_wait(at)
        except (KafkaException, PublishError) as error:
            log.warning("canary_not_sent", error=type(error).__name__)
            self.close()
            seconds = None
        if seconds is None:
            self._metrics.missed.inc()
            log.warning("canary_missed", patience=self._timeout)
        else:
            self._metrics.seconds.observe(seconds)
            self._metrics.last_success.set_to_current_time()
        return seconds

    def close(self) -> None:
        """Close the consumer and the producer. The next measurement opens new ones."""
        self._publisher = None
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None

    def _send_and_wait(self, at: datetime) -> float | None:
        if self._consumer is None:
            self._consumer = self._open_consumer()
        if self._publisher is None:
            self._publisher = Publisher(self._kafka)
        order_id, record = order(at)
        started = time.monotonic()
        self._publisher.send(record)
        self._publisher.send(end(at))
        self._publisher.flush(self._timeout)
        while (remaining := started + self._timeout - time.monotonic()) > 0:
            message = self._consumer.poll(min(remaining, 0.5))
            if message is None or message.error() is not None or message.key() != record.key:
                continue
            if orjson.loads(message.value())["order_id"] == order_id:
                return time.monotonic() - started
        return None

    def _open_consumer(self) -> Any:
        """Return a consumer positioned at the end of every partition; it joins no group."""
        consumer = Consumer(
            {
                **client(self._kafka),
                "group.id": "icam-canary",
                "enable.auto.commit": False,
                "log_level": 2,
            }
        )
        try:
            metadata = consumer.list_topics(CASE_ROUTED_TOPIC, _START_TIMEOUT_SECONDS)
            topic = metadata.topics[CASE_ROUTED_TOPIC]
            if topic.error is not None:
                # With no partition assigned, every later announcement would be missed.
                raise KafkaException(topic.error)
            ends = []
            for number in topic.partitions:
                partition = TopicPartition(CASE_ROUTED_TOPIC, number)
                _, end = consumer.get_watermark_offsets(partition, _START_TIMEOUT_SECONDS)
                ends.append(TopicPartition(CASE_ROUTED_TOPIC, number, end))
            # Assign explicit offsets: OFFSET_END is resolved at the first fetch, after publishing.
            consumer.assign(ends)
        except BaseException:
            consumer.close()
            raise
        return consumer


def run(settings: Settings) -> int:
    """Run until SIGTERM or SIGINT and return the exit code. Blocks.

    Raises:
        OSError: the port is in use.
    """
    return service.run(_run(settings, lambda: datetime.now(UTC)), settings.log_level)


async def _run(settings: Settings, now: Callable[[], datetime]) -> None:
    canary_settings, metrics = settings.canary, CanaryMetrics()
    measurements = Canary(settings, metrics)
    last_seconds: float | None = None

    async def measure_repeatedly() -> None:
        nonlocal last_seconds
        while True:
            started = time.monotonic()
            last_seconds = await asyncio.to_thread(measurements.measure, now())
            elapsed = time.monotonic() - started
            await asyncio.sleep(max(0.0, canary_settings.every_seconds - elapsed))

    def ready() -> Verdict:
        """Ready if the last event was announced in time."""
        seconds = None if last_seconds is None else round(last_seconds, 3)
        return Verdict(seconds is not None, {"last_seconds": seconds})

    app = application(lambda: Verdict(True, {}), ready, metrics.registry, settings.host_names)
    await service.run_with_http(
        measure_repeatedly(), app, canary_settings.host, canary_settings.port
    )
