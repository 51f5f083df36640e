"""Apply one batch of records in a single transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, NamedTuple

from schemas import canary
from schemas.canary import is_canary
from schemas.chain import event_entry
from schemas.codec import Decoded
from schemas.envelope import case_named, source_named
from schemas.outcomes import Outcome
from schemas.rejected import Reason
from streams.casework import unit_of_work
from streams.casework.in_force import ReferenceSource
from streams.casework.unit_of_work import LockedCases, Reconsidered
from streams.domain.case import Fact, Rank
from streams.domain.corrections import Outranked, outranked
from streams.domain.loads import Loads
from streams.intake.record import Accepted, DecodedRecord, Malformed
from streams.runtime import crash
from streams.store import cases, dead_letters, events
from streams.store.clock import Clock
from streams.store.dead_letters import DeadLetter
from streams.store.events import EventKey, Position
from streams.store.outbox import NOTHING_WRITTEN, Written
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


class BeyondRank(NamedTuple):
    """An event without effect: it would correct a fact of a source above its own."""

    position: Position
    """Where the event was that showed it: this one, or the one of the source above."""
    source: str
    above: str


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
    beyond_rank: tuple[BeyondRank, ...] = ()
    """Events that a source above keeps without effect, found with the events of this batch."""
    at: float = 0.0
    """The instant of the decisions, as Unix time."""
    outcomes: tuple[Outcome, ...] = ()
    """What was announced, in order."""
    written: Written = NOTHING_WRITTEN
    """The entries of one transaction that the relay may publish; of a sum, none."""

    def __add__(self, other: BatchResult) -> BatchResult:
        return BatchResult(
            self.verdicts + other.verdicts,
            self.reasons + other.reasons,
            self.applied + other.applied,
            self.unknown + other.unknown,
            self.rejected + other.rejected,
            self.beyond_rank + other.beyond_rank,
            max(self.at, other.at),
            self.outcomes + other.outcomes,
        )

    def count(self, verdict: str) -> int:
        """Return how many records got a verdict, over all topics."""
        return sum(n for (*_, name), n in self.verdicts.items() if name == verdict)


async def apply_batch(
    conn: Connection,
    records: Sequence[DecodedRecord],
    source: ReferenceSource,
    clock: Clock,
    *,
    touched: Collection[str] = (),
    loads: Loads | None = None,
    handled: Mapping[tuple[str, int], int] | None = None,
) -> BatchResult:
    """Apply records inside the caller's transaction.

    ``touched`` are further cases to decide again. ``loads`` chooses between equally proper offices.
    ``handled`` says how far each partition was handled with these records, and is stored too.
    Repeatable: the same records are duplicates then.

    1. Sort the records: the first of each event, its repetitions, the malformed.
    2. Lock every case with an event, and every known case that a dead letter names or that is
       touched. A case that only a rejected record names is not created, and nobody else creates it
       before the end of the transaction; the dead letter blocks it once it is.
    3. Append the events that are not in the log yet; its primary key drops the others. Load the
       state of the cases.
    4. Tell duplicates from ids that their source reused with other content.
    5. Store what can't be applied as dead letters, whole. Resolve the dead letters of our own bugs
       whose record is applied now.
    6. Decide every case with a new event or a new dead letter, and the touched ones.
    """
    first, repeated, rejected = _sort(records)  # 1
    letters = [_dead_letter(record) for record in rejected]
    claimed = {case_id for letter in letters for case_id in letter.case_ids}.union(touched)
    with_events = {record.event.case_id for record in first.values()}
    known_cases = await cases.known(conn, claimed, with_events)  # 2
    pairs = [(record.event, record.record.position) for record in first.values()]
    if pairs:
        crash.point("before_append")
    locked = await unit_of_work.lock_and_load(conn, known_cases | with_events, clock, pairs)  # 3
    if pairs:
        crash.point("after_append")
    added = [record for key, record in first.items() if key in locked.added]
    known = [record for key, record in first.items() if key not in locked.added]
    duplicates, reused = await _tell_duplicates(conn, [*repeated, *known])  # 4
    rejected += reused
    letters += [_dead_letter(record) for record in reused]
    locked = await _store_dead_letters(conn, locked, letters, added)  # 5
    new = _facts(added)
    done = await unit_of_work.reconsider(  # 6
        conn,
        locked,
        source,
        new=new,
        appended=_entries(added),
        touched={case_id for letter in letters for case_id in letter.case_ids}.union(touched),
        causes=_latest_arrivals(added, rejected, letters),
        loads=loads,
        handled=handled,
    )
    beyond = _beyond_rank(added, new, locked, source.producers.rank)
    return _result(added, duplicates, letters, beyond, locked.now, done)


_REUSED: Final = "this source has used the event id before, with other content"
_TAKEN: Final = (
    "another source has used the event id: run icam migrate --contract once every worker is of "
    "this version, then replay"
)


class _Sorted(NamedTuple):
    first: dict[EventKey, Accepted]
    """The first record of each event."""
    repeated: list[Accepted]
    """Further records of the same ids and sources."""
    rejected: list[Malformed]


def _sort(records: Iterable[DecodedRecord]) -> _Sorted:
    result = _Sorted({}, [], [])
    for record in records:
        if isinstance(record, Malformed):
            result.rejected.append(record)
        elif result.first.setdefault(record.event.key, record) is not record:
            result.repeated.append(record)
    return result


async def _tell_duplicates(
    conn: Connection, records: Sequence[Accepted]
) -> tuple[list[Accepted], list[Malformed]]:
    """Split records whose id and source are in the log: the same event again, or another one.

    The same is what means the same: a field may be null or left out, an instant in another zone.
    """
    if not records:
        return [], []
    digests = await events.digests(conn, [event.key for _, event in records])
    duplicates: list[Accepted] = []
    others: list[Accepted] = []
    for accepted in records:
        same = digests.get(accepted.event.key) == accepted.event.digest
        (duplicates if same else others).append(accepted)
    if not others:
        return duplicates, []
    stored = await events.contents(conn, [event.key for _, event in others])
    reused: list[Malformed] = []
    for accepted in others:
        event = accepted.event
        if stored.get(event.key) == (event.case_id, _fact(event)):
            duplicates.append(accepted)
        else:
            detail = _REUSED if event.key in digests else _TAKEN
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
    bugs = [letter for letter in locked.letters if letter.reason == Reason.BUG]
    applied = {record.position for record, _ in added} if bugs else set()
    obsolete = [letter.dead_letter_id for letter in bugs if letter.position in applied]
    if obsolete:
        await dead_letters.applied_after_all(conn, obsolete)
    if letters or obsolete:
        return await unit_of_work.reload_dead_letters(conn, locked)
    return locked


def _facts(added: Iterable[Accepted]) -> dict[str, list[Fact]]:
    """Return the new facts by case."""
    facts: dict[str, list[Fact]] = {}
    for _, event in added:
        facts.setdefault(event.case_id, []).append(_fact(event))
    return facts


def _fact(event: Decoded) -> Fact:
    return Fact(event.time, event.event_id, event.event, event.source)


def _beyond_rank(
    added: Sequence[Accepted],
    facts: Mapping[str, Sequence[Fact]],
    locked: LockedCases,
    rank: Rank,
) -> tuple[BeyondRank, ...]:
    """Return the events that a source above keeps without effect since these events are known.

    Whichever of the two arrives first, one is found when the other arrives. ``facts`` are those of
    the events, by case.
    """
    found: list[BeyondRank] = []
    for case_id, new in facts.items():
        before = locked.log.get(case_id, ())
        after = [one for one in outranked([*before, *new], rank) if one.differs]
        if not after:
            continue
        known = {_pair(one) for one in outranked(before, rank) if one.differs}
        places = {
            (event.event_id, event.source): record.position
            for record, event in added
            if event.case_id == case_id
        }
        for one in after:
            if _pair(one) in known or canary.SOURCE in (one.fact.source, one.above.source):
                continue
            own, other = (
                places.get((fact.event_id, fact.source)) for fact in (one.fact, one.above)
            )
            position = own or other
            if position is not None:
                found.append(BeyondRank(position, one.fact.source, one.above.source))
    return tuple(found)


def _pair(one: Outranked) -> EventKey:
    return one.fact.event_id, one.fact.source


def _entries(added: Iterable[Accepted]) -> dict[str, list[bytes]]:
    """Return the hashes of the new events by case, in the order of their ids."""
    entries: dict[str, list[bytes]] = {}
    # By number: comparing UUIDs runs Python code of theirs.
    for record, event in sorted(added, key=lambda one: (one.event.event_id.int, one.event.source)):
        at = record.position
        entry = event_entry(
            event.event_id, event.digest, event.source, at.topic, at.partition, at.offset
        )
        entries.setdefault(event.case_id, []).append(entry)
    return entries


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
    beyond: tuple[BeyondRank, ...],
    now: datetime,
    done: Reconsidered,
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
        verdicts,
        reasons,
        tuple(applied),
        unknown,
        tuple(letters),
        beyond,
        now.timestamp(),
        done.outcomes,
        done.written,
    )


def _dead_letter(malformed: Malformed) -> DeadLetter:
    """Return the dead letter of a record. It names the case of its key, if its topic may.

    Whoever writes to a topic may speak about the case, and so block it until a person has decided.
    A record beyond the authority of its source blocks nothing, nor does one about a case of the
    canary on the topic of a producer, or the reverse.
    """
    record = malformed.record
    case_id = case_named(record.key)
    may_speak = (
        case_id is not None
        and malformed.reason is not Reason.BEYOND_AUTHORITY
        and is_canary(case_id) == canary.is_topic(record.position.topic)
    )
    letter = DeadLetter(
        record.position,
        record.key,
        record.value,
        record.headers,
        malformed.reason,
        malformed.detail,
        (case_id,) if case_id is not None and may_speak else (),
        record.timestamp_ms,
        source_named(record.value, record.headers),
    )
    # A record on which our code failed is valid, and has to be applied whole.
    return letter if malformed.reason is Reason.BUG else letter.in_part()
