"""Read the database periodically, once for all open pages, and publish the state."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final, TypeVar

import structlog

from schemas import canary
from streams.casework.in_force import ReferenceSource
from streams.reference import ZONE
from streams.runtime.loop import periodic
from streams.services.board.figures import DAYS, HOURS, Book
from streams.services.board.signals import BURST, MOST_PRODUCERS, SLOT_SECONDS, SLOTS, Live
from streams.services.board.state import State
from streams.services.board.watch import Watch, WatchError
from streams.services.web.feed import Feed
from streams.store import (
    attention,
    board,
    cases,
    dead_letters,
    outbox,
    relay_lease,
    statistics,
    worklist,
)
from streams.store.clock import Clock
from streams.store.errors import is_not_migrated, is_refused, is_transient, log_fields
from streams.store.pool import Connection, Pool
from streams.store.relay_lease import Lease

log = structlog.get_logger(__name__)

T = TypeVar("T")

_AGAIN: Final = timedelta(seconds=4 * SLOT_SECONDS)
"""Slots this young are counted again: a transaction's events become visible at its commit."""
_BACK: Final = (timedelta(minutes=5), timedelta(hours=1), timedelta(days=1), timedelta(days=30))
"""How far back to search for the last event, in steps."""
_BOOK_SECONDS: Final = 30.0
_WATCH_SECONDS: Final = 5.0
_LIVE_PATIENCE: Final = 10.0
_BOOK_PATIENCE: Final = 60.0
"""Seconds. A frozen server accepts a request and never answers."""
_SHARE: Final = 10
"""Counting all cases takes at most a tenth of the time, however many there are."""


class Reader:
    """Takes both readings until cancelled; retries while the database is away."""

    def __init__(
        self,
        pool_of: Callable[[], Awaitable[Pool]],
        clock: Clock,
        source: ReferenceSource,
        state: State,
        feed: Feed,
        every_seconds: float,
        watch: Watch | None = None,
    ) -> None:
        self._pool_of = pool_of
        self._clock = clock
        self._source = source
        self._calendar = source.calendar
        self._state = state
        self._feed = feed
        self._every = every_seconds
        self._watch = watch
        self._relay_free_since: datetime | None = None
        self._slots: dict[int, int] = {}
        self._last_event: datetime | None = None
        self._read_at: datetime | None = None

    async def run(self) -> None:
        """Read until cancelled.

        Raises:
            ExceptionGroup: an error that is neither transient nor a database without tables, or
                the database refused our role before anything was read.
        """
        async with asyncio.TaskGroup() as loops:
            loops.create_task(self._publish_periodically())
            loops.create_task(self._repeat(self._read_live, lambda *_: self._every))
            loops.create_task(self._repeat(self._read_book, self._book_pause))
            if self._watch is not None:
                loops.create_task(self._read_watch(self._watch))

    async def _publish_periodically(self) -> None:
        """Publish the state, and how old it is, even while the database is away."""
        while True:
            self._feed.publish(self._state.to_json())
            await asyncio.sleep(self._every)

    async def _repeat(
        self, work: Callable[[], Awaitable[T]], pause: Callable[[T | None, float], float]
    ) -> None:
        def away(error: Exception) -> None:
            if not self._state.away:
                log.warning("database_away", **log_fields(error))
            self._state.away = True

        done = False

        async def noted() -> T:
            nonlocal done
            result = await work()
            done = True
            return result

        def passes(error: Exception) -> bool:
            if is_refused(error) and not done:
                return False  # a mistake in the configuration: somebody must see it
            return is_transient(error) or is_not_migrated(error)

        await periodic(noted, pause=pause, is_transient=passes, on_away=away)

    async def _read_live(self) -> None:
        async with asyncio.timeout(_LIVE_PATIENCE):
            live = await self.live(await self._pool_of())
        self._state.away = False
        first = self._state.age is None
        self._state.read_live(live)
        if first:
            self._feed.publish(self._state.to_json())

    async def _read_watch(self, watch: Watch) -> None:
        """Ask Prometheus until cancelled. Its silence says that nothing vouches for the workers."""

        silent = False

        async def read() -> None:
            nonlocal silent
            self._state.read_watch(await watch.read())
            silent = False

        def away(error: Exception) -> None:
            nonlocal silent
            if not silent:
                log.warning("prometheus_away", why=str(error))
            silent = True

        await periodic(
            read,
            pause=lambda *_: _WATCH_SECONDS,
            is_transient=lambda error: isinstance(error, WatchError),
            on_away=away,
        )

    async def _read_book(self) -> Book:
        async with asyncio.timeout(_BOOK_PATIENCE):
            book = await self.book(await self._pool_of())
        self._state.away = False
        self._state.read_book(book)
        self._feed.publish(self._state.to_json())
        return book

    def _book_pause(self, book: Book | None, took: float) -> float:
        return self._every if book is None else max(_BOOK_SECONDS, _SHARE * took)

    async def live(self, pool: Pool) -> Live:
        """Read recent events and the backlog; indexes only."""
        async with pool.acquire() as conn:
            now = await self._clock(conn)
            await self._count_events(conn, now)
            bound = self._calendar.working_day_before(now)
            days = (self._calendar.local_date(now - timedelta(days=back)) for back in (0, 1))
            relay = await relay_lease.read(conn)
            return Live(
                as_of=now,
                committed=dict(self._slots),
                last_event=self._last_event,
                outbox=await outbox.backlog(conn),
                due=await cases.overdue(conn, now),
                letters=await dead_letters.unresolved(conn, bound, now - BURST),
                producers=await dead_letters.unresolved_by_producer(conn, MOST_PRODUCERS),
                relay=relay,
                relay_free_for=self._free_for(relay, now),
                canary=await board.last_of_canaries(conn, [canary.case_id(day) for day in days]),
            )

    def _free_for(self, relay: Lease | None, now: datetime) -> float | None:
        """Return for how many seconds no worker has held the relay; None while one does.

        A lease that was given back does not say when: it counts from our first reading of it.
        """
        if relay is not None and relay.held:
            self._relay_free_since = None
            return None
        if relay is not None and relay.free_seconds is not None:
            return relay.free_seconds
        self._relay_free_since = self._relay_free_since or now
        return (now - self._relay_free_since).total_seconds()

    async def book(self, pool: Pool) -> Book:
        """Count all cases and the ledger, as of one instant."""
        async with board.snapshot(pool) as conn:
            now = await self._clock(conn)
            today = self._calendar.local_date(now)
            first = self._calendar.start_of(today - timedelta(days=DAYS - 1))
            longest = (await self._source.current(conn)).longest_pause_days
            return Book(
                as_of=now,
                today=today,
                offices=await statistics.cases_by_office(conn),
                reached=await board.reached(conn),
                ledger=await statistics.escalations(conn),
                moved=await board.escalations_since(conn, first, ZONE),
                due_by_hour=await board.due_by_hour(conn, now, HOURS),
                work=await worklist.due_by_office(
                    conn, now, self._calendar.end_of(today), self._calendar.end_of_week(today)
                ),
                forgotten=sum((await attention.breaches(conn, now, longest)).values()),
            )

    async def _count_events(self, conn: Connection, now: datetime) -> None:
        """Count the slots that may have changed, and find the last event."""
        first = _slot(now) - SLOTS
        recount = first if self._read_at is None else max(first, _slot(self._read_at - _AGAIN))
        since = datetime.fromtimestamp(recount * SLOT_SECONDS, now.tzinfo)
        counted = await board.committed(conn, since, SLOT_SECONDS)
        self._slots = {s: n for s, n in self._slots.items() if first <= s < recount} | counted
        for back in _BACK if self._last_event is None else (now - since,):
            found = await board.last_event(conn, now - back)
            if found is not None:
                self._last_event = max(found, self._last_event or found)
                break
        self._read_at = now


def _slot(instant: datetime) -> int:
    return int(instant.timestamp() // SLOT_SECONDS)
