"""The canary's case ids and its source belong to the canary: otherwise they would hide a person."""

from __future__ import annotations

from datetime import date

import pytest

from schemas import canary
from schemas.codec import decode, encode
from schemas.rejected import Reason, Rejected
from tests.schemas.examples import CASE_ID, EVENT_ID, SOURCE, TIME, TYPES, event

DAY = canary.case_id(date(2026, 3, 2))


@pytest.mark.parametrize("name", TYPES)
@pytest.mark.parametrize(
    ("case_id", "source", "field"),
    [
        (DAY, SOURCE, "subject"),
        ("canary-anything", SOURCE, "subject"),
        (CASE_ID, canary.SOURCE, "source"),
        ("canary-anything", canary.SOURCE, "source"),
        ("canary-202603021", canary.SOURCE, "source"),
    ],
)
def test_another_producer_can_use_neither(name: str, case_id: str, source: str, field: str) -> None:
    record = encode(event(name), event_id=EVENT_ID, case_id=case_id, source=source, time=TIME)
    with pytest.raises(Rejected) as caught:
        decode(record.topic, record.key, record.value, record.headers)
    assert (caught.value.reason, caught.value.subject) == (Reason.RESERVED, case_id)
    assert caught.value.detail.startswith(f"{field}: ")


def test_the_canary_itself_is_read() -> None:
    record = encode(
        event(TYPES[0]), event_id=EVENT_ID, case_id=DAY, source=canary.SOURCE, time=TIME
    )
    assert decode(record.topic, record.key, record.value, record.headers).case_id == DAY
    assert canary.is_case_id(DAY)
