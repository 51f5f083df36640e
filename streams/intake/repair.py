"""Resolve dead letters on request: replay them after a fix, or discard them.

Errors::

    RepairError
    |-- NoSuchLetter       no dead letter has that id
    |-- AlreadyResolved    it was replayed or discarded before
    |-- LetterChanged      it was tried again after the discard was asked for
    |-- StillRejected      the record is rejected again; the letter stays open
    |-- RequestFailed      a bug of ours; the letter stays open
    `-- NoAnswer           no worker has done what was asked
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

import structlog

from schemas.codec import MAX_AHEAD
from schemas.outcomes import Outcome
from streams.casework import unit_of_work
from streams.casework.in_force import ReferenceSource
from streams.domain.loads import Loads
from streams.intake.batch import BatchResult, apply_batch
from streams.intake.protection import may_protect
from streams.intake.record import Accepted, Record, decode_record
from streams.store import cases, dead_letter_requests, dead_letters, reference_tables
from streams.store.clock import Clock
from streams.store.dead_letter_requests import Answer, Request
from streams.store.errors import is_transient
from streams.store.events import Position
from streams.store.pool import Connection, Pool

log = structlog.get_logger(__name__)


class RepairError(Exception):
    """The dead letter was not resolved."""


class NoSuchLetter(RepairError):
    """No dead letter has that id; see ``icam dead-letters list``."""


class AlreadyResolved(RepairError):
    """The dead letter was replayed or discarded before; nothing was changed."""


class LetterChanged(RepairError):
    """The letter was tried again after the discard was asked for; look again, and ask again."""


class StillRejected(RepairError):
    """The record is rejected again for the given reason; fix its cause, then replay it again."""


class RequestFailed(RepairError):
    """Our code failed on the request, as a worker's log says; the dead letter stays open."""


class NoAnswer(RepairError):
    """No worker has done what was asked; the request stays, and the next worker does it."""


async def work_next(
    pool: Pool,
    source: ReferenceSource,
    clock: Clock,
    max_ahead: timedelta = MAX_AHEAD,
    loads: Loads | None = None,
) -> tuple[Outcome, ...] | None:
    """Do what the oldest open request asks for; return what was announced, None without a request.

    One transaction resolves the letter, decides its cases and answers the request. Of a request on
    which our code fails only the answer stays. A discard that may lose a fact which speaks for the
    person is not done before another login has approved it: until then it waits. ``loads`` chooses
    between equally proper offices for a case that a replayed record routes.

    Raises:
        Exception: a transient error of the database; the request stays.
    """
    async with pool.acquire() as conn, conn.transaction():
        request = await dead_letter_requests.take(conn)
        if request is None:
            return None
        outcomes: tuple[Outcome, ...] = ()
        try:
            async with conn.transaction():
                answer, outcomes = await _work(conn, request, source, clock, max_ahead, loads)
        except NoSuchLetter as error:
            answer = Answer("no_such_letter", str(error))
        except AlreadyResolved as error:
            answer = Answer("already_resolved", str(error))
        except LetterChanged as error:
            answer = Answer("changed", str(error))
        except Exception as error:
            if is_transient(error):
                raise
            log.error("request_failed", request=request.request_id, error=type(error).__name__)
            answer = Answer("failed", f"{type(error).__name__}; see the log of the workers")
        if answer is not _WAITS:
            await dead_letter_requests.answer(conn, request.request_id, answer)
    log.info(
        "dead_letter_request",
        request=request.request_id,
        dead_letter=request.dead_letter_id,
        action=request.action,
        by=_persons(request),
        result=answer.result,
    )
    return outcomes


async def _work(
    conn: Connection,
    request: Request,
    source: ReferenceSource,
    clock: Clock,
    max_ahead: timedelta,
    loads: Loads | None,
) -> tuple[Answer, tuple[Outcome, ...]]:
    letter_id, note, who = request.dead_letter_id, request.note, _persons(request)
    if request.action == "discard":
        if await _waits(conn, request):
            return _WAITS, ()
        return Answer("discarded", ""), await _discard(conn, letter_id, source, clock, note, who)
    done = await _replay(conn, letter_id, source, clock, note, max_ahead, who, loads)
    if isinstance(done, StillRejected):
        return Answer("rejected", str(done)), ()
    return Answer(next(verdict for *_, verdict in done.verdicts), ""), done.outcomes


_WAITS: Final = Answer("waits", "for a second person")
"""Stands for no answer: the request is taken again once another login has approved it."""


async def _waits(conn: Connection, request: Request) -> bool:
    """Have a discard wait if it needs a second person; return whether it waits.

    Raises:
        NoSuchLetter, AlreadyResolved: there is nothing to discard.
        LetterChanged: it was approved as it was before.
    """
    letter = await _open_letter(conn, request.dead_letter_id)
    if request.approved is None:
        if not await may_protect(conn, letter):
            return False
        await dead_letter_requests.wait(conn, request.request_id, letter["attempts"])
        return True
    if letter["attempts"] != request.waiting_attempts:
        raise LetterChanged(
            f"dead letter {request.dead_letter_id} was tried again since request "
            f"{request.request_id}; nothing was done: look at it, and ask again"
        )
    return False


def _persons(request: Request) -> str:
    """Return who asked, and who approved it if somebody did."""
    if request.approved is None:
        return request.who
    return f"{request.who}, approved by {request.approved}"


def raise_if_refused(answer: Answer) -> None:
    """Raise the error that an answer stands for, unless it is a result.

    Raises:
        NoSuchLetter, AlreadyResolved, LetterChanged, RequestFailed: as ``work_next`` answered.
    """
    errors = {
        "no_such_letter": NoSuchLetter,
        "already_resolved": AlreadyResolved,
        "changed": LetterChanged,
        "failed": RequestFailed,
    }
    if (error := errors.get(answer.result)) is not None:
        raise error(answer.why)


async def replay(
    pool: Pool,
    dead_letter_id: int,
    source: ReferenceSource,
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
        done = await _replay(conn, dead_letter_id, source, clock, note, max_ahead, who)
    if isinstance(done, StillRejected):
        raise done
    return done


async def _replay(
    conn: Connection,
    dead_letter_id: int,
    source: ReferenceSource,
    clock: Clock,
    note: str,
    max_ahead: timedelta,
    who: str | None,
    loads: Loads | None = None,
) -> BatchResult | StillRejected:
    letter = await _open_letter(conn, dead_letter_id)
    if letter["whole_bytes"] is not None:
        return StillRejected(
            f"dead letter {dead_letter_id} holds a part of its record of {letter['whole_bytes']} "
            "bytes: have its producer send it again, then discard this one"
        )
    position = Position(letter["topic"], letter["partition"], letter["offset"])
    record = decode_record(
        Record(position, letter["key"], letter["value"], letter["headers"]),
        await clock(conn),
        max_ahead,
        source.producers,
    )
    reference = await source.current(conn)
    await reference_tables.record(conn, reference.tables, reference.producers)
    if isinstance(record, Accepted):
        savepoint = conn.transaction()
        await savepoint.start()
        await dead_letters.resolve(conn, dead_letter_id, "replayed", note, who)
        touched = letter["case_ids"]
        result = await apply_batch(conn, [record], source, clock, touched=touched, loads=loads)
        if not result.reasons:
            await savepoint.commit()
            return result
        await savepoint.rollback()
        (_, reason), detail = next(iter(result.reasons)), "still rejected when replayed"
    else:
        reason, detail = record.reason, record.detail
    await dead_letters.tried_again(conn, dead_letter_id, reason, detail)
    return StillRejected(f"dead letter {dead_letter_id} is rejected again: {reason}: {detail}")


async def discard(
    pool: Pool,
    dead_letter_id: int,
    source: ReferenceSource,
    clock: Clock,
    note: str,
    who: str | None = None,
) -> None:
    """Resolve a dead letter without applying it, and decide its cases again. One transaction.

    Asks for no second person: ``work_next`` does that for what people request.

    Raises:
        NoSuchLetter, AlreadyResolved: nothing was changed.
    """
    async with pool.acquire() as conn, conn.transaction():
        await _discard(conn, dead_letter_id, source, clock, note, who)


async def _discard(
    conn: Connection,
    dead_letter_id: int,
    source: ReferenceSource,
    clock: Clock,
    note: str,
    who: str | None,
) -> tuple[Outcome, ...]:
    letter = await _open_letter(conn, dead_letter_id)
    reference = await source.current(conn)
    await reference_tables.record(conn, reference.tables, reference.producers)
    await dead_letters.resolve(conn, dead_letter_id, "discarded", note, who)
    case_ids = letter["case_ids"]
    known = await cases.known(conn, case_ids)
    locked = await unit_of_work.lock_and_load(conn, known, clock)
    done = await unit_of_work.reconsider(conn, locked, source, touched=case_ids)
    return done.outcomes


async def _open_letter(conn: Connection, dead_letter_id: int) -> dict[str, Any]:
    letter = await dead_letters.get(conn, dead_letter_id, lock=True)
    if letter is None:
        raise NoSuchLetter(f"no dead letter {dead_letter_id}; see: icam dead-letters list")
    if letter["resolved_at"] is not None:
        raise AlreadyResolved(f"dead letter {dead_letter_id} was {letter['resolution']} before")
    return letter
