"""Faust's own delivery: the shipped worker, with records one by one instead of lists in lanes.

Its agent body is the one of those measured that lost nothing in crash tests; see
docs/decisions/0002-faust-settings.md.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Final, TypeAlias, cast

import faust
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from faust.transport.drivers import aiokafka as driver
from faust.types import EventT
from mode import CrashingSupervisor

from streams.intake.bugs import BugCounter
from streams.intake.intake import Intake
from streams.intake.record import Record
from streams.runtime.settings import Settings
from streams.store import clock
from streams.store.events import Position
from streams.store.pool import Pool
from streams.worker import agents, app
from streams.worker.relay import Relay
from streams.worker.transport import ConsumerThread
from tests.producers import TOPICS

Install: TypeAlias = Callable[[faust.App, Intake, Settings], None]
"""Attaches an agent that hands the records of the input topics to the intake."""

_WITHIN: Final = 0.02
"""How long a batch is collected, in seconds."""


class Thread(ConsumerThread):
    """The shipped worker's thread with aiokafka's own fetcher: ours fetches for lanes only."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = driver.AIOKafkaConsumerThread._create_worker_consumer(self, transport)
        consumer._fetch_max_wait_ms = cast(Any, self.app).fetch_max_wait_ms
        consumer._partition_assignment_strategy = [RangePartitionAssignor]
        return consumer


class Consumer(driver.Consumer):
    """Faust's consumer, with the shipped worker's assignor and fetch wait."""

    def _new_consumer_thread(self) -> ConsumerThread:
        return Thread(self, loop=self.loop, beacon=self.beacon)


class Transport(driver.Transport):
    """Kafka with Faust's own delivery."""

    Consumer = Consumer


class Parts(app.Parts):
    """The parts of the shipped worker, with an agent instead of lanes."""

    def __init__(self, made: app.IcamApp, settings: Settings, install: Install) -> None:
        super().__init__(made, settings)
        self._install = install

    def start_intake(self, pool: Pool, relay: Relay) -> None:
        """Attach the agent to the input topics."""
        settings = self._settings.intake
        bugs = BugCounter(settings.max_bugs_in_a_row)
        intake = Intake(
            pool, self.reference, clock.now, self.metrics, self.state, bugs, settings, relay.publish
        )
        self._install(self._app, intake, self._settings)


def run(settings: Settings, install: Install) -> int:
    """Run a worker over Faust's own delivery until SIGTERM; return the exit code. Blocks."""

    def make_app(settings: Settings) -> app.IcamApp:
        made = app.build(settings)
        made.parts = Parts(made, settings, install)
        made.transport = Transport(made.conf.broker_consumer, made)
        # Buffered records are delivered again after a crash; a small buffer keeps that short.
        made.conf.stream_buffer_maxsize = 4 * settings.intake.batch_max
        return made

    return app.run(settings, make_app)


def install_batches(made: faust.App, intake: Intake, settings: Settings) -> None:
    """Attach one agent to all input topics; at most one batch is in flight."""

    # One agent instance, and a crash of it crashes the worker: a restarted agent skips offsets.
    @made.agent(
        agents.input_topics(made, TOPICS),
        name="intake",
        concurrency=1,
        supervisor_strategy=CrashingSupervisor,
    )
    async def ingest(stream: Any) -> None:
        batches = stream.noack().noack_take(settings.intake.batch_max, within=_WITHIN)
        async for events in batches:
            await intake.handle([record_of(event) for event in events])
            for event in events:
                event.ack()


def record_of(event: EventT[bytes]) -> Record:
    """Return the Kafka record of a Faust event."""
    message = event.message
    headers: Any = message.headers or ()
    return Record(
        Position(message.topic, message.partition, message.offset),
        message.key,
        message.value,
        tuple(headers.items() if isinstance(headers, dict) else headers),
        round(message.timestamp * 1000),
    )


if __name__ == "__main__":
    sys.exit(run(Settings(), install_batches))
