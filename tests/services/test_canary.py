"""The canary case is never escalated, however much time passes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from schemas.canary import case_id, is_canary
from schemas.codec import decode
from schemas.outcomes import CaseEnded, CaseRouted
from streams.domain.case import Case, Fact, fold
from streams.domain.decide import Announced, decide
from streams.services import canary
from tests.domain.given import ref

_AT = datetime(2026, 3, 2, 9, tzinfo=UTC)


@pytest.mark.parametrize("days", [0, 1, 29, 30, 31, 60, 90, 400, 4000])
def test_a_canary_order_is_routed_and_never_escalated(days: int) -> None:
    order_id, record = canary.order(_AT)
    event = decode(record.topic, record.key, record.value, record.headers)
    ending = canary.end(_AT)
    end = decode(ending.topic, ending.key, ending.value, ending.headers)
    facts = [Fact(event.time, UUID(int=1), event.event), Fact(end.time, UUID(int=2), end.event)]
    case = fold(Case(event.case_id), facts)
    reference = ref()

    decision = decide(
        case,
        Announced(),
        reference.policy,
        reference.directory,
        reference.calendar,
        _AT + timedelta(days=days),
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
