"""The canary case is never escalated, however much time passes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from schemas.canary import case_id, is_canary
from schemas.codec import decode
from schemas.outcomes import CaseRouted
from streams.domain.case import Case, Fact, fold
from streams.domain.decide import Announced, decide
from streams.services import canary
from tests.domain.given import ref

_AT = datetime(2026, 3, 2, 9, tzinfo=UTC)


@pytest.mark.parametrize("days", [0, 1, 29, 30, 31, 60, 90, 400, 4000])
def test_a_canary_order_is_routed_and_never_escalated(days: int) -> None:
    order_id, record = canary.order(_AT)
    event = decode(record.topic, record.key, record.value, record.headers)
    case = fold(Case(event.case_id), [Fact(event.time, UUID(int=1), event.event)])
    reference = ref()

    decision = decide(
        case,
        Announced(),
        reference.policy,
        reference.directory,
        reference.calendar,
        _AT + timedelta(days=days),
    )

    (message,) = decision.messages
    assert isinstance(message.outcome, CaseRouted)
    assert message.outcome.order_id == order_id
    assert decision.level == 0


def test_canary_cases_are_recognised_by_their_ids() -> None:
    assert is_canary(case_id(_AT.date()))
    assert not is_canary("case-e1eafaae21ee3709")
