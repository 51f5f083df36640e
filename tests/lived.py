"""A history that was lived: records arrive at their times, deadlines fall due in between.

The real intake and sweeps decide, with a clock that is set to each instant; what they record has
that instant too.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import psycopg

from streams.intake import repair
from streams.intake.record import Record
from streams.simulate.settings import SimulationSettings
from streams.simulate.stream import stream
from streams.store.events import Position
from tests.world import World

_FAR = 10_000


class Lived:
    """A world in which time passes."""

    def __init__(self, world: World, url: str) -> None:
        self.world = world
        self._conn = psycopg.connect(url, autocommit=True)
        # Nothing else may change when something was recorded: triggers refuse it.
        self._conn.execute("SET session_replication_role = replica")
        self._instants: list[datetime] = []

    async def arrive(self, at: datetime, records: Sequence[Record]) -> None:
        """Let time pass up to an instant, then record and decide what arrives then."""
        await self.pass_time(at)
        await self.world.take(records)
        self._date("case_event", "recorded_at", at)
        self._date("dead_letter", "recorded_at", at)

    async def pass_time(self, to: datetime) -> None:
        """Decide each case at each of its checks before an instant, and let it be then."""
        while True:
            due = await self.world.rows(
                "SELECT min(next_check_at) FROM case_projection WHERE next_check_at < $1", to
            )
            if due[0][0] is None:
                break
            self.world.now = due[0][0]
            while await self.world.deadlines.sweep(_FAR):
                pass
        self.world.now = to

    async def discard_letters(self, at: datetime) -> None:
        """Discard every open dead letter at an instant."""
        await self.pass_time(at)
        for (number,) in await self.world.rows(
            "SELECT dead_letter_id FROM dead_letter WHERE resolved_at IS NULL ORDER BY 1"
        ):
            await repair.discard(
                self.world.pool, number, self.world.ref, self.world.clock, "not needed"
            )
        self._date("dead_letter", "resolved_at", at)

    def _date(self, table: str, column: str, at: datetime) -> None:
        """Give what was written just now the instant at which it was."""
        self._instants.append(at)
        self._conn.execute(
            f"UPDATE {table} SET {column} = %s WHERE {column} <> ALL(%s)".encode(),
            (at, self._instants),
        )

    def close(self) -> None:
        self._conn.close()


async def live(lived: Lived, settings: SimulationSettings) -> datetime:
    """Live a simulated stream, discard dead letters now and then; return when it ended."""
    for number, planned in enumerate(stream(settings)):
        at, sent = planned.at.astimezone(UTC), planned.record
        if number % 40 == 39:
            await lived.discard_letters(at)
        record = Record(Position(sent.topic, 0, number), sent.key, sent.value, sent.headers)
        await lived.arrive(at, [record])
    return lived.world.now
