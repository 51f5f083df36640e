"""Check every entry of every case against the signed checkpoints.

Needs the database, the public keys and the checkpoints; nothing else of the pipeline. A change of
an entry is found although the database agrees with itself, because the head that was signed before
the change is another one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any, Final, NamedTuple

from schemas.chain import NO_LINKS, Head, event_entry, heads, message_entry
from schemas.checkpoints import Checkpoint, CheckpointError, PublicKey, Trail, read
from schemas.codec import digest
from streams.audit.database import Snapshot, snapshot
from streams.audit.findings import Check, Report, report
from streams.audit.signed import SignedHead, SignedHeads

_ADOPTED: Final = timedelta(hours=1)
"""How old an entry without a link may be: workers give those of an earlier version one."""


@dataclass(slots=True)
class Checkpoints:
    """What the checkpoints say."""

    number: int = 0
    last: datetime | None = None
    heads: SignedHeads = field(default_factory=SignedHeads)


class Verified(NamedTuple):
    """The report, and when the newest of the checkpoints signed."""

    report: Report
    last: datetime | None


def check_chain(database_url: str, values: Iterable[bytes], keys: Sequence[PublicKey]) -> Verified:
    """Verify checkpoints, and the database against them. Blocks.

    ``values`` are the record values of the topic of checkpoints, in order. Safe while the pipeline
    runs: entries that are not signed yet are counted. Of each signed head some 60 bytes are kept.

    Raises:
        LogUnreadable: ``values`` are read from the topic, which can't be read.
        DatabaseUnreadable: the database can't be read.
    """
    signatures = Check("checkpoints", "signatures")
    entries = Check("chain", "entries")
    heads_check = Check("heads", "cases")
    # The checkpoints were read before the snapshot, so it holds whatever they sign.
    checkpoints = read_checkpoints(signatures, values, keys)
    unsigned = 0
    with snapshot(database_url) as snap:
        seen: set[str] = set()
        for case_id, stored, found in _cases(snap, entries):
            seen.add(case_id)
            signed = checkpoints.heads.of(case_id)
            unsigned += _check_case(heads_check, case_id, stored, found, signed)
        for case_id in sorted(checkpoints.heads.cases - seen):
            signed = checkpoints.heads.of(case_id)
            _check_case(heads_check, case_id, NO_LINKS, [NO_LINKS], signed)
    counts = {
        "checkpoints": checkpoints.number,
        "cases.signed": len(checkpoints.heads.cases),
        "entries.unsigned": unsigned,
    }
    return Verified(report([signatures, entries, heads_check], counts), checkpoints.last)


def read_checkpoints(
    check: Check, values: Iterable[bytes], keys: Sequence[PublicKey]
) -> Checkpoints:
    """Return what the checkpoints sign. After a wrong one nothing more is believed."""
    trail, found = Trail(keys), Checkpoints()
    try:
        for value in values:
            message = read(value)
            signed = trail.add(message)
            if not isinstance(message, Checkpoint):
                continue
            check.compared += 1
            found.number, found.last = found.number + 1, message.at
            for one in signed:
                if message.restored:
                    found.heads.go_back(one.case_id, one.links)
                elif found.heads.links(one.case_id) >= one.links:
                    check.found(one.case_id, "a later checkpoint signs an earlier state of it")
                found.heads.add(one.case_id, message.at, one.head)
    except CheckpointError as error:
        check.found(f"after checkpoint {found.number}", str(error))
    check.expect(found.number > 0, "topic", "no checkpoint, so nothing proves the database")
    return found


def _check_case(
    check: Check, case_id: str, stored: Head, found: Sequence[Head], signed: Iterable[SignedHead]
) -> int:
    """Compare a case with what was signed; return the number of entries that are not signed yet.

    ``stored`` is the head in the projection, ``found`` the heads computed from the entries.
    """
    check.compared += 1
    proven = NO_LINKS
    since = "the beginning"
    for at, head in signed:
        until = f"{at:%Y-%m-%d %H:%M} UTC"
        if head.links >= len(found):
            check.found(
                case_id,
                f"rolled back: {head.entries} entries were signed at {until}, "
                f"{found[-1].entries} are there",
            )
            return 0
        now = found[head.links]
        if now != head:
            between = f"entries {proven.entries + 1} to {head.entries}"
            check.found(
                case_id, f"{_kind(now, head)}: one of {between}, signed from {since} to {until}"
            )
            return 0
        proven, since = head, until
    check.expect(stored == found[-1], case_id, "the head in its projection is not of its entries")
    return found[-1].entries - proven.entries


def _kind(now: Head, signed: Head) -> str:
    if now.entries == signed.entries:
        return "changed"
    return "removed" if now.entries < signed.entries else "inserted"


def _cases(snap: Snapshot, check: Check) -> Iterator[tuple[str, Head, list[Head]]]:
    """Yield each case with its stored head and the heads computed from its entries."""
    events = _events(snap, check)
    messages = _messages(snap)
    projections = snap.rows(
        """
        SELECT case_id, links, entries, head FROM case_projection ORDER BY case_id COLLATE "C"
        """
    )
    sides = [groupby(rows, key=itemgetter(0)) for rows in (events, messages, projections)]
    current = [next(side, None) for side in sides]
    oldest = snap.now - _ADOPTED
    while ids := [side[0] for side in current if side is not None]:
        case_id = min(ids)
        rows: list[list[tuple[Any, ...]]] = []
        for number, side in enumerate(sides):
            at = current[number]
            own = at is not None and at[0] == case_id
            rows.append(list(at[1]) if at is not None and own else [])
            if own:
                current[number] = next(side, None)
        entries = sorted([*rows[0], *rows[1]], key=lambda row: (row[1] is None, row[1]))
        check.compared += len(entries)
        late = [row for row in entries if row[1] is None and row[3] < oldest]
        check.expect(not late, case_id, f"{len(late)} entries are in no link for over an hour")
        linked = [(row[1], row[2]) for row in entries if row[1] is not None]
        numbers = sorted({link for link, _ in linked})
        gaps = numbers != list(range(1, len(numbers) + 1))
        check.expect(not gaps, case_id, "a link is missing")
        stored = Head(*rows[2][0][1:]) if rows[2] else NO_LINKS
        yield case_id, stored, heads(linked)


def _events(snap: Snapshot, check: Check) -> Iterator[tuple[str, int | None, bytes, datetime]]:
    rows = snap.rows(
        """
        SELECT case_id, link, event_id, type, occurred_at, payload::text, digest, source, topic,
               "partition", "offset", recorded_at
        FROM case_event ORDER BY case_id COLLATE "C", link, event_id, source
        """
    )
    for case_id, link, event_id, type_, at, payload, stored, source, *place, recorded_at in rows:
        content = digest(type_, case_id, at, payload.encode())
        check.expect(content == stored, f"event {event_id}", "is not what its digest says")
        yield case_id, link, event_entry(event_id, content, source, *place), recorded_at


def _messages(snap: Snapshot) -> Iterator[tuple[str, int | None, bytes, datetime]]:
    rows = snap.rows(
        """
        SELECT key, link, message_id, topic, headers::text, body::text, created_at
        FROM outbox ORDER BY key COLLATE "C", link, position
        """
    )
    for key, link, message_id, topic, headers, body, created_at in rows:
        yield key, link, message_entry(message_id, topic, key, headers, body.encode()), created_at
