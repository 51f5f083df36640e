"""The domain alone, event by event, without Kafka, PostgreSQL or concurrency.

Its result is what every contender must reach, and its time is the domain's own cost.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from schemas.codec import Decoded, Outgoing, decode
from streams import reference
from streams.domain.case import Case, Fact, evolve
from streams.domain.decide import Announced, Decision, decide
from streams.reference import Reference
from streams.store.digest import digest
from tests.bench.history import END, History
from tests.bench.work import Work


@dataclass(slots=True)
class _Known:
    case: Case
    announced: Announced
    decision: Decision | None = None


def decoded(records: Iterable[Outgoing]) -> list[Decoded]:
    """Return the distinct events in records, in order."""
    found: dict[UUID, Decoded] = {}
    for record in records:
        event = decode(record.topic, record.key, record.value, record.headers)
        found.setdefault(event.event_id, event)
    return list(found.values())


def replay(
    events: Sequence[Decoded], ref: Reference, now: datetime | None
) -> tuple[Work, list[float]]:
    """Apply events one by one; return the result, and for each event the microseconds of fold,
    route and decide. Each is decided at ``now``, or at its own time if ``now`` is None.
    """
    cases: dict[str, _Known] = {}
    spent = []
    for event in events:
        known = cases.get(event.case_id)
        if known is None:
            known = cases[event.case_id] = _Known(
                Case(event.case_id), Announced(known_since=now or event.time)
            )
        fact = Fact(event.time, event.event_id, event.event)
        begun = time.perf_counter_ns()
        known.case = evolve(known.case, fact)
        known.decision = decide(
            known.case,
            known.announced,
            ref.tables,
            now or event.time,
        )
        spent.append((time.perf_counter_ns() - begun) / 1000)
        known.announced = known.announced.after(known.decision)
    return _work(len(events), cases), spent


def truth_of(history: History) -> Work:
    """Return the expected result of a history, decided at its end."""
    return replay(decoded(history.records), reference.load(), END)[0]


def _work(events: int, cases: dict[str, _Known]) -> Work:
    projections, escalations = [], []
    for case_id, known in cases.items():
        decision = known.decision
        if decision is None:
            continue
        projections.append(
            (
                case_id,
                digest(known.case).hex(),
                decision.status,
                decision.office_id,
                str(decision.track),
                decision.level,
            )
        )
        escalations += [
            (str(held.escalation_id), held.rule_id, held.office_id)
            for held in known.announced.standing
        ]
    return Work.of(events, projections, escalations)
