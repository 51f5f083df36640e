"""Bugs of the kinds that the real code prevents, each inserted during a block."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import AbstractContextManager, ExitStack
from contextvars import ContextVar
from dataclasses import replace
from typing import Any, Final, TypeAlias
from unittest.mock import patch

from schemas.codec import Decoded
from streams.casework import unit_of_work
from streams.casework.unit_of_work import LockedCases
from streams.intake import intake
from streams.intake.batch import BatchResult, apply_batch
from streams.intake.intake import Intake, Item
from streams.store import cases, outbox
from streams.store.cases import CaseRow
from streams.store.clock import Clock
from streams.store.errors import is_transient
from streams.store.events import Position
from streams.store.outbox import Pending, Written
from streams.store.pool import Connection
from streams.worker import relay
from streams.worker.handover import Handover
from streams.worker.lanes import Lanes
from streams.worker.relay import Relay
from tests.schedules.connection import link
from tests.schedules.database import GONE
from tests.schedules.store.cases import TABLE, row

Planted = Callable[[], AbstractContextManager[object]]
Events: TypeAlias = Sequence[tuple[Decoded, Position]]


def offsets_before_the_transaction() -> AbstractContextManager[object]:
    async def write(self: Any, lane: Any) -> None:
        while True:
            await lane.filled.wait()
            batch, after = lane.take(self._batch_max)
            self._done.update(after)
            self._room.set()
            lane.idle.clear()
            try:
                await lane.handle(batch)
            finally:
                lane.idle.set()

    return patch.object(Lanes, "_write", write)


def marked_before_published() -> AbstractContextManager[object]:
    real = Relay._publish

    async def publish(
        self: Relay, conn: Connection, producer: Any, wave: Sequence[Pending]
    ) -> None:
        await outbox.mark_published(conn, [item.position for item in wave], self._fence)
        await real(self, conn, producer, wave)

    return patch.object(Relay, "_publish", publish)


def cases_not_locked() -> AbstractContextManager[object]:
    async def lock(conn: Connection, case_ids: Iterable[str]) -> list[CaseRow]:
        async with link(conn).statement("cases.lock") as mine:
            for case_id in sorted(set(case_ids)):
                await mine.insert(TABLE, case_id, (None, None))
        return [row(case_id, mine.get(TABLE, case_id)[0]) for case_id in sorted(set(case_ids))]

    return patch.object(cases, "lock", lock)


def error_swallowed() -> AbstractContextManager[object]:
    real = Intake.apply

    async def apply(self: Intake, items: Sequence[Item]) -> BatchResult:
        try:
            return await real(self, items)
        except Exception as error:
            if is_transient(error):
                return BatchResult()
            raise

    return patch.object(Intake, "apply", apply)


def offsets_not_forgotten() -> AbstractContextManager[object]:
    return patch.object(Lanes, "forget", lambda _: None)


def all_in_one_wave() -> AbstractContextManager[object]:
    return patch.object(relay, "waves", lambda waiting: [list(waiting)] if waiting else [])


def handed_over_before_the_commit() -> AbstractContextManager[object]:
    at_work: ContextVar[Intake] = ContextVar("at_work")
    real_apply, real_batch = Intake.apply, apply_batch

    async def apply(self: Intake, items: Sequence[Item]) -> BatchResult:
        at_work.set(self)
        return await real_apply(self, items)

    async def early(*args: Any, **named: Any) -> BatchResult:
        result = await real_batch(*args, **named)
        at_work.get()._on_commit(result.written)
        return result

    stack = ExitStack()
    stack.enter_context(patch.object(Intake, "apply", apply))
    stack.enter_context(patch.object(intake, "apply_batch", early))
    return stack


def entries_of_others_not_waited_for() -> AbstractContextManager[object]:
    real = Handover.offer

    def offer(self: Handover, written: Written, at: float) -> None:
        real(self, written._replace(others=frozenset()), at)

    return patch.object(Handover, "offer", offer)


def clock_read_before_the_lock() -> AbstractContextManager[object]:
    real = unit_of_work.lock_and_load

    async def hold(
        conn: Connection, case_ids: Iterable[str], clock: Clock, new: Events = ()
    ) -> LockedCases:
        now = await clock(conn)
        return replace(await real(conn, case_ids, clock, new), now=now)

    return patch.object(unit_of_work, "lock_and_load", hold)


def dead_letters_not_read_again() -> AbstractContextManager[object]:
    async def as_they_were(conn: Connection, held: LockedCases) -> LockedCases:
        return held

    return patch.object(unit_of_work, "reload_dead_letters", as_they_were)


def names_not_locked() -> AbstractContextManager[object]:
    """Who stores a dead letter about an unknown case does not wait for who creates that case."""

    async def known(
        conn: Connection, case_ids: Collection[str], creating: Collection[str] = ()
    ) -> set[str]:
        async with link(conn).statement("cases.known") as mine:
            return {case_id for case_id in case_ids if mine.get(TABLE, case_id) is not GONE}

    return patch.object(cases, "known", known)


def partitions_not_settled() -> AbstractContextManager[object]:
    """Partitions are revoked at once, and batches in flight are counted as done."""

    def forget(self: Any) -> None:
        self._done.clear()

    async def settle(self: Any, patience: float) -> bool:
        return True

    return patch.multiple(Lanes, forget=forget, settle=settle)


WITHIN: Final[dict[Planted, int]] = {
    offsets_before_the_transaction: 5,
    marked_before_published: 5,
    cases_not_locked: 50,
    error_swallowed: 20,
    offsets_not_forgotten: 50,
    all_in_one_wave: 20,
    handed_over_before_the_commit: 50,
    entries_of_others_not_waited_for: 20,
    clock_read_before_the_lock: 50,
    dead_letters_not_read_again: 10,
    names_not_locked: 250,
    partitions_not_settled: 100,
}
"""Each planted bug with the number of seeds, starting at 0, that must find it."""


def first_found(planted: Planted, seeds: int) -> int | None:
    """Return the first seed that finds a planted bug, if any does."""
    from tests.schedules.play import run

    return next((seed for seed in range(seeds) if run(seed, planted).findings), None)
