"""Resolve dead letters by hand: replay them after a fix, or discard them.

Errors::

    RepairError
    |-- NoSuchLetter       no dead letter has that id
    |-- AlreadyResolved    it was replayed or discarded before
    `-- StillRejected      the record is rejected again; the letter stays open
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from schemas.codec import MAX_AHEAD
from streams.casework import unit_of_work
from streams.intake.batch import BatchResult, apply_batch
from streams.intake.record import Accepted, Record, decode_record
from streams.reference import Reference
from streams.store import dead_letters, reference_tables
from streams.store.clock import Clock
from streams.store.events import Position
from streams.store.pool import Connection, Pool


class RepairError(Exception):
    """The dead letter was not resolved."""


class NoSuchLetter(RepairError):
    """No dead letter has that id; see ``icam dead-letters list``."""


class AlreadyResolved(RepairError):
    """The dead letter was replayed or discarded before; nothing was changed."""


class StillRejected(RepairError):
    """The record is rejected again for the given reason; fix its cause, then replay it again."""


async def replay(
    pool: Pool,
    dead_letter_id: int,
    reference: Reference,
    clock: Clock,
    note: str,
    max_ahead: timedelta = MAX_AHEAD,
    who: str | None = None,
) -> BatchResult:
    """Apply the record of a dead letter; resolve the letter when it is applied or a duplicate.

    A time that lay ahead when the record arrived may have passed: it is compared with ``clock``.
    One transaction resolves the letter, applies the event and decides every case that either names.

    Raises:
        NoSuchLetter, AlreadyResolved: nothing was changed.
        StillRejected: the letter stays open, with the new reason and one more attempt.
    """
    async with pool.acquire() as conn, conn.transaction():
        letter = await _open_letter(conn, dead_letter_id)
        position = Position(letter["topic"], letter["partition"], letter["offset"])
        record = decode_record(
            Record(position, letter["key"], letter["value"], letter["headers"]),
            await clock(conn),
            max_ahead,
        )
        await reference_tables.record(
            conn, reference.policy, reference.directory, reference.calendar
        )
        if isinstance(record, Accepted):
            savepoint = conn.transaction()
            await savepoint.start()
            await dead_letters.resolve(conn, dead_letter_id, "replayed", note, who)
            result = await apply_batch(conn, [record], reference, clock, touched=letter["case_ids"])
            if not result.reasons:
                await savepoint.commit()
                return result
            await savepoint.rollback()
            (_, reason), detail = next(iter(result.reasons)), "still rejected when replayed"
        else:
            reason, detail = record.reason, record.detail
        await dead_letters.tried_again(conn, dead_letter_id, reason, detail)
    raise StillRejected(f"dead letter {dead_letter_id} is rejected again: {reason}: {detail}")


async def discard(
    pool: Pool,
    dead_letter_id: int,
    reference: Reference,
    clock: Clock,
    note: str,
    who: str | None = None,
) -> None:
    """Resolve a dead letter without applying it, and decide its cases again. One transaction.

    Raises:
        NoSuchLetter, AlreadyResolved: nothing was changed.
    """
    async with pool.acquire() as conn, conn.transaction():
        letter = await _open_letter(conn, dead_letter_id)
        await reference_tables.record(
            conn, reference.policy, reference.directory, reference.calendar
        )
        await dead_letters.resolve(conn, dead_letter_id, "discarded", note, who)
        case_ids = letter["case_ids"]
        locked = await unit_of_work.lock_and_load(conn, case_ids, clock)
        await unit_of_work.reconsider(conn, locked, reference, touched=case_ids)


async def _open_letter(conn: Connection, dead_letter_id: int) -> dict[str, Any]:
    letter = await dead_letters.get(conn, dead_letter_id, lock=True)
    if letter is None:
        raise NoSuchLetter(f"no dead letter {dead_letter_id}; see: icam dead-letters list")
    if letter["resolved_at"] is not None:
        raise AlreadyResolved(f"dead letter {dead_letter_id} was {letter['resolution']} before")
    return letter
