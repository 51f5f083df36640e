"""Part 1: what upstream systems can report about a case, in any order.

The order is notified on Monday 2 March 2026; both terms of 30 days end at the end of 1 April.
"""

from __future__ import annotations

from datetime import datetime
from itertools import permutations
from typing import Any

import pytest

from schemas.codes import Guard
from schemas.events import (
    Answer,
    AppointmentState,
    CircumstanceOutcome,
    Conclusion,
    EndReason,
    FollowUpState,
    Lodging,
    ReviewDecision,
)
from schemas.outcomes import CaseEnded, CaseReopened
from streams.domain.case import Fact
from streams.domain.decision import Announced
from tests.domain.given import (
    MOMENT,
    answered,
    applied,
    appointment,
    checked,
    circumstance,
    day,
    decide,
    derive,
    ended,
    interview,
    miss,
    order,
    outcomes,
    planned,
    raised,
    reviewed,
    withdrawn,
)
from tests.domain.life.history import COACH, NOTHING, OFFICIAL, History, Source, on, start_of, table

ASYLUM = Guard.ASYLUM_REQUEST_PENDING
FIRST_DATE = ("give-first-date", "order-1/order")


def asylum(outcome: CircumstanceOutcome | None, **changed: Any) -> list[Fact]:
    """Return an asylum request from 10 March to 14 April, with its outcome."""
    fields: dict[str, Any] = {"effective_at": on("14 April"), "outcome": outcome, **changed}
    return [
        circumstance(ASYLUM, effective_at=on("10 March")),
        circumstance(ASYLUM, ends=True, **fields),
    ]


APPOINTMENTS = [
    History(
        "a planned appointment is the first date",
        Source.CIRE_FAQ,
        [order(), planned(on("16 March"), time=on("3 March"))],
        on("9 March"),
        NOTHING,
        "followed",
        next_check=on("16 March"),
    ),
    History(
        "the order itself gives the first date",
        Source.SEED,
        [order(first_appointment=appointment(on("16 March")))],
        on("9 March"),
        NOTHING,
        "followed",
        next_check=on("16 March"),
    ),
    History(
        "an interview gives the next date",
        Source.DVZ_ATD2,
        [order(), interview(next_appointment=appointment(on("20 March")))],
        on("10 March"),
        NOTHING,
        "followed",
        next_check=on("20 March"),
    ),
    History(
        "an appointment reported before its order waits for it",
        Source.INFERRED,
        [planned(on("16 March"), time=on("27 February")), order()],
        on("9 March"),
        NOTHING,
        "followed",
    ),
    History(
        "an appointment under an order that is not known gives no date under this one",
        Source.INFERRED,
        [order(), planned(on("16 March"), order_id="order-9", time=on("3 March"))],
        on("9 March"),
        {"give-first-date"},
        "escalated",
        due=start_of("6 March"),
    ),
    History(
        "an appointment that was moved is not asked about on its first date",
        Source.INFERRED,
        [
            order(),
            planned(on("10 March")),
            planned(on("24 March"), state=AppointmentState.MOVED, time=on("9 March")),
        ],
        on("20 March"),
        NOTHING,
        "followed",
        next_check=on("24 March"),
    ),
    History(
        "a moved appointment is asked about after its new date",
        Source.INFERRED,
        [
            order(),
            planned(on("10 March")),
            planned(on("24 March"), state=AppointmentState.MOVED, time=on("9 March")),
        ],
        start_of("27 March"),
        {"report-outcome"},
        "escalated",
        due=start_of("27 March"),
    ),
    History(
        "a move that the order does not know holds over its first date",
        Source.INFERRED,
        [
            order(first_appointment=appointment(on("10 March"))),
            planned(on("24 March"), state=AppointmentState.MOVED, time=on("9 March")),
        ],
        on("20 March"),
        NOTHING,
        "followed",
    ),
    History(
        "an appointment brought forward is the next one",
        Source.INFERRED,
        [
            order(),
            planned(on("24 March"), time=on("4 March")),
            planned(on("10 March"), state=AppointmentState.MOVED, time=on("9 March 08:00")),
        ],
        on("9 March"),
        NOTHING,
        "followed",
        next_check=on("10 March"),
    ),
    History(
        "the office cancels: the person is invited again at once",
        Source.INFERRED,
        [
            order(),
            planned(on("16 March"), time=on("4 March")),
            planned(
                on("16 March"), state=AppointmentState.CANCELLED_BY_OFFICE, time=on("12 March")
            ),
        ],
        on("12 March"),
        {"invite-again"},
        "escalated",
        owner=COACH,
        due=on("12 March"),
    ),
    History(
        "the appointment lies ahead until the instant of its cancellation",
        Source.INFERRED,
        [order(), planned(on("16 March"), time=on("4 March"))],
        on("12 March") - MOMENT,
        NOTHING,
        "followed",
    ),
    History(
        "the person cancels: the person is invited again at once",
        Source.VR_LAW,
        [
            order(),
            planned(
                on("16 March"), state=AppointmentState.CANCELLED_BY_PERSON, time=on("12 March")
            ),
        ],
        on("12 March"),
        {"invite-again"},
        "escalated",
        due=on("12 March"),
    ),
    History(
        "a cancelled appointment is not asked about after its date",
        Source.INFERRED,
        [
            order(),
            planned(
                on("16 March"), state=AppointmentState.CANCELLED_BY_OFFICE, time=on("12 March")
            ),
        ],
        on("19 March"),
        {"invite-again"},
        "escalated",
    ),
    History(
        "an older version that arrives late does not undo a cancellation",
        Source.INFERRED,
        [
            order(),
            planned(on("16 March"), state=AppointmentState.CANCELLED_BY_OFFICE, time=on("9 March")),
            planned(on("16 March"), time=on("4 March")),
        ],
        on("10 March"),
        {"invite-again"},
        "escalated",
    ),
    History(
        "a cancelled appointment that is planned again takes place",
        Source.INFERRED,
        [
            order(),
            planned(on("16 March"), state=AppointmentState.CANCELLED_BY_OFFICE, time=on("9 March")),
            planned(on("18 March"), time=on("10 March 08:00")),
        ],
        on("10 March"),
        NOTHING,
        "followed",
        next_check=on("18 March"),
    ),
    History(
        "another appointment after a cancelled one answers the invitation",
        Source.INFERRED,
        [
            order(),
            planned(on("16 March"), state=AppointmentState.CANCELLED_BY_PERSON, time=on("9 March")),
            planned(on("23 March"), "appointment-10", time=on("10 March 08:00")),
        ],
        on("10 March"),
        NOTHING,
        "followed",
        next_check=on("23 March"),
    ),
    History(
        "a later appointment is cancelled while an earlier one lies ahead",
        Source.INFERRED,
        [
            order(),
            planned(on("16 March"), time=on("4 March")),
            planned(
                on("30 March"),
                "appointment-10",
                state=AppointmentState.CANCELLED_BY_OFFICE,
                time=on("9 March 08:00"),
            ),
        ],
        on("9 March"),
        NOTHING,
        "followed",
        next_check=on("16 March"),
    ),
]

ANSWERS = [
    History(
        "an answer that arrives before its proposal settles it",
        Source.INFERRED,
        [order(), answered(*FIRST_DATE, on("3 March"))],
        on("9 March"),
        NOTHING,
        "followed",
    ),
    History(
        "an answer before its order and its proposal settles it",
        Source.INFERRED,
        [answered(*FIRST_DATE, on("27 February")), order()],
        on("9 March"),
        NOTHING,
        "followed",
    ),
    History(
        "an answer to a proposal that never existed settles nothing",
        Source.INFERRED,
        [order(), answered("give-first-date", "order-9/order", on("3 March"))],
        on("9 March"),
        {"give-first-date"},
        "escalated",
    ),
    History(
        "an answer dated tomorrow settles nothing today",
        Source.INFERRED,
        [order(), answered(*FIRST_DATE, on("10 March"), time=on("9 March 08:00"))],
        on("10 March") - MOMENT,
        {"give-first-date"},
        "escalated",
    ),
    History(
        "an answer dated today settles from its instant on",
        Source.INFERRED,
        [order(), answered(*FIRST_DATE, on("10 March"), time=on("9 March 08:00"))],
        on("10 March"),
        NOTHING,
        "followed",
    ),
    History(
        "the newest answer to one round holds: postponed, then done",
        Source.INFERRED,
        [
            order(),
            answered(*FIRST_DATE, on("6 March"), Answer.POSTPONED, postponed_until=on("10 March")),
            answered(*FIRST_DATE, on("9 March")),
        ],
        on("12 March"),
        NOTHING,
        "followed",
    ),
    History(
        "the newest answer to one round holds: done was an error",
        Source.INFERRED,
        [
            order(),
            answered(*FIRST_DATE, on("6 March")),
            answered(*FIRST_DATE, on("9 March"), Answer.POSTPONED, postponed_until=on("10 March")),
        ],
        on("12 March"),
        {"give-first-date"},
        "escalated",
    ),
    History(
        "an answer to a later round holds over one to an earlier round that arrives after it",
        Source.INFERRED,
        [
            order(),
            answered(*FIRST_DATE, on("13 March"), round=2),
            answered(*FIRST_DATE, on("6 March"), Answer.TAKEN_UP, time=on("16 March")),
        ],
        on("30 March"),
        NOTHING,
        "followed",
    ),
]

ENDS = [
    History(
        "the person left voluntarily",
        Source.DVZ_ATD2,
        [order(), miss(1), ended(on("16 March"))],
        on("16 March"),
        NOTHING,
        "ended",
    ),
    History(
        "the follow-up goes on until the instant of its end",
        Source.INFERRED,
        [order(), miss(1), ended(on("16 March"), time=on("13 March"))],
        on("16 March") - MOMENT,
        {"reinvite-after-first-miss"},
        "escalated",
        next_check=on("16 March"),
        next_reason="situation",
    ),
    History(
        "the end of the only order ends the case",
        Source.INFERRED,
        [order(), miss(1), ended(on("16 March"), EndReason.REMOVED, order_id="order-1")],
        on("17 March"),
        NOTHING,
        "ended",
    ),
    History(
        "an end reported before its order takes effect when the order arrives",
        Source.INFERRED,
        [
            ended(
                on("10 March"),
                EndReason.LEFT_ON_OWN,
                order_id="order-1",
                time=on("27 February"),
            ),
            order(time=on("9 March")),
        ],
        on("10 March"),
        NOTHING,
        "ended",
    ),
    History(
        "the end of an order that is not known ends nothing",
        Source.INFERRED,
        [order(), ended(on("5 March"), order_id="order-9")],
        on("9 March"),
        {"give-first-date"},
        "escalated",
    ),
    History(
        "a second order arrives whose end was reported before it",
        Source.INFERRED,
        [
            order(),
            ended(on("20 March"), order_id="order-2"),
            order(order_id="order-2", notified_at=on("16 March"), repeat_order=True),
        ],
        on("20 March"),
        NOTHING,
        "ended",
    ),
    History(
        "a case without an order can end",
        Source.INFERRED,
        [miss(1), ended(on("16 March"), EndReason.OPENED_IN_ERROR)],
        on("30 March"),
        NOTHING,
        "ended",
    ),
    History(
        "a later version reopens the case: what stood before stands again",
        Source.INFERRED,
        [
            order(),
            miss(1),
            ended(on("16 March")),
            ended(on("18 March"), state=FollowUpState.REOPENED),
        ],
        on("18 March"),
        {"reinvite-after-first-miss"},
        "escalated",
    ),
    History(
        "a case that is to be reopened on a known day stays ended until then",
        Source.INFERRED,
        [
            order(),
            miss(1),
            ended(on("16 March")),
            ended(on("30 March"), state=FollowUpState.REOPENED, time=on("18 March")),
        ],
        on("30 March") - MOMENT,
        NOTHING,
        "ended",
        next_check=on("30 March"),
        next_reason="reopening",
    ),
    History(
        "an old version of an end does not undo a reopening",
        Source.INFERRED,
        [
            order(),
            miss(1),
            ended(on("18 March"), state=FollowUpState.REOPENED),
            ended(on("16 March"), EndReason.WHEREABOUTS_UNKNOWN),
        ],
        on("19 March"),
        {"reinvite-after-first-miss"},
        "escalated",
    ),
    History(
        "an end corrected to a later day is not in effect yet",
        Source.INFERRED,
        [
            order(),
            miss(1),
            ended(on("16 March")),
            ended(on("10 April"), time=on("17 March")),
        ],
        on("18 March"),
        {"reinvite-after-first-miss"},
        "escalated",
    ),
    History(
        "a person with a new order after an end is followed again",
        Source.METRO,
        [
            order(),
            ended(on("16 March"), EndReason.LEFT_ON_OWN),
            order(order_id="order-2", notified_at=on("4 May"), repeat_order=True),
        ],
        start_of("8 May"),
        {"give-first-date"},
        "escalated",
    ),
    History(
        "the end of the first order does not end the second",
        Source.METRO,
        [
            order(),
            order(order_id="order-2", notified_at=on("4 May"), repeat_order=True),
            ended(on("5 May"), EndReason.ORDER_WITHDRAWN, order_id="order-1"),
        ],
        start_of("8 May"),
        {"give-first-date"},
        "escalated",
    ),
    History(
        "a miss that is reported after the end changes nothing",
        Source.INFERRED,
        [order(), ended(on("4 March")), miss(1), miss(2)],
        on("16 March"),
        NOTHING,
        "ended",
    ),
]

OUTCOMES = [
    History(
        "asylum is granted: only the end is asked for",
        Source.DVZ_ATD2,
        [order(), *asylum(CircumstanceOutcome.GRANTED)],
        on("14 April"),
        {"record-end"},
        "escalated",
        owner=OFFICIAL,
        due=on("14 April"),
    ),
    *[
        History(
            f"asylum is {outcome}: the follow-up goes on with an invitation",
            Source.DVZ_FAQ,
            [order(), interview(), *asylum(outcome)],
            on("14 April"),
            {"invite-again"},
            "escalated",
            owner=COACH,
            due=on("14 April"),
        )
        for outcome in (
            CircumstanceOutcome.REFUSED,
            CircumstanceOutcome.WITHDRAWN,
            CircumstanceOutcome.LAPSED,
        )
    ],
    *[
        History(
            f"asylum ends and its outcome is {outcome or 'not reported'}: it blocks and is asked",
            Source.INFERRED,
            [order(), miss(1), *asylum(outcome)],
            on("14 April"),
            {"report-decision"},
            "escalated",
            held_back={"reinvite-after-first-miss": {ASYLUM}},
            owner=COACH,
            due=on("14 April"),
        )
        for outcome in (None, CircumstanceOutcome.UNKNOWN)
    ],
    History(
        "the outcome becomes known with a later version",
        Source.INFERRED,
        [
            order(),
            interview(),
            *asylum(CircumstanceOutcome.UNKNOWN),
            asylum(CircumstanceOutcome.REFUSED, time=on("20 April"))[1],
        ],
        on("20 April"),
        {"invite-again"},
        "escalated",
    ),
    History(
        "a decision reported for a procedure whose begin is not known yet",
        Source.INFERRED,
        [order(), asylum(CircumstanceOutcome.GRANTED)[1]],
        on("14 April"),
        {"record-end"},
        "escalated",
    ),
    History(
        "a decision that is announced for a later day blocks until then",
        Source.INFERRED,
        [order(), miss(1), *asylum(CircumstanceOutcome.REFUSED, time=on("9 April"))],
        on("14 April") - MOMENT,
        NOTHING,
        "on_hold",
        held_back={"reinvite-after-first-miss": {ASYLUM}},
        next_check=on("14 April"),
    ),
]

DETAINED = order(lodging=Lodging.DETAINED)
HOME_AGAIN = order(lodging_since=on("16 March"), time=on("20 March"))
LODGINGS = [
    History(
        "released: the days in detention stay known, its misses do not count",
        Source.INFERRED,
        [DETAINED, miss(1), miss(2), HOME_AGAIN],
        on("20 March"),
        {"invite-again"},
        "escalated",
        due=on("20 March"),
    ),
    History(
        "a correction says that the person was never detained: the misses count",
        Source.INFERRED,
        [DETAINED, miss(1), miss(2), order(lodging_since=on("2 March"), time=on("20 March"))],
        on("20 March"),
        {"outreach-after-second-miss"},
        "escalated",
    ),
    History(
        "a release without a date counts from the report",
        Source.INFERRED,
        [DETAINED, miss(1), miss(2), order(time=on("20 March"))],
        on("20 March"),
        {"invite-again"},
        "escalated",
        due=on("20 March"),
    ),
    History(
        "an arrest after a miss holds everything",
        Source.AIDA,
        [order(), miss(1), order(lodging=Lodging.DETAINED, time=on("9 March"))],
        on("10 March"),
        NOTHING,
        "followed",
    ),
    History(
        "two stays in detention: a miss between them counts",
        Source.INFERRED,
        [
            DETAINED,
            order(lodging_since=on("4 March"), time=on("4 March")),
            miss(1),
            order(lodging=Lodging.DETAINED, lodging_since=on("9 March"), time=on("9 March")),
            miss(2),
            order(lodging_since=on("16 March"), time=on("16 March")),
            planned(on("18 March"), "appointment-3", time=on("16 March")),
            miss(3, scheduled_at=on("18 March")),
        ],
        on("20 March"),
        {"outreach-after-second-miss"},
        "escalated",
    ),
    History(
        "the versions of a stay arrive in the wrong order",
        Source.INFERRED,
        [HOME_AGAIN, miss(1), miss(2), DETAINED],
        on("20 March"),
        {"invite-again"},
        "escalated",
    ),
]

EXPECTED = [
    History(
        "the absence is reported for another hour of the same appointment: it counts",
        Source.INFERRED,
        [
            order(),
            planned(on("5 March"), "appointment-1"),
            miss(1, scheduled_at=on("5 March 10:00")),
        ],
        on("6 March"),
        {"reinvite-after-first-miss"},
        "escalated",
    ),
    History(
        "the interview was held at the time of the appointment: its outcome is known",
        Source.INFERRED,
        [order(), planned(on("6 March")), interview(held_at=on("6 March"), time=on("6 March"))],
        start_of("11 March"),
        NOTHING,
        "followed",
    ),
    History(
        "the interview was held a moment before the appointment: its outcome is asked for",
        Source.INFERRED,
        [
            order(),
            planned(on("6 March") + MOMENT, time=on("5 March")),
            interview(held_at=on("6 March"), time=on("6 March")),
        ],
        start_of("11 March"),
        {"report-outcome"},
        "escalated",
    ),
    History(
        "an appointment as far ahead as the policy allows is a date",
        Source.INFERRED,
        [order(), interview(), planned(on("16 July"), time=on("2 March"))],
        on("1 June"),
        {"longest-pause"},
        "escalated",
    ),
    History(
        "an appointment a moment further ahead is asked about",
        Source.INFERRED,
        [order(), interview(), planned(on("16 July") + MOMENT, time=on("2 March"))],
        on("1 June"),
        {"check-dates", "silence"},
        "escalated",
    ),
]

HISTORIES = [*APPOINTMENTS, *EXPECTED, *ANSWERS, *ENDS, *OUTCOMES, *LODGINGS]


@table(HISTORIES)
def test_facts_upstream_tells(history: History) -> None:
    history.check()


def test_every_order_of_arrival_gives_the_same_decision() -> None:
    facts = [
        order(),
        planned(on("16 March"), "appointment-1"),
        planned(on("17 March"), "appointment-1", state=AppointmentState.MOVED, time=on("12 March")),
        miss(1, scheduled_at=on("17 March")),
        answered("reinvite-after-first-miss", "order-1/miss/appointment-1", on("18 March")),
        ended(on("20 March"), order_id="order-1"),
        ended(on("23 March"), order_id="order-1", state=FollowUpState.REOPENED),
    ]
    expected = decide(facts, on("24 March"))
    assert expected.status == "followed"
    for arrival in permutations(facts):
        assert decide(arrival, on("24 March")) == expected


def test_an_end_and_a_reopening_are_each_announced_once() -> None:
    facts, announced = [order(), miss(1)], Announced()
    announced = applied(announced, decide(facts, on("9 March"), announced))

    facts.append(ended(on("16 March"), EndReason.WHEREABOUTS_UNKNOWN))
    end = decide(facts, on("16 March"), announced)
    assert set(withdrawn(end)) == {"reinvite-after-first-miss"}
    (announcement,) = [o for o in outcomes(end) if isinstance(o, CaseEnded)]
    assert (announcement.reason, announcement.effective_at) == (
        EndReason.WHEREABOUTS_UNKNOWN,
        on("16 March"),
    )
    announced = applied(announced, end)
    assert decide(facts, on("17 March"), announced).messages == ()

    facts.append(ended(on("20 March"), state=FollowUpState.REOPENED))
    reopened = decide(facts, on("20 March"), announced)
    assert [type(o) for o in outcomes(reopened) if isinstance(o, CaseReopened)] == [CaseReopened]
    assert raised(reopened)["reinvite-after-first-miss"].round == 2
    announced = applied(announced, reopened)

    facts.append(ended(on("27 March"), EndReason.REMOVED, time=on("27 March")))
    again = decide(facts, on("27 March"), announced)
    assert [o.reason for o in outcomes(again) if isinstance(o, CaseEnded)] == [EndReason.REMOVED]
    names = [name for d in (end, reopened, again) for name, _ in d.messages]
    assert len(names) == len(set(names))


def test_a_later_version_corrects_the_reason_of_an_end() -> None:
    facts = [
        order(),
        ended(on("16 March"), EndReason.WHEREABOUTS_UNKNOWN),
        ended(on("16 March"), EndReason.DECEASED, time=on("18 March")),
    ]
    end = decide(facts, on("19 March")).end
    assert end is not None
    assert end.reason is EndReason.DECEASED


def test_a_case_that_ended_in_error_is_followed_as_if_it_never_had() -> None:
    facts = [order(), *checked(), miss(1), miss(2), miss(3)]
    wrongly = [*facts, ended(on("30 March")), ended(on("31 March"), state=FollowUpState.REOPENED)]
    for now in (on("1 April"), on("2 April"), on("11 May")):
        assert set(raised(decide(wrongly, now))) == set(raised(decide(facts, now)))


@pytest.mark.parametrize("order_of_events", [*permutations(range(3))])
def test_the_answer_of_a_review_may_arrive_before_the_misses_it_is_about(
    order_of_events: tuple[int, ...],
) -> None:
    late = [miss(2), miss(3), reviewed(ReviewDecision.LESS_COERCIVE_MEASURE, on("3 April"))]
    facts = [order(), *checked(), miss(1), *(late[index] for index in order_of_events)]
    assert set(raised(decide(facts, on("3 April")))) == {"measure-after-review"}


def test_a_stay_in_detention_is_known_after_the_person_went_home() -> None:
    stays = derive([DETAINED, HOME_AGAIN], on("23 March")).stays
    assert [(stay.lodging, stay.since, stay.until) for stay in stays] == [
        (Lodging.DETAINED, day(0), on("16 March")),
        (Lodging.HOME, on("16 March"), None),
    ]


def test_an_interview_that_quotes_an_appointment_reports_it() -> None:
    held = interview(held_at=on("10 March"), appointment_id="appointment-9")
    facts = [order(), planned(on("10 March")), held]
    assert derive(facts, on("20 March")).appointments.unreported is None
    assert derive(facts[:2], on("20 March")).appointments.unreported is not None
    accepted = interview(conclusion=Conclusion.UNDECIDED, held_at=on("3 March"))
    assert derive([*facts[:2], accepted], on("20 March")).appointments.unreported is not None


def test_the_case_is_looked_at_when_a_residence_of_an_earlier_version_begins_and_ends() -> None:
    facts = [
        order(residence_postcode=None),
        order(residence_postcode="4700", notified_at=on("23 March"), time=on("3 March")),
        order(residence_postcode=None, time=on("24 March")),
    ]
    checks, now = [], on("20 March")
    while now < on("25 March"):
        decision = decide(facts, now)
        checks.append((now, decision.office_id))
        assert decision.next_check is not None
        now = decision.next_check
    assert (on("23 March"), "liege") in checks
    assert (on("24 March"), "bruxelles") in checks


@pytest.mark.parametrize(
    ("moved_at", "expected"),
    [
        (on("4 March"), False),
        (on("5 March"), False),
        (on("5 March") + MOMENT, True),
    ],
)
def test_an_absence_counts_only_if_the_appointment_was_not_moved_by_then(
    moved_at: datetime, expected: bool
) -> None:
    moved = planned(on("12 March"), "appointment-1", state=AppointmentState.MOVED, time=moved_at)
    situation = derive([order(), moved, miss(1)], on("6 March"))

    assert bool(situation.counted) is expected


HOME, HOUSE, HELD = Lodging.HOME, Lodging.RETURN_HOUSE, Lodging.DETAINED


@pytest.mark.parametrize(
    ("versions", "stays"),
    [
        ([(HOME, None, 0)], [(HOME, 0)]),
        ([(HELD, None, 0), (HOME, None, 5)], [(HELD, 0), (HOME, 5)]),
        ([(HELD, None, 0), (HELD, None, 5)], [(HELD, 0)]),
        ([(HELD, None, 0), (HOME, 3, 5)], [(HELD, 0), (HOME, 3)]),
        ([(HOME, None, 0), (HELD, 5, 5), (HOUSE, 5, 6)], [(HOME, 0), (HOUSE, 5)]),  # corrected
        ([(HOME, None, 0), (HELD, 5, 5), (HELD, 3, 6)], [(HOME, 0), (HELD, 3)]),  # since earlier
        ([(HOME, None, 0), (HELD, 5, 5), (HELD, 7, 8)], [(HOME, 0), (HELD, 7)]),  # since later
        ([(HELD, -5, 0)], [(HELD, 0)]),  # since the notification at the earliest
        ([(HOME, None, 0), (HELD, 12, 5)], [(HOME, 0)]),  # only planned
        ([(HELD, 12, 0)], [(HELD, 12)]),  # nothing else is known
        ([(HOME, None, 0), (HELD, 10, 5)], [(HOME, 0), (HELD, 10)]),  # from this moment on
    ],
)
def test_where_the_person_lived_follows_from_every_version_of_the_order(
    versions: list[tuple[Lodging, int | None, int]], stays: list[tuple[Lodging, int]]
) -> None:
    facts = [
        order(
            lodging=lodging,
            lodging_since=day(since) if since is not None else None,
            time=day(told),
        )
        for lodging, since, told in versions
    ]
    known = derive(facts, day(10)).stays

    assert [(stay.lodging, stay.since) for stay in known] == [
        (lodging, day(since)) for lodging, since in stays
    ]


@pytest.mark.parametrize(
    ("left_at", "ended_by"),
    [
        ((on("4 May"),), on("4 May")),  # as the second order is notified
        ((on("4 May") - MOMENT,), None),
        ((on("11 May"), on("18 May")), on("18 May")),
        ((on("18 May"), on("11 May")), on("18 May")),
    ],
)
def test_a_departure_reported_under_earlier_orders_ends_the_case_from_the_last_order_on(
    left_at: tuple[datetime, ...], ended_by: datetime | None
) -> None:
    names = ["order-1", "order-0"][: len(left_at)]
    orders = [order(order_id=name) for name in names]
    latest = order(order_id="order-2", notified_at=on("4 May"))
    ends = [ended(at, order_id=name) for name, at in zip(names, left_at, strict=True)]
    end = derive([*orders, latest, *ends], on("1 June")).end

    assert (end and end.effective_at) == ended_by


def test_an_end_reported_before_its_day_holds_from_that_day_on() -> None:
    facts = [order(), ended(on("9 March"), time=on("3 March"))]
    before, then = (derive(facts, at) for at in (on("9 March") - MOMENT, on("9 March")))

    assert before.end is None
    assert on("9 March") in before.changes_at
    assert then.end is not None


def test_an_order_to_be_notified_later_is_looked_at_on_that_day() -> None:
    later = order(order_id="order-2", notified_at=day(10), time=day(1))

    for facts in ([order(), later], [later]):
        assert day(10) in derive(facts, day(2)).changes_at


@pytest.mark.parametrize(
    ("at", "now", "counted"),
    [
        (day(0), day(3), 1),  # as the order is notified
        (day(0) - MOMENT, day(3), 0),
        (day(3), day(3), 1),  # this moment
        (day(3) + MOMENT, day(3), 0),
    ],
)
def test_an_absence_counts_from_the_notification_up_to_now(
    at: datetime, now: datetime, counted: int
) -> None:
    situation = derive([order(), miss(1, scheduled_at=at, time=day(1))], now)

    assert len(situation.counted) == counted
    assert (situation.date_to_check is not None) == (at > now)
