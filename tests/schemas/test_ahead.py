"""A time ahead of the record's arrival is refused, unless it may be planned."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import orjson
import pytest

from schemas.codec import MAX_AHEAD, Decoded, decode, encode
from schemas.rejected import Reason, Rejected
from tests.schemas.examples import CASE_ID, EVENT_ID, EXAMPLES, ORDER, SOURCE, TIME

MISSED = "icam.appointment-missed.v1"
HELD = "icam.interview-completed.v1"
PLANNED = "icam.appointment-planned.v1"
ANSWERED = "icam.proposal-answered.v1"
CIRCUMSTANCE = "icam.circumstance-changed.v1"
ENDED = "icam.follow-up-ended.v1"
ARRIVED = TIME + timedelta(hours=1)
"""An hour after the time of the event, which an interview that just ended may be ahead by."""
JUST = (ARRIVED + MAX_AHEAD).isoformat()
PAST = (ARRIVED + MAX_AHEAD + timedelta(microseconds=1)).isoformat()
INVITATION = {"delivery": "proven", "language": "nl"}


def arrive(name: str, ahead: timedelta = timedelta(), **changed: Any) -> Decoded:
    """Decode an event whose time lies ahead of its arrival by so much."""
    record = encode(
        {**EXAMPLES[name], **changed},
        event_id=EVENT_ID,
        case_id=CASE_ID,
        source=SOURCE,
        time=ARRIVED + ahead,
        type_=name,
    )
    return decode(record.topic, record.key, record.value, record.headers, ARRIVED)


def refused(name: str, ahead: timedelta = timedelta(), **changed: Any) -> str:
    """Return the detail of the rejection."""
    with pytest.raises(Rejected) as caught:
        arrive(name, ahead, **changed)
    assert (caught.value.reason, caught.value.subject) == (Reason.AHEAD, CASE_ID)
    return caught.value.detail


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_time_of_an_event_may_lie_ahead_by_the_difference_of_two_clocks(name: str) -> None:
    assert arrive(name, MAX_AHEAD).time == ARRIVED + MAX_AHEAD
    for ahead in (MAX_AHEAD + timedelta(microseconds=1), timedelta(days=400)):
        assert refused(name, ahead).startswith("time: ")


@pytest.mark.parametrize(
    ("name", "field"),
    [
        (ORDER, "notified_at"),
        (ORDER, "residence_since"),
        (ORDER, "lodging_since"),
        (MISSED, "scheduled_at"),
        (HELD, "held_at"),
        (ANSWERED, "answered_at"),
    ],
)
def test_a_time_that_cannot_be_known_in_advance_is_refused(name: str, field: str) -> None:
    just: dict[str, Any] = {field: JUST}
    past: dict[str, Any] = {field: PAST}
    assert arrive(name, **just).event
    assert refused(name, **past).startswith(f"{field}: ")


def test_an_invitation_cannot_have_been_sent_later_than_now() -> None:
    assert arrive(PLANNED, invitation={**INVITATION, "sent_at": JUST}).event
    detail = refused(PLANNED, invitation={**INVITATION, "sent_at": PAST})
    assert detail.startswith("invitation.sent_at: ")


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        (PLANNED, {"at": "2027-03-02T10:00:00Z"}),
        (CIRCUMSTANCE, {"effective_at": "2027-03-02T10:00:00Z"}),
        (ENDED, {"effective_at": "2027-03-02T10:00:00Z"}),
        (ANSWERED, {"postponed_until": "2027-03-02T10:00:00Z"}),
        (
            ORDER,
            {
                "first_appointment": {
                    "appointment_id": "appointment-1",
                    "office_id": "gent",
                    "at": "2027-03-02T10:00:00Z",
                }
            },
        ),
    ],
)
def test_what_is_planned_may_lie_ahead(name: str, changed: dict[str, Any]) -> None:
    arrived = arrive(name, **changed)
    assert orjson.loads(arrived.payload).items() >= changed.items()


def test_without_an_arrival_no_time_is_refused() -> None:
    record = encode(
        EXAMPLES[ORDER],
        event_id=EVENT_ID,
        case_id=CASE_ID,
        source=SOURCE,
        time=ARRIVED + timedelta(days=400),
        type_=ORDER,
    )
    assert decode(record.topic, record.key, record.value, record.headers).event
