"""The Faust agents: one declares the input topics, one also takes them in by Faust's own delivery.

``noack`` with ``noack_take`` and acknowledging after the commit, in order, is the one agent body of
those measured that lost nothing in chaos runs; see docs/decisions/0002-faust-settings.md.
"""

from __future__ import annotations

from typing import Any

import faust
from faust.types import EventT
from mode import CrashingSupervisor

from schemas.events import INPUT_TOPICS
from streams.intake.intake import Intake
from streams.intake.record import Record
from streams.runtime.settings import Settings
from streams.store.events import Position


def declare(app: faust.App) -> None:
    """Subscribe to the input topics for the lanes; the agent itself must receive nothing.

    Raises:
        RuntimeError: in the agent, and so in the worker: a record came by Faust's own delivery,
            which would acknowledge it.
    """

    @app.agent(_inputs(app), name="intake", concurrency=1, supervisor_strategy=CrashingSupervisor)
    async def take_nothing(stream: Any) -> None:
        async for _ in stream.noack():
            raise RuntimeError("a record came past the lanes: check ICAM_KAFKA__DELIVERY")


def install(app: faust.App, intake: Intake, settings: Settings) -> None:
    """Attach the one agent to all input topics; at most one batch is in flight."""
    topic = _inputs(app)

    # One agent instance, and a crash of it crashes the worker: a restarted agent skips offsets.
    @app.agent(topic, name="intake", concurrency=1, supervisor_strategy=CrashingSupervisor)
    async def take_in(stream: Any) -> None:
        batches = stream.noack().noack_take(
            settings.intake.batch_max, within=settings.intake.batch_within_seconds
        )
        async for events in batches:
            await intake.handle([record_of(event) for event in events])
            for event in events:
                event.ack()


def _inputs(app: faust.App) -> Any:
    # "raw" must be said: bytes are parsed as JSON otherwise, and a record that is none is
    # acknowledged, seen by nobody, and ends the agent while the worker looks alive.
    return app.topic(
        *INPUT_TOPICS,
        key_type=bytes,
        value_type=bytes,
        key_serializer="raw",
        value_serializer="raw",
    )


def record_of(event: EventT[bytes]) -> Record:
    """Return the Kafka record behind a Faust event, as it came."""
    message = event.message
    headers: Any = message.headers or ()
    return Record(
        Position(message.topic, message.partition, message.offset),
        message.key,
        message.value,
        tuple(headers.items() if isinstance(headers, dict) else headers),
        round(message.timestamp * 1000),
    )
