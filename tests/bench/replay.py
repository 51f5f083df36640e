"""The domain alone, event by event, without Kafka, PostgreSQL or concurrency.

Its result is what every contender must reach, and its time is the domain's own cost.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from schemas.codec import Decoded, Outgoing, decode
from schemas.envelope import headers
from schemas.instants import rfc3339
from schemas.outcomes import OUTCOME_TYPES, RouteRef, body
from streams import reference
from streams.domain.case import Case, Fact, evolve, fold
from streams.domain.decide import decide
from streams.domain.decision import Announced, Decision
from streams.reference import Reference
from streams.store.digest import digest
from tests.bench.history import END, History
from tests.bench.published import Groups, Message, Messages, Stream
from tests.bench.work import Work

_SOURCE: Final = "/icam/streams"
_MOST_KNOWN: Final = 4
"""Groupings of a case that are remembered: all of them, of all rounds, would take gigabytes."""
_NAMED: Final = {model: (name, topic) for name, (topic, model) in OUTCOME_TYPES.items()}


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


class NotInHistory(Exception):
    """A log holds an event that is not in the history, or under another case."""


class Announcements:
    """What must be published about a history, for any grouping of the events of each case."""

    def __init__(self, history: History, ref: Reference | None = None) -> None:
        self._ref = ref or reference.load()
        self._facts: dict[str, dict[UUID, Fact]] = {}
        self._order: list[tuple[UUID, str]] = []
        for event in decoded(history.records):
            fact = Fact(event.time, event.event_id, event.event, event.source)
            self._facts.setdefault(event.case_id, {})[event.event_id] = fact
            self._order.append((event.event_id, event.case_id))
        self._known: dict[str, dict[Groups, list[tuple[str, Message]]]] = {}

    def together(self) -> Mapping[str, Groups]:
        """Return each case with all of its events in one group."""
        return {case_id: (frozenset(facts),) for case_id, facts in self._facts.items()}

    def in_batches(self, size: int) -> Messages:
        """Return what is published if the history is processed in its order, in batches."""
        found: dict[str, dict[int, set[UUID]]] = {}
        for number, (event_id, case_id) in enumerate(self._order):
            of_case = found.setdefault(case_id, {})
            of_case.setdefault(number // size, set()).add(event_id)
        return self.of(
            {
                case_id: tuple(frozenset(group) for group in of_case.values())
                for case_id, of_case in found.items()
            }
        )

    def of(self, groups: Mapping[str, Groups]) -> Messages:
        """Return the records by topic and key, for what was decided together.

        Raises:
            NotInHistory: the groups name an event that the history does not have.
        """
        found: dict[Stream, list[Message]] = {}
        for case_id, of_case in groups.items():
            of_this = self._known.setdefault(case_id, {})
            known = of_this.get(of_case)
            if known is None:
                known = of_this[of_case] = self._decide(case_id, of_case)
                if len(of_this) > _MOST_KNOWN:
                    del of_this[next(iter(of_this))]
            for topic, message in known:
                found.setdefault((topic, case_id), []).append(message)
        return found

    def _decide(self, case_id: str, groups: Groups) -> list[tuple[str, Message]]:
        facts, time = self._facts.get(case_id, {}), rfc3339(END)
        case = Case(case_id, rank=self._ref.producers.rank)
        announced = Announced(known_since=END)
        messages: list[tuple[str, Message]] = []
        for group in groups:
            if strange := group - facts.keys():
                raise NotInHistory(f"{len(strange)} events of {case_id} are not in the history")
            case = fold(case, [facts[event_id] for event_id in group])
            decision = decide(case, announced, self._ref.tables, END)
            for message_id, outcome in decision.messages:
                name, topic = _NAMED[type(outcome)]
                attributes = headers(str(message_id), _SOURCE, name, time, case_id)
                sent = tuple((key, value.encode()) for key, value in attributes.items())
                messages.append((topic, Message(case_id.encode(), sent, body(outcome))))
            # A row holds the newest route, also when it is not announced: by another rule only.
            announced = announced.after(decision)._replace(route=route_of(decision))
        return messages


def route_of(decision: Decision) -> RouteRef | None:
    """Return the route by which a later one is announced as its previous one."""
    route = decision.route
    if route is None or decision.order_id is None:
        return None
    return RouteRef(
        order_id=decision.order_id,
        office_id=route.office_id,
        track=route.track,
        language=route.language,
        interpreter_language=route.interpreter_language,
        rule_id=route.rule_id,
    )


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
