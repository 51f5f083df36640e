"""What the worker computes without validation is what the models of the contract say.

Events of the realistic stream are decoded, decided at their own time, and compared field by field.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from uuid import UUID

import orjson
import pytest

from schemas.codec import Decoded, decode
from schemas.events import EVENT_TYPES
from schemas.outcomes import (
    CaseRouted,
    EscalationRaised,
    EscalationWithdrawn,
    Outcome,
    RouteRef,
    body,
)
from schemas.types import fields_of
from streams.casework.projection import announced_route, project
from streams.domain.case import Case, Fact, fold
from streams.simulate.publishing import Kind
from streams.simulate.settings import SimulationSettings
from streams.simulate.stream import stream
from streams.store.cases import CaseRow, Saved
from streams.store.digest import digest
from streams.store.escalations import Ledger
from tests.casework.outputs import ledger_after
from tests.domain.given import ref

_END = datetime(2026, 10, 31, tzinfo=UTC)
_EVENTS = 600


@cache
def events() -> tuple[Decoded, ...]:
    """Return the first events of a stream, each once."""
    settings = SimulationSettings(start=_END - timedelta(days=90), end=_END, seed=3, scale=0.1)
    found: dict[UUID, Decoded] = {}
    for planned in stream(settings):
        record = planned.record
        if planned.kind is Kind.VALID:
            event = decode(record.topic, record.key, record.value, record.headers)
            found.setdefault(event.event_id, event)
        if len(found) == _EVENTS:
            break
    return tuple(found.values())


@cache
def decided() -> tuple[tuple[CaseRow, tuple[Fact, ...], Saved, tuple[Outcome, ...]], ...]:
    """Return the decision on each case at the time of each of its events, and at the end."""
    return tuple(_decided())


def _decided() -> Iterator[tuple[CaseRow, tuple[Fact, ...], Saved, tuple[Outcome, ...]]]:
    rows: dict[str, CaseRow] = {}
    logs: dict[str, tuple[Fact, ...]] = {}
    ledgers: dict[str, Ledger] = {}
    steps = [(event.case_id, event.time, event) for event in events()]
    last = [(case_id, _END, None) for case_id in dict.fromkeys(one[0] for one in steps)]
    for case_id, now, event in [*steps, *last]:
        row = rows.get(case_id) or CaseRow(case_id, None, 0, 0, None)
        facts = logs.get(case_id, ())
        if event is not None:
            facts = (*facts, Fact(event.time, event.event_id, event.event, event.source))
        ledger = ledgers.get(case_id, Ledger((), {}))
        now = max(now, row.known_since or now)
        saved, messages = project(row, facts, ledger, None, ref(), now)
        yield row, facts, saved, tuple(message.outcome for message in messages)
        rows[case_id] = CaseRow(
            case_id,
            orjson.loads(saved.route),
            saved.routings,
            saved.endings,
            row.known_since or now,
        )
        logs[case_id] = facts
        ledgers[case_id] = ledger_after(ledger, [message.outcome for message in messages])


def test_a_decoded_event_is_what_its_model_reads_from_its_payload() -> None:
    for event in events():
        assert type(event.event) is EVENT_TYPES[event.type]
        assert event.event == type(event.event).read_json(event.payload)
        assert (event.case_id[:5], event.source[0], len(event.digest)) == ("case-", "/", 32)
        assert event.time.tzinfo is UTC
        assert (type(event.event_id), event.unknown >= 0) == (UUID, True)


def test_a_body_is_that_of_the_validated_outcome() -> None:
    outcomes = [outcome for *_, messages in decided() for outcome in messages]
    assert {type(one) for one in outcomes} >= {CaseRouted, EscalationRaised, EscalationWithdrawn}
    for outcome in outcomes:
        validated = type(outcome).read_json(body(outcome))
        assert validated.to_json() == outcome.to_json()
        assert body(outcome) == body(validated)


def test_every_column_of_a_projection_holds_its_own_value() -> None:
    for row, facts, saved, _ in decided():
        assert saved.case_id == row.case_id
        assert saved.digest == digest(fold(Case(row.case_id), facts))
        assert saved.events == len(facts)
        assert saved.routings >= row.routings
        assert saved.office_id in {*ref().directory.offices, "triage", *_teams()}
        assert saved.reference_digest.endswith(ref().digest)
        assert len(saved.reference_digest) == 5 * 32
        assert isinstance(orjson.loads(saved.blocked), list)
        assert (saved.ended_at is None) == (saved.end_reason is None)
        route = orjson.loads(saved.route)
        if route is not None:
            assert (route["order_id"], route["office_id"]) == (saved.order_id, saved.office_id)
            assert route["team"] == saved.track


def _teams() -> set[str]:
    return {team.office_id for team in ref().directory.all_teams}


def test_a_restored_route_is_that_of_the_model() -> None:
    routes = {saved.route for _, _, saved, _ in decided()} - {b"null"}
    assert len(routes) > 10
    for text in routes:
        route = orjson.loads(text)
        fields = {name: route[name] for name in fields_of(RouteRef)}
        model = RouteRef.read_json(orjson.dumps({**fields, "track": route["team"]}))
        assert announced_route(route) == model
    assert announced_route(None) is None
    with pytest.raises(KeyError):
        announced_route({**orjson.loads(text), "team": "nobody"})
