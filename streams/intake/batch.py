"""Apply one batch of records in a single transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, NamedTuple
from uuid import UUID

from schemas.canary import is_canary
from schemas.envelope import Reason, cases_named, source_named
from schemas.outcomes import Outcome
from streams.casework import unit_of_work
from streams.casework.unit_of_work import LockedCases
from streams.domain.case import Fact
from streams.intake.record import Accepted, DecodedRecord, Malformed
from streams.reference import Reference
from streams.runtime import crash
from streams.store import dead_letters, events
from streams.store.clock import Clock
from streams.store.dead_letters import DeadLetter
from streams.store.pool import Connection

LATE_SECONDS: Final = 86_400
"""An event that reaches Kafka longer than this after its own time is late. This measures producers;
no decision depends on it."""


class AppliedEvent(NamedTuple):
    """One applied event: its topic, its time and its arrival on Kafka, as Unix time."""

    topic: str
    time: float
    arrived: float | None

    @property
    def is_late(self) -> bool:
        """Whether it reached Kafka too long after its own time; not when the arrival is unknown."""
        return self.arrived is not None and self.arrived - self.time > LATE_SECONDS


@dataclass(frozen=True, slots=True)
class BatchResult:
    """The result of one batch. Every record has exactly one verdict."""

    verdicts: Counter[tuple[str, str | None, str]] = field(default_factory=Counter)
    """Records by topic, producer and verdict: ``applied``, ``late``, ``duplicate`` or
    ``dead_lettered``. A dead letter has no producer: what the record says about it may be
    anything."""
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Dead letters by topic and reason."""
    applied: tuple[AppliedEvent, ...] = ()
    """Every applied event except for the canary's, to measure ages."""
    unknown: Counter[str] = field(default_factory=Counter)
    """Unknown fields that were dropped, by producer."""
    rejected: tuple[DeadLetter, ...] = ()
    """What became a dead letter."""
    at: float = 0.0
    """The instant of the decisions, as Unix time."""
    outcomes: tuple[Outcome, ...] = ()
    """What was announced, in order."""

    def __add__(self, other: BatchResult) -> BatchResult:
        return BatchResult(
            self.verdicts + other.verdicts,
            self.reasons + other.reasons,
            self.applied + other.applied,
            self.unknown + other.unknown,
            self.rejected + other.rejected,
            max(self.at, other.at),
            self.outcomes + other.outcomes,
        )

    def count(self, verdict: str) -> int:
        """Return how many records got a verdict, over all topics."""
        return sum(n for (*_, name), n in self.verdicts.items() if name == verdict)


async def apply_batch(
    conn: Connection,
    records: Sequence[DecodedRecord],
    reference: Reference,
    clock: Clock,
    *,
    touched: Collection[str] = (),
) -> BatchResult:
    """Apply records inside the caller's transaction.

    ``touched`` are further cases to decide again. Repeatable: the same records are duplicates then.

    1. Sort the records: the first of each event id, its repetitions, the malformed.
    2. Lock every case that is named, and load its state.
    3. Append the events that are not in the log yet; its primary key drops the others.
    4. Tell duplicates from event ids that were reused with other content, by digest.
    5. Store what can't be applied as dead letters, whole. Resolve the dead letters of our own bugs
       whose record is applied now.
    6. Decide every case with a new event or a new dead letter, and the touched ones.
    """
    first, repeated, rejected = _sort(records)  # 1
    letters = [_dead_letter(record) for record in rejected]
    named = {case_id for letter in letters for case_id in letter.case_ids}.union(touched)
    named |= {record.event.case_id for record in first.values()}
    locked = await unit_of_work.lock_and_load(conn, named, clock)  # 2
    added, known = await _append(conn, first)  # 3
    duplicates, reused = await _tell_duplicates(conn, [*repeated, *known])  # 4
    rejected += reused
    letters += [_dead_letter(record) for record in reused]
    locked = await _store_dead_letters(conn, locked, letters, added)  # 5
    outcomes = await unit_of_work.reconsider(  # 6
        conn,
        locked,
        reference,
        new=_facts(added),
        touched={case_id for letter in letters for case_id in letter.case_ids}.union(touched),
        causes=_latest_arrivals(added, rejected, letters),
    )
    return _result(added, duplicates, letters, locked.now, outcomes)


class _Sorted(NamedTuple):
    first: dict[UUID, Accepted]
    """The first record of each event id."""
    repeated: list[Accepted]
    """Further records of the same event ids."""
    rejected: list[Malformed]


def _sort(records: Iterable[DecodedRecord]) -> _Sorted:
    result = _Sorted({}, [], [])
    for record in records:
        if isinstance(record, Malformed):
            result.rejected.append(record)
        elif result.first.setdefault(record.event.event_id, record) is not record:
            result.repeated.append(record)
    return result


async def _append(
    conn: Connection, first: Mapping[UUID, Accepted]
) -> tuple[list[Accepted], list[Accepted]]:
    """Append events to the log; return those that were added, and those that it had already."""
    if not first:
        return [], []
    crash.point("before_append")
    new = await events.append(conn, [(event, record.position) for record, event in first.values()])
    crash.point("after_append")
    added = [record for event_id, record in first.items() if event_id in new]
    return added, [record for event_id, record in first.items() if event_id not in new]


async def _tell_duplicates(
    conn: Connection, records: Sequence[Accepted]
) -> tuple[list[Accepted], list[Malformed]]:
    """Split records whose event id is in the log: the same event again, or another one."""
    if not records:
        return [], []
    digests = await events.digests(conn, [event.event_id for _, event in records])
    duplicates: list[Accepted] = []
    reused: list[Malformed] = []
    for accepted in records:
        if digests[accepted.event.event_id] == accepted.event.digest:
            duplicates.append(accepted)
        else:
            detail = "this event id is in the log with other content"
            reused.append(Malformed(accepted.record, Reason.ID_REUSED, detail))
    return duplicates, reused


async def _store_dead_letters(
    conn: Connection,
    locked: LockedCases,
    letters: Sequence[DeadLetter],
    added: Sequence[Accepted],
) -> LockedCases:
    """Store new dead letters and resolve those that are obsolete; return the cases as they are."""
    if letters:
        await dead_letters.put(conn, letters)
    applied = {record.position for record, _ in added}
    obsolete = [
        letter.dead_letter_id
        for letter in locked.letters
        if letter.reason == Reason.BUG and letter.position in applied
    ]
    if obsolete:
        await dead_letters.applied_after_all(conn, obsolete)
    if letters or obsolete:
        return await unit_of_work.reload_dead_letters(conn, locked)
    return locked


def _facts(added: Iterable[Accepted]) -> dict[str, list[Fact]]:
    """Return the new facts by case."""
    facts: dict[str, list[Fact]] = {}
    for _, event in added:
        facts.setdefault(event.case_id, []).append(Fact(event.time, event.event_id, event.event))
    return facts


def _latest_arrivals(
    added: Iterable[Accepted], rejected: Sequence[Malformed], letters: Sequence[DeadLetter]
) -> dict[str, datetime]:
    """Return when the latest record that names a case arrived, where that is known."""
    latest: dict[str, float] = {}

    def note(case_id: str, arrived: float | None) -> None:
        if arrived is not None:
            latest[case_id] = max(arrived, latest.get(case_id, arrived))

    for record, event in added:
        note(event.case_id, record.arrived)
    for malformed, letter in zip(rejected, letters, strict=True):
        for case_id in letter.case_ids:
            note(case_id, malformed.record.arrived)
    return {case_id: datetime.fromtimestamp(at, UTC) for case_id, at in latest.items()}


def _result(
    added: Iterable[Accepted],
    duplicates: Iterable[Accepted],
    letters: Sequence[DeadLetter],
    now: datetime,
    outcomes: tuple[Outcome, ...],
) -> BatchResult:
    verdicts: Counter[tuple[str, str | None, str]] = Counter()
    applied: list[AppliedEvent] = []
    unknown: Counter[str] = Counter()
    for record, decoded in added:
        event = AppliedEvent(decoded.type, decoded.time.timestamp(), record.arrived)
        verdicts[event.topic, decoded.source, "late" if event.is_late else "applied"] += 1
        if decoded.unknown:
            unknown[decoded.source] += decoded.unknown
        if not is_canary(decoded.case_id):
            applied.append(event)
    for record, decoded in duplicates:
        verdicts[record.position.topic, decoded.source, "duplicate"] += 1
    for letter in letters:
        verdicts[letter.position.topic, None, "dead_lettered"] += 1
    reasons = Counter((letter.position.topic, letter.reason) for letter in letters)
    return BatchResult(
        verdicts, reasons, tuple(applied), unknown, tuple(letters), now.timestamp(), outcomes
    )


def _dead_letter(malformed: Malformed) -> DeadLetter:
    record = malformed.record
    return DeadLetter(
        record.position,
        record.key,
        record.value,
        record.headers,
        malformed.reason,
        malformed.detail,
        cases_named(record.key, record.headers, malformed.subject),
        record.timestamp_ms,
        source_named(record.value, record.headers),
    )
