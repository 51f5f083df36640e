"""The in-memory database: committed rows, open transactions, and their locks.

It guarantees what the store relies on: a statement reads committed rows and those of its own
transaction; a row lock blocks others until its transaction ends; inserting a key that another open
transaction inserted waits for the end of that transaction; a commit is atomic.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final, TypeAlias

import asyncpg

from tests.schedules.schedule import Weather

Place: TypeAlias = tuple[str, Any]
"""Table and key."""

GONE: Final = object()
"""Represents a row that was deleted or never existed."""

LOCK_TIMEOUT: Final = 30.0


class Transaction:
    """Writes that are invisible to others before the commit, and locks released at its end."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.own: dict[Place, Any] = {}
        self.ended = False
        self.committed = False
        self._waits_for: Transaction | None = None
        self._waiters: list[asyncio.Future[None]] = []

    def get(self, table: str, key: Any) -> Any:
        """Return a row as this transaction sees it, or ``GONE``."""
        place = table, key
        return self.own[place] if place in self.own else self._database.get(table, key)

    def rows(self, table: str) -> Iterator[tuple[Any, Any]]:
        """Yield key and row of a table as this transaction sees it."""
        own = {key: row for (name, key), row in self.own.items() if name == table}
        for key, row in self._database.tables[table].items():
            if key not in own:
                yield key, row
        yield from ((key, row) for key, row in own.items() if row is not GONE)

    async def lock(self, table: str, key: Any) -> None:
        """Lock a row until the end of the transaction; blocks while another holds it."""
        await self._free(self._database.locked, (table, key))
        self._database.locked[table, key] = self

    async def insert(self, table: str, key: Any, row: Any) -> bool:
        """Insert a row; return False if it exists, after waiting for a concurrent inserter."""
        await self._free(self._database.inserting, (table, key))
        if self.get(table, key) is not GONE:
            return False
        self._database.inserting[table, key] = self
        self.own[table, key] = row
        return True

    def write(self, table: str, key: Any, row: Any) -> None:
        """Update a row, or delete it with ``GONE``."""
        self.own[table, key] = row

    def commit(self, *, lazily: bool = False) -> None:
        """Make all writes visible at once; do nothing if the transaction has ended."""
        if not self.ended:
            self.committed = True
            self._database.apply(self, lazily=lazily)
            self._end()

    def rollback(self) -> None:
        """Roll back."""
        if not self.ended:
            self._end()

    def locks(self, table: str, key: Any) -> bool:
        """Lock the row if it is free; return whether this transaction holds it."""
        if self._database.locked.get((table, key), self) is not self:
            return False
        self._database.locked[table, key] = self
        return True

    async def _free(self, holders: dict[Place, Transaction], place: Place) -> None:
        while (holder := holders.get(place, self)) is not self:
            await self._wait(holder)
        if self.ended:
            raise asyncpg.InterfaceError("connection is closed")

    async def _wait(self, holder: Transaction) -> None:
        self._waits_for = holder
        ahead: Transaction | None = holder
        while ahead is not None:
            if ahead is self:
                self._waits_for = None
                raise asyncpg.DeadlockDetectedError("deadlock detected")
            ahead = ahead._waits_for
        turn = asyncio.get_running_loop().create_future()
        holder._waiters.append(turn)
        try:
            async with asyncio.timeout(LOCK_TIMEOUT):
                await turn
        except TimeoutError:
            raise asyncpg.LockNotAvailableError("canceling due to lock timeout") from None
        finally:
            self._waits_for = None

    def _end(self) -> None:
        self.ended = True
        for holders in (self._database.locked, self._database.inserting):
            for place in [place for place, holder in holders.items() if holder is self]:
                del holders[place]
        for turn in self._waiters:
            if not turn.done():
                turn.set_result(None)


class Database:
    """One server. Its clock is the virtual time plus the skipped days."""

    def __init__(
        self, start: datetime, dice: Random, weather: Weather, watch: Callable[[Transaction], None]
    ) -> None:
        """``watch`` receives every transaction just before its writes are applied."""
        names: tuple[str, ...] = (
            "case_event",
            "case_projection",
            "escalation",
            "escalation_standing",
        )
        more = ("outbox", "outbox_message", "outbox_pending", "dead_letter", "chain", "event_link")
        names += (*more, "dead_letter_recorded")
        self.tables: dict[str, dict[Any, Any]] = {name: {} for name in names}
        self.locked: dict[Place, Transaction] = {}
        self.inserting: dict[Place, Transaction] = {}
        self.numbers: Counter[str] = Counter()
        self.relay: object = None
        """The connection that holds the lease of the relay."""
        self.fence = 0
        """The fencing number of that lease."""
        self.dice = dice
        self.weather = weather
        self.away = False
        self.over = False
        self._start = start
        self._jumped = timedelta(0)
        self._watch = watch
        self._lazy: list[tuple[Place, Any]] = []

    def now(self) -> datetime:
        """Return the current time."""
        elapsed = timedelta(seconds=asyncio.get_running_loop().time())
        return self._start + elapsed + self._jumped

    def jump(self, days: int) -> None:
        """Advance the clock by so many days at once."""
        self._jumped += timedelta(days=days)

    def get(self, table: str, key: Any) -> Any:
        """Return a committed row, or ``GONE``."""
        return self.tables[table].get(key, GONE)

    def next_number(self, sequence: str) -> int:
        """Return the next value of an identity column; a value is never reused."""
        self.numbers[sequence] += 1
        return self.numbers[sequence]

    def apply(self, transaction: Transaction, *, lazily: bool) -> None:
        """Write a transaction's rows; a synchronous commit makes earlier ones durable too."""
        if not transaction.own:
            return
        self._watch(transaction)
        if not lazily:
            self._lazy.clear()
        for (table, key), row in transaction.own.items():
            if lazily:
                self._lazy.append(((table, key), self.get(table, key)))
            if row is GONE:
                self.tables[table].pop(key, None)
            else:
                self.tables[table][key] = row

    def lose_lazy(self) -> None:
        """Crash and recover: asynchronous commits since the last synchronous one are undone."""
        for (table, key), row in reversed(self._lazy):
            self.tables[table][key] = row
        self._lazy.clear()
