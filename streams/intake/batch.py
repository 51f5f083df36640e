"""A batch of records brought into the database: the part of intake that is one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, NamedTuple
from uuid import UUID

from schemas.canary import is_canary
from schemas.envelope import Reason, cases_named
from schemas.outcomes import Outcome
from streams.casework import unit_of_work
from streams.domain.case import Fact
from streams.intake.record import Accepted, DecodedRecord, Malformed
from streams.reference import Reference
from streams.runtime import crash
from streams.store import dead_letters, events
from streams.store.clock import Clock
from streams.store.dead_letters import DeadLetter
from streams.store.events import Position
from streams.store.pool import Connection

LATE_SECONDS: Final = 86_400
"""An event that reaches Kafka longer than this after its own time is late. A measure of producers,
nothing is decided by it."""


class AppliedEvent(NamedTuple):
    """One event applied: its topic, its time and when it was put on Kafka, as Unix time."""

    topic: str
    time: float
    arrived: float | None


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What one batch came to; every record has exactly one verdict."""

    verdicts: Counter[tuple[str, str | None, str]] = field(default_factory=Counter)
    """Records by topic, producer and verdict: ``applied``, ``late``, ``duplicate`` or
    ``dead_lettered``. The producer of a dead letter is not known: what it says may be anything."""
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Dead letters by topic and reason."""
    taken: tuple[AppliedEvent, ...] = ()
    """Every event applied but the canary's, for what it says about time."""
    at: float = 0.0
    """The instant of the decisions, as Unix time."""
    outcomes: tuple[Outcome, ...] = ()
    """What was announced, in order."""

    def __add__(self, other: BatchResult) -> BatchResult:
        return BatchResult(
            self.verdicts + other.verdicts,
            self.reasons + other.reasons,
            self.taken + other.taken,
            max(self.at, other.at),
            self.outcomes + other.outcomes,
        )

    def count(self, verdict: str) -> int:
        """Return how many records got a verdict, over all topics."""
        return sum(n for (*_, name), n in self.verdicts.items() if name == verdict)


async def apply_batch(
    conn: Connection, items: Sequence[DecodedRecord], reference: Reference, clock: Clock
) -> BatchResult:
    """Apply items inside the caller's transaction.

    1. Lock every case that is named, and read what is known of it.
    2. Append the events not seen before; the primary key drops what was.
    3. Tell a duplicate from an id reused with other content, by digest.
    4. Set the malformed aside, whole.
    5. Reconsider every case with a new event or a new dead letter.
    """
    first: dict[UUID, Accepted] = {}
    again: list[Accepted] = []
    letters: list[DeadLetter] = []
    causes: dict[str, float] = {}
    for item in items:
        if isinstance(item, Malformed):
            letters.append(_letter(item, causes))
        elif first.setdefault(item.event.event_id, item) is not item:
            again.append(item)
    named = {case_id for letter in letters for case_id in letter.case_ids}
    named |= {item.event.case_id for item in first.values()}
    held = await unit_of_work.lock_and_load(conn, named, clock)

    added: set[UUID] = set()
    if first:
        arrived = [(item.event, item.record.position) for item in first.values()]
        crash.point("before_append")
        added = await events.append(conn, arrived)
        crash.point("after_append")
    again += [item for event_id, item in first.items() if event_id not in added]
    known = await events.digests(conn, [i.event.event_id for i in again]) if again else {}

    verdicts: Counter[tuple[str, str | None, str]] = Counter()
    new: dict[str, list[Fact]] = {}
    taken: list[AppliedEvent] = []
    for event_id, item in first.items():
        if event_id in added:
            event = item.event
            new.setdefault(event.case_id, []).append(Fact(event.time, event_id, event.event))
            one = AppliedEvent(event.type, event.time.timestamp(), item.record.arrived)
            late = one.arrived is not None and one.arrived - one.time > LATE_SECONDS
            verdicts[event.type, event.source, "late" if late else "applied"] += 1
            if not is_canary(event.case_id):
                taken.append(one)
            _note(causes, (event.case_id,), one.arrived)
    for item in again:
        if known[item.event.event_id] == item.event.digest:
            verdicts[item.record.position.topic, item.event.source, "duplicate"] += 1
        else:
            detail = "this event id is in the log with other content"
            letters.append(_letter(Malformed(item.record, Reason.ID_REUSED, detail), causes))
    verdicts.update((letter.position.topic, None, "dead_lettered") for letter in letters)

    if letters:
        await dead_letters.put(conn, letters)
    mended = _mended(held, {first[event_id].record.position for event_id in added})
    if mended:
        await dead_letters.applied_after_all(conn, mended)
    if letters or mended:
        held = await unit_of_work.reload_dead_letters(conn, held)
    touched = {case_id for letter in letters for case_id in letter.case_ids}
    outcomes = await unit_of_work.reconsider(
        conn,
        held,
        reference,
        new=new,
        touched=touched,
        causes={case_id: datetime.fromtimestamp(at, UTC) for case_id, at in causes.items()},
    )
    reasons = Counter((letter.position.topic, letter.reason) for letter in letters)
    return BatchResult(verdicts, reasons, tuple(taken), held.now.timestamp(), outcomes)


def _note(causes: dict[str, float], case_ids: Iterable[str], arrived: float | None) -> None:
    """Keep the latest arrival for each case: what is announced of it waited for that."""
    if arrived is not None:
        for case_id in case_ids:
            causes[case_id] = max(arrived, causes.get(case_id, arrived))


def _mended(held: unit_of_work.LockedCases, applied: Set[Position]) -> list[int]:
    """Dead letters of our own bugs whose record came again and was applied."""
    return [
        letter.dead_letter_id
        for letter in held.letters
        if letter.reason == Reason.BUG and letter.position in applied
    ]


def _letter(item: Malformed, causes: dict[str, float]) -> DeadLetter:
    """Return the dead letter of a record, and note when it arrived for the cases it names."""
    record = item.record
    named = cases_named(record.key, record.headers, item.subject)
    _note(causes, named, record.arrived)
    return DeadLetter(
        record.position,
        record.key,
        record.value,
        record.headers,
        item.reason,
        item.detail,
        named,
    )
