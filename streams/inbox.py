"""A batch of records brought into the database: the part of intake that is one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from schemas.envelope import Reason, cases_named
from schemas.outcomes import Outcome
from streams import casework
from streams.domain.case import Fact
from streams.records import Accepted, Item, Malformed
from streams.reference import Reference
from streams.store import dead_letters, events
from streams.store.dead_letters import Letter
from streams.store.pool import Connection


@dataclass(frozen=True, slots=True)
class Tally:
    """What one batch came to; every record has exactly one verdict."""

    verdicts: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Records by topic and verdict: ``applied``, ``duplicate`` or ``dead_lettered``."""
    reasons: Counter[str] = field(default_factory=Counter)
    """Dead letters by reason."""
    outcomes: tuple[Outcome, ...] = ()
    """What was announced, in order."""

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.verdicts + other.verdicts,
            self.reasons + other.reasons,
            self.outcomes + other.outcomes,
        )

    def count(self, verdict: str) -> int:
        """Return how many records got a verdict, over all topics."""
        return sum(n for (_, name), n in self.verdicts.items() if name == verdict)


async def apply(
    conn: Connection, items: Sequence[Item], reference: Reference, now: datetime
) -> Tally:
    """Apply items inside the caller's transaction.

    1. Append the events not seen before; the primary key drops what was.
    2. Tell a duplicate from an id reused with other content, by digest.
    3. Set the malformed aside, whole.
    4. Reconsider every case with a new event or a new dead letter.
    """
    first: dict[UUID, Accepted] = {}
    malformed = [item for item in items if isinstance(item, Malformed)]
    again = [
        item
        for item in items
        if isinstance(item, Accepted) and first.setdefault(item.event.event_id, item) is not item
    ]

    added: set[UUID] = set()
    if first:
        arrived = [(item.event, item.record.position) for item in first.values()]
        added = await events.append(conn, arrived)

    again += [item for event_id, item in first.items() if event_id not in added]
    known = await events.digests(conn, [i.event.event_id for i in again]) if again else {}
    verdicts = Counter((i.record.position.topic, "applied") for i in map(first.__getitem__, added))
    for item in again:
        if known[item.event.event_id] == item.event.digest:
            verdicts[item.record.position.topic, "duplicate"] += 1
        else:
            detail = "this event id is in the log with other content"
            malformed.append(Malformed(item.record, Reason.ID_REUSED, detail))

    letters = [_letter(item) for item in malformed]
    if letters:
        await dead_letters.put(conn, letters)
    if added:
        positions = [first[event_id].record.position for event_id in added]
        await dead_letters.applied_after_all(conn, positions)
    verdicts.update((item.record.position.topic, "dead_lettered") for item in malformed)

    new: dict[str, list[Fact]] = {}
    for event_id in added:
        event = first[event_id].event
        new.setdefault(event.case_id, []).append(Fact(event.time, event_id, event.event))
    named = {case_id for letter in letters for case_id in letter.case_ids}
    outcomes = await casework.reconsider(conn, new, named, reference, now)
    return Tally(verdicts, Counter(str(item.reason) for item in malformed), outcomes)


def _letter(item: Malformed) -> Letter:
    record = item.record
    return Letter(
        record.position,
        record.key,
        record.value,
        record.headers,
        item.reason,
        item.detail,
        cases_named(record.key, record.headers, item.subject),
    )
