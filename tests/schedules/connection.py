"""Connections to the in-memory database, with the faults of connections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import TracebackType
from typing import cast

import asyncpg

from streams.store.pool import Connection
from tests.schedules.database import Database, Transaction
from tests.schedules.schedule import Trouble

_SLOW_SHARE = 0.03
_REFUSALS = (
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.QueryCanceledError,
    asyncpg.DiskFullError,
)


class Link:
    """One connection: at most one transaction and one statement at a time."""

    def __init__(self, pool: Links) -> None:
        self._pool = pool
        self.database = pool.database
        self.open: Transaction | None = None
        self.committing = False
        self.closed = False
        self.lazy = False

    def transaction(self) -> _Block:
        """Return a transaction that commits at the end of its block, or rolls back."""
        return _Block(self)

    @asynccontextmanager
    async def statement(self, name: str) -> AsyncIterator[Transaction]:
        """Run the block as one statement; outside a transaction it commits itself."""
        trouble = self.database.weather.statement()
        if trouble is Trouble.KILLED:
            self._pool.killed(name)
        await self._travel()
        if trouble is Trouble.REFUSED:
            raise self.database.dice.choice(_REFUSALS)(f"refused: {name}")
        if trouble is Trouble.LOST:
            raise self.cut()
        transaction = self.open or Transaction(self.database)
        try:
            yield transaction
        except BaseException:
            if transaction is not self.open:
                transaction.rollback()
            raise
        self._alive()
        if transaction is not self.open:
            transaction.commit(lazily=self.lazy)
            await self._travel()
        if trouble is Trouble.LOST_AFTER:
            raise self.cut()

    async def commit(self) -> None:
        """Commit; after an error or a cancellation the outcome is unknown to the caller."""
        transaction = self.open
        assert transaction is not None
        trouble = self.database.weather.commit()
        self.committing = True
        try:
            if trouble is Trouble.KILLED:
                self._pool.killed("commit")
            await self._travel(transaction)
            if trouble is Trouble.REFUSED:
                transaction.rollback()
                raise asyncpg.DiskFullError("refused: commit")
            if trouble is Trouble.LOST:
                raise self.cut()
            transaction.commit()
            if trouble is Trouble.LOST_AFTER:
                raise self.cut()
            await self._travel(transaction)
        except asyncio.CancelledError:
            self.settle()
            raise
        finally:
            transaction.rollback()
            self.committing = False
            self.open = None

    def settle(self) -> None:
        """Decide the outcome of a commit whose caller was cancelled."""
        if self.open is not None and self.committing and self.database.dice.random() < 0.5:
            self.open.commit()

    def cut(self) -> Exception:
        """End the connection from the server's side; return the error that its user gets."""
        self.closed = True
        if self.open is not None:
            self.open.rollback()
        self.give_back_relay_lock()
        return asyncpg.ConnectionDoesNotExistError("connection was closed in the middle")

    def give_back_relay_lock(self) -> None:
        if self.database.relay is self:
            self.database.relay = None

    async def _travel(self, committed: Transaction | None = None) -> None:
        self._alive(committed)
        dice = self.database.dice
        slow = dice.random() < _SLOW_SHARE
        await asyncio.sleep(dice.uniform(0.05, 0.5) if slow else dice.uniform(0.0002, 0.004))
        self._alive(committed)

    def _alive(self, committed: Transaction | None = None) -> None:
        if self.database.over or (self.closed and not (committed and committed.committed)):
            raise asyncpg.InterfaceError("connection is closed")


class _Block:
    """``async with connection.transaction()``."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def __aenter__(self) -> None:
        self._link.open = Transaction(self._link.database)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        link = self._link
        if kind is None:
            await link.commit()
        elif link.open is not None:
            link.open.rollback()
            link.open = None


class Links:
    """The pool of one worker."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.links: list[Link] = []
        self.killed: Callable[[str], None] = lambda _: None
        """Called when the worker dies during a statement."""

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Link]:
        """Lend a connection; it holds no transaction or lock after its return."""
        if self.database.away or self.database.over:
            raise ConnectionRefusedError("the database is away")
        link = Link(self)
        self.links.append(link)
        try:
            yield link
        finally:
            if link.open is not None:
                link.open.rollback()
            link.give_back_relay_lock()
            link.closed = True
            self.links.remove(link)

    def cut(self, *, idle_in_transaction: bool = False) -> None:
        """End all connections from the server's side, or those idle in a transaction."""
        for link in list(self.links):
            if not idle_in_transaction or link.open is not None:
                link.settle()
                link.cut()


def link(conn: Connection) -> Link:
    """Return the stand-in behind the type of a real connection."""
    return cast(Link, conn)
