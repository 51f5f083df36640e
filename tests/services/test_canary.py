"""The canary case is never escalated, however much time passes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from schemas.canary import case_id, is_canary
from schemas.codec import decode
from schemas.outcomes import CaseEnded, CaseRouted
from streams.domain.case import Case, Fact, fold
from streams.domain.decide import decide
from streams.domain.decision import Announced
from streams.services import canary
from tests.domain.given import ref

_AT = datetime(2026, 3, 2, 9, tzinfo=UTC)


@pytest.mark.parametrize("days", [0, 1, 29, 30, 31, 60, 90, 400, 4000])
def test_the_orders_of_a_canary_are_routed_and_never_escalated(days: int) -> None:
    facts = []
    for minute in range(3):
        at = _AT + timedelta(minutes=minute)
        order_id, order = canary.order(at)
        for number, record in enumerate((order, canary.end(at)), 2 * minute):
            event = decode(record.topic, record.key, record.value, record.headers)
            facts.append(Fact(event.time, UUID(int=number), event.event))
    case = fold(Case(event.case_id), facts)
    reference = ref()

    decision = decide(
        case,
        Announced(),
        reference.tables,
        _AT + timedelta(days=days, minutes=5),
    )

    routed, *others = (message.outcome for message in decision.messages)
    if isinstance(routed, CaseRouted):
        assert routed.order_id == order_id
    ended = days > 0
    assert (decision.status == "ended") is ended
    assert [type(outcome) for outcome in others] == ([CaseEnded] if ended and others else [])
    assert decision.level == 0


def test_canary_cases_are_recognised_by_their_ids() -> None:
    assert is_canary(case_id(_AT.date()))
    assert not is_canary("case-e1eafaae21ee3709")
