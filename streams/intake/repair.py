"""Dead letters worked by a person: replayed once what was wrong is mended, or discarded.

Errors::

    RepairError
    |-- NoSuchLetter       no dead letter has that id
    |-- AlreadyResolved    it was replayed or discarded before
    `-- StillRejected      the record is rejected again; the letter stays open
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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
    """It was replayed or discarded before; nothing was changed."""


class StillRejected(RepairError):
    """The record is rejected again for the reason given; mend its cause, then replay once more."""


async def replay(
    pool: Pool,
    dead_letter_id: int,
    reference: Reference,
    clock: Clock,
    note: str,
) -> BatchResult:
    """Take a dead letter through intake again; resolve it when it is applied or a duplicate.

    One transaction: the letter is resolved, the event applied and the case reconsidered together.

    Raises:
        NoSuchLetter, AlreadyResolved: nothing was changed.
        StillRejected: the letter stays open, with the new reason and one more attempt.
    """
    async with pool.acquire() as conn, conn.transaction():
        letter = await _open_letter(conn, dead_letter_id)
        position = Position(letter["topic"], letter["partition"], letter["offset"])
        record = Record(position, letter["key"], letter["value"], letter["headers"])
        item = decode_record(record)
        await reference_tables.record(conn, reference.policy, reference.directory)
        if isinstance(item, Accepted):
            savepoint = conn.transaction()
            await savepoint.start()
            await dead_letters.resolve(conn, dead_letter_id, "replayed", note)
            result = await apply_batch(conn, [item], reference, clock)
            if not result.reasons:
                await _decide_again(conn, letter["case_ids"], reference, clock)
                await savepoint.commit()
                return result
            await savepoint.rollback()
            (_, reason), detail = next(iter(result.reasons)), "still rejected when replayed"
        else:
            reason, detail = item.reason, item.detail
        await dead_letters.tried_again(conn, dead_letter_id, reason, detail)
    raise StillRejected(f"dead letter {dead_letter_id} is rejected again: {reason}: {detail}")


async def discard(
    pool: Pool,
    dead_letter_id: int,
    reference: Reference,
    clock: Clock,
    note: str,
) -> None:
    """Close a dead letter without applying it, and let its cases be decided again.

    Raises:
        NoSuchLetter, AlreadyResolved: nothing was changed.
    """
    async with pool.acquire() as conn, conn.transaction():
        letter = await _open_letter(conn, dead_letter_id)
        await reference_tables.record(conn, reference.policy, reference.directory)
        await dead_letters.resolve(conn, dead_letter_id, "discarded", note)
        await _decide_again(conn, letter["case_ids"], reference, clock)


async def _decide_again(
    conn: Connection, case_ids: Sequence[str], reference: Reference, clock: Clock
) -> None:
    held = await unit_of_work.lock_and_load(conn, case_ids, clock)
    await unit_of_work.reconsider(conn, held, reference, touched=case_ids)


async def _open_letter(conn: Connection, dead_letter_id: int) -> dict[str, Any]:
    letter = await dead_letters.get(conn, dead_letter_id, lock=True)
    if letter is None:
        raise NoSuchLetter(f"no dead letter {dead_letter_id}; see: icam dead-letters list")
    if letter["resolved_at"] is not None:
        raise AlreadyResolved(f"dead letter {dead_letter_id} was {letter['resolution']} before")
    return letter
