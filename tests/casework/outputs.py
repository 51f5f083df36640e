"""Everything that a worker writes for a generated stream, as digests: a changed byte is a failure.

Records are decoded, stored, read back and decided in batches, in the process. After a wanted change
of the bytes, ``python -m tests.casework.outputs`` writes the file of digests again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Final
from uuid import UUID

import orjson

from schemas.chain import event_entry
from schemas.codec import Decoded
from schemas.outcomes import EscalationRaised, EscalationWithdrawn, Outcome, body
from streams.casework.projection import NO_LEDGER, project
from streams.domain.decision import StandingEscalation
from streams.intake.record import Accepted, Record, decode_record
from streams.simulate.settings import SimulationSettings
from streams.simulate.stream import stream
from streams.store.cases import CaseRow
from streams.store.escalations import Ledger
from streams.store.events import Position, _facts
from tests.domain.given import ref

VARIABLE: Final = "ICAM_OUTPUTS"
EVENTS: Final = (1_500, 100_000)
"""Numbers of records of which the digests are recorded."""
FILE: Final = Path(__file__).with_suffix(".json")
_END: Final = datetime(2026, 10, 31, tzinfo=UTC)
_BATCH: Final = 50


@dataclass
class _Known:
    """What the database would hold about one case."""

    row: CaseRow
    log: list[tuple[str, datetime, UUID, str, str, str]] = field(default_factory=list)
    ledger: Ledger = NO_LEDGER


def number() -> int:
    """Return how many records are compared: 1,500, or what ``ICAM_OUTPUTS`` says."""
    return int(os.environ.get(VARIABLE, EVENTS[0]))


def recorded(events: int) -> Mapping[str, str]:
    """Return the digests in the file."""
    found: Mapping[str, str] = orjson.loads(FILE.read_bytes())[str(events)]
    return found


def digests(events: int) -> dict[str, str]:
    """Return one digest each of what is made of a stream of so many records."""
    found = {
        name: sha256()
        for name in ("events", "rejections", "entries", "projections", "messages", "ids")
    }
    for name, text in _outputs(events):
        found[name].update(b"%d\n%s" % (len(text), text))
    return {name: digest.hexdigest() for name, digest in found.items()}


def _outputs(events: int) -> Iterator[tuple[str, bytes]]:
    cases: dict[str, _Known] = {}
    stored: set[tuple[UUID, str]] = set()
    records = _records(events)
    while batch := list(islice(records, _BATCH)):
        touched: dict[str, None] = {}
        for record in batch:
            found = decode_record(record, producers=ref().producers)
            if not isinstance(found, Accepted):
                rejection = (found.reason, found.detail, found.subject)
                yield "rejections", orjson.dumps(rejection)
                continue
            event = found.event
            yield "events", _text(event)
            at = record.position
            yield (
                "entries",
                event_entry(
                    event.event_id, event.digest, event.source, at.topic, at.partition, at.offset
                ),
            )
            if event.key in stored:
                continue
            stored.add(event.key)
            known = cases.setdefault(
                event.case_id, _Known(CaseRow(event.case_id, None, 0, 0, None))
            )
            known.log.append(
                (
                    event.case_id,
                    event.time,
                    event.event_id,
                    event.type,
                    event.payload.decode(),
                    event.source,
                )
            )
            touched[event.case_id] = None
        now = _arrival(batch[-1])
        for case_id in touched:
            yield from _decide(cases[case_id], now)


def _records(events: int) -> Iterator[Record]:
    # A larger number means a larger country, not a longer time.
    settings = SimulationSettings(
        start=_END - timedelta(days=90),
        end=_END,
        seed=7,
        scale=max(0.05, 1.1 * events / 17_000),
        malformed=0.02,
    )
    for offset, planned in enumerate(islice(stream(settings), events)):
        record = planned.record
        yield Record(
            Position(record.topic, 0, offset),
            record.key,
            record.value,
            record.headers,
            int(planned.at.timestamp() * 1000),
        )


def _arrival(record: Record) -> datetime:
    return datetime.fromtimestamp((record.timestamp_ms or 0) / 1000, UTC)


def _text(event: Decoded) -> bytes:
    return b"\n".join(
        (
            str(event.event_id).encode(),
            event.case_id.encode(),
            event.type.encode(),
            event.source.encode(),
            event.time.isoformat().encode(),
            event.payload,
            event.digest,
            b"%d" % event.unknown,
            event.event.to_json(),
        )
    )


def _decide(known: _Known, now: datetime) -> Iterator[tuple[str, bytes]]:
    row = known.row
    facts = _facts(known.log)[row.case_id]
    saved, messages = project(row, facts, known.ledger, None, ref(), now)
    yield "projections", b"\n".join([str(value).encode() for value in saved])
    for message in messages:
        yield "ids", message.message_id.bytes
        yield "messages", body(message.outcome)
    known.row = CaseRow(
        row.case_id,
        orjson.loads(saved.route),
        saved.routings,
        saved.endings,
        row.known_since or now,
    )
    known.ledger = ledger_after(known.ledger, [message.outcome for message in messages])


def ledger_after(ledger: Ledger, outcomes: Sequence[Outcome]) -> Ledger:
    """Return a ledger as it is once these outcomes are announced."""
    standing = {one.escalation_id: one for one in ledger.standing}
    rounds = dict(ledger.rounds)
    for outcome in outcomes:
        if isinstance(outcome, EscalationRaised):
            one = StandingEscalation.of(outcome)
            standing[one.escalation_id], rounds[one.escalation_id] = one, one.round
        elif isinstance(outcome, EscalationWithdrawn):
            standing.pop(UUID(outcome.escalation_id), None)
    return Ledger(tuple(standing.values()), rounds)


def write() -> None:
    """Write the file again."""
    found = {str(events): digests(events) for events in EVENTS}
    FILE.write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2) + b"\n")


if __name__ == "__main__":
    write()
