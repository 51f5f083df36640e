"""Part 2: no case is forgotten. Every open case has a next date, a reason for it and an owner.

The order is notified on Monday 2 March 2026; both terms of 30 days end at the end of 1 April.
Easter Monday is 6 April, Ascension Day 14 May. A count of working days ends at midnight.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from schemas.codes import Guard
from schemas.events import (
    Answer,
    AnswerReason,
    AppointmentState,
    CircumstanceOutcome,
    Conclusion,
    Delivery,
    Household,
    HouseholdKind,
    Justification,
    Lodging,
    Notification,
    NotificationChannel,
    Review,
    ReviewDecision,
    TermReason,
)
from schemas.outcomes import Track
from streams.domain.case import Fact
from streams.domain.decision import Announced
from tests.domain.given import (
    FAMILY,
    MOMENT,
    answered,
    applied,
    appointment,
    checked,
    circumstance,
    decide,
    ended,
    interview,
    letters,
    miss,
    order,
    planned,
    raised,
    ref,
    reviewed,
    standing,
)
from tests.domain.life.beginnings import BEGINNINGS
from tests.domain.life.history import (
    COACH,
    NOTHING,
    OFFICIAL,
    TEAM_LEAD,
    History,
    Source,
    assert_not_forgotten,
    on,
    start_of,
    table,
)

ASYLUM, IDENTITY = Guard.ASYLUM_REQUEST_PENDING, Guard.IDENTITY_DOUBT
DETAINED = order(lodging=Lodging.DETAINED)
MINOR = Household(kind=HouseholdKind.UNACCOMPANIED_MINOR)
UNPROVEN = Notification(channel=NotificationChannel.REGISTERED_POST, proven=False)
ACCEPTED = interview(conclusion=Conclusion.VOLUNTARY_RETURN_ACCEPTED)
PROSPECT = interview(conclusion=Conclusion.RESIDENCE_PROSPECT)


def second_order(notified: str = "4 May", **changed: Any) -> Fact:
    fields = {"order_id": "order-2", "notified_at": on(notified), "repeat_order": True}
    return order(**{**fields, **changed})


FIRST_DATES = [
    History(
        "an order without a date: one is due after three working days",
        Source.SEED,
        [order()],
        start_of("6 March"),
        {"give-first-date"},
        "escalated",
        owner=COACH,
        due=start_of("6 March"),
        next_reason="reminder:give-first-date",
    ),
    History(
        "until then nothing is asked, and the case is looked at when the days are over",
        Source.SEED,
        [order()],
        start_of("6 March") - MOMENT,
        NOTHING,
        "followed",
        next_check=start_of("6 March"),
        next_reason="rule:give-first-date",
    ),
    History(
        "Good Friday is a working day, Easter Monday is not",
        Source.INFERRED,
        [order(notified_at=on("2 April"))],
        start_of("9 April"),
        {"give-first-date"},
        "escalated",
        due=start_of("9 April"),
    ),
    History(
        "a family gets a first date too",
        Source.AIDA,
        [order(household=FAMILY)],
        on("9 March"),
        {"give-first-date"},
        "escalated",
    ),
    History(
        "a first date does not wait for the proof of the notification",
        Source.INFERRED,
        [order(notification=UNPROVEN)],
        on("9 March"),
        {"give-first-date", "prove-notification"},
        "escalated",
    ),
    History(
        "an asylum request pending since the notification holds the first date back",
        Source.DVZ_FAQ,
        [order(), circumstance(ASYLUM, effective_at=on("2 March"))],
        on("9 March"),
        NOTHING,
        "followed",
        next_reason="rule:longest-pause",
    ),
    History(
        "a first miss is a first date",
        Source.INFERRED,
        [order(), miss(1)],
        on("9 March"),
        {"reinvite-after-first-miss"},
        "escalated",
    ),
]

PASSED = order(first_appointment=appointment(on("10 March")))
OUTCOMES = [
    History(
        "an appointment passed and nothing was reported: the office is asked after two days",
        Source.INFERRED,
        [PASSED],
        start_of("13 March"),
        {"report-outcome"},
        "escalated",
        owner=COACH,
        due=start_of("13 March"),
    ),
    History(
        "the office has two working days to report",
        Source.INFERRED,
        [PASSED],
        start_of("13 March") - MOMENT,
        NOTHING,
        "followed",
        next_check=start_of("13 March"),
        next_reason="rule:report-outcome",
    ),
    History(
        "at the hour of the appointment it has passed",
        Source.INFERRED,
        [PASSED],
        on("10 March"),
        NOTHING,
        "followed",
        next_check=start_of("13 March"),
    ),
    History(
        "an absence was reported",
        Source.INFERRED,
        [PASSED, miss(1, appointment_id="appointment-9", scheduled_at=on("10 March"))],
        on("16 March"),
        {"reinvite-after-first-miss"},
        "escalated",
    ),
    History(
        "a walk-in interview after the appointment covers it",
        Source.DVZ_FAQ,
        [PASSED, interview(held_at=on("11 March"))],
        on("16 March"),
        NOTHING,
        "followed",
    ),
    History(
        "an interview before the appointment does not cover it",
        Source.INFERRED,
        [PASSED, interview(held_at=on("9 March"))],
        on("16 March"),
        {"report-outcome"},
        "escalated",
    ),
    History(
        "the office is asked about the appointment of a person arrested since",
        Source.INFERRED,
        [
            PASSED,
            order(
                first_appointment=appointment(on("10 March")),
                lodging=Lodging.DETAINED,
                lodging_since=on("11 March"),
                time=on("11 March"),
            ),
        ],
        on("16 March"),
        {"report-outcome"},
        "escalated",
    ),
    History(
        "moved after the person had missed it: the new date is asked about too",
        Source.INFERRED,
        [
            order(),
            miss(1),
            planned(
                on("24 March"), "appointment-1", state=AppointmentState.MOVED, time=on("6 March")
            ),
        ],
        start_of("27 March"),
        {"report-outcome"},
        "escalated",
        due=start_of("27 March"),
    ),
    History(
        "two appointments passed: the office is asked about the first",
        Source.INFERRED,
        [PASSED, planned(on("17 March"), "appointment-10")],
        on("23 March"),
        {"report-outcome"},
        "escalated",
        due=start_of("13 March"),
    ),
]

NOTIFICATIONS = [
    History(
        "the notification is not proven: the team lead is asked after two days",
        Source.AGII_NOT,
        [order(notification=UNPROVEN)],
        start_of("5 March"),
        {"prove-notification"},
        "escalated",
        owner=TEAM_LEAD,
        due=start_of("5 March"),
    ),
    History(
        "without the proof no absence leads anywhere",
        Source.AGII_NOT,
        [order(notification=UNPROVEN), *checked(), miss(1), miss(2), miss(3)],
        on("4 May"),
        {"prove-notification"},
        "escalated",
        held_back={"review-after-third-miss": {Guard.NOTIFICATION_NOT_PROVEN}},
    ),
    History(
        "the proof arrives",
        Source.AGII_NOT,
        [order(notification=UNPROVEN), order(time=on("9 March")), miss(1)],
        on("10 March"),
        {"reinvite-after-first-miss"},
        "escalated",
    ),
    History(
        "the order is notified again: what was missed before does not count",
        Source.AGII_NOT,
        [
            order(notification=UNPROVEN),
            *checked(),
            miss(1),
            miss(2),
            miss(3),
            order(notified_at=on("7 April"), time=on("7 April")),
        ],
        on("11 May"),
        {"give-first-date"},
        "escalated",
        due=start_of("11 April"),
    ),
]

RETURNS = [
    History(
        "a voluntary return is accepted: the coach refers the person at once",
        Source.DVZ_ATD2,
        [order(), ACCEPTED],
        ACCEPTED.time,
        {"refer-to-return-programme"},
        "escalated",
        owner=COACH,
        due=ACCEPTED.time,
    ),
    History(
        "the departure is followed after twenty working days",
        Source.DVZ_ATD2,
        [order(), ACCEPTED],
        start_of("4 April"),
        {"follow-departure"},
        "escalated",
        due=start_of("4 April"),
    ),
    History(
        "the time to leave has ended: the follow-up goes on with an invitation",
        Source.INFERRED,
        [order(), ACCEPTED],
        start_of("6 May"),
        {"invite-again"},
        "escalated",
        due=start_of("6 May"),
    ),
    History(
        "an accepted return does not hold three later misses for ever",
        Source.INFERRED,
        [
            order(),
            *checked(),
            ACCEPTED,
            *(miss(number, scheduled_at=on(f"{number + 10} May")) for number in (1, 2, 3)),
        ],
        on("1 June"),
        {"review-after-third-miss"},
        "escalated",
        owner=OFFICIAL,
    ),
    History(
        "what is missed while the return is prepared does not count",
        Source.INFERRED,
        [order(), ACCEPTED, miss(2), miss(3), miss(4)],
        on("30 March"),
        {"refer-to-return-programme"},
        "escalated",
    ),
    History(
        "the person changes their mind",
        Source.INFERRED,
        [order(), ACCEPTED, interview(2)],
        on("16 March"),
        NOTHING,
        "followed",
    ),
    History(
        "a return accepted under the first order is followed under the second",
        Source.DVZ_ATD2,
        [order(), ACCEPTED, second_order("16 March")],
        on("17 March"),
        {"refer-to-return-programme"},
        "escalated",
    ),
    History(
        "the person left: nothing is asked any more",
        Source.DVZ_ATD2,
        [order(), ACCEPTED, ended(on("30 March"))],
        on("4 May"),
        NOTHING,
        "ended",
    ),
]

PROSPECTS = [
    History(
        "a residence prospect: the coach helps to lodge after ten working days",
        Source.DVZ_ATD2,
        [order(), PROSPECT],
        start_of("21 March"),
        {"lodge-application"},
        "escalated",
        due=start_of("21 March"),
    ),
    History(
        "the deadline is announced before it counts",
        Source.INFERRED,
        [order(), PROSPECT],
        start_of("21 April"),
        {"prospect-deadline"},
        "escalated",
        due=start_of("21 April"),
    ),
    History(
        "the application was lodged",
        Source.DVZ_ATD2,
        [
            order(),
            PROSPECT,
            circumstance(Guard.NEW_RESIDENCE_PROCEDURE, effective_at=on("16 March")),
        ],
        on("21 April"),
        NOTHING,
        "followed",
    ),
    History(
        "asylum was requested instead",
        Source.INFERRED,
        [order(), PROSPECT, circumstance(ASYLUM, effective_at=on("16 March"))],
        on("21 April"),
        NOTHING,
        "followed",
    ),
    History(
        "nothing was lodged in time: the follow-up goes on with an invitation",
        Source.INFERRED,
        [order(), PROSPECT],
        start_of("6 May"),
        {"invite-again"},
        "escalated",
    ),
]

MINORS = [
    History(
        "an unaccompanied minor: the guardianship service is informed by the team lead",
        Source.VR_38,
        [order(household=MINOR)],
        on("2 March"),
        {"inform-guardianship"},
        "escalated",
        owner=TEAM_LEAD,
        due=on("2 March"),
    ),
    History(
        "no absence of an unaccompanied minor leads anywhere",
        Source.KIND,
        [order(household=MINOR), *checked(), miss(1), miss(2), miss(3)],
        on("4 May"),
        {"inform-guardianship"},
        "escalated",
        held_back={"review-after-third-miss": {Guard.UNACCOMPANIED_MINOR}},
    ),
    History(
        "a family is reported as detained: the team lead is told at once",
        Source.AIDA,
        [order(household=FAMILY, lodging=Lodging.DETAINED)],
        on("2 March"),
        {"minors-detained"},
        "escalated",
        owner=TEAM_LEAD,
        due=on("2 March"),
    ),
    History(
        "an unaccompanied minor is reported as detained",
        Source.KIND,
        [order(household=MINOR, lodging=Lodging.DETAINED)],
        on("2 March"),
        {"minors-detained", "inform-guardianship"},
        "escalated",
        owner=TEAM_LEAD,
    ),
    History(
        "a family is arrested later",
        Source.AIDA,
        [
            order(household=FAMILY),
            order(household=FAMILY, lodging=Lodging.DETAINED, time=on("10 March")),
        ],
        on("10 March"),
        {"minors-detained"},
        "escalated",
        due=on("10 March"),
    ),
    History(
        "the report was an error: the family lives at home",
        Source.AIDA,
        [
            order(household=FAMILY, lodging=Lodging.DETAINED),
            order(household=FAMILY, lodging_since=on("2 March"), time=on("3 March")),
        ],
        on("3 March"),
        NOTHING,
        "followed",
    ),
    History(
        "an adult in detention is no contradiction",
        Source.AIDA,
        [DETAINED],
        on("4 March"),
        NOTHING,
        "followed",
    ),
]

WITHOUT_ORDER = [
    History(
        "a miss without its order: the team lead is asked after five working days",
        Source.INFERRED,
        [miss(1)],
        start_of("13 March"),
        {"find-order"},
        "escalated",
        owner=TEAM_LEAD,
        due=start_of("13 March"),
    ),
    History(
        "the order has five working days to arrive",
        Source.INFERRED,
        [miss(1)],
        start_of("13 March") - MOMENT,
        NOTHING,
        "awaiting_order",
        next_check=start_of("13 March"),
        next_reason="rule:find-order",
    ),
    History(
        "a circumstance without its order",
        Source.INFERRED,
        [circumstance(ASYLUM, effective_at=on("5 March"))],
        on("13 March"),
        {"find-order"},
        "escalated",
    ),
    History(
        "an answer without its order",
        Source.INFERRED,
        [answered("silence", "order-1/silent-since/2026-02-02", on("5 March"))],
        on("13 March"),
        {"find-order"},
        "escalated",
    ),
    History(
        "an appointment without its order",
        Source.INFERRED,
        [planned(on("16 March"), time=on("5 March"))],
        on("13 March"),
        {"find-order"},
        "escalated",
    ),
    History(
        "the end of an order that is not known does not find the order",
        Source.INFERRED,
        [ended(on("5 March"), order_id="order-1")],
        on("13 March"),
        {"find-order"},
        "escalated",
    ),
    History(
        "the search is answered: it is not announced again under another occasion",
        Source.INFERRED,
        [miss(1), answered("find-order", "first_event/2026-03-05", on("16 March"))],
        on("16 March"),
        NOTHING,
        "awaiting_order",
        owner=TEAM_LEAD,
        next_reason="rule:longest-pause",
    ),
    History(
        "the search is answered and no order came: the case is looked at after the longest pause",
        Source.INFERRED,
        [miss(1), answered("find-order", "first_event/2026-03-05", on("16 March"))],
        on("14 May"),
        {"longest-pause"},
        "escalated",
        owner=TEAM_LEAD,
    ),
    History(
        "the order arrives late: the absence before it is known at once",
        Source.INFERRED,
        [miss(1), order(time=on("16 March"))],
        on("16 March"),
        {"reinvite-after-first-miss"},
        "escalated",
        due=on("16 March"),
    ),
]


def doubt(**changed: Any) -> Fact:
    return circumstance(IDENTITY, **{"effective_at": on("10 March"), **changed})


CONFIRM_DOUBT = ("confirm-circumstance", "circumstance/identity_doubt/procedure-1/2026-03-10")
CIRCUMSTANCES = [
    History(
        "a circumstance that never ended is asked about after sixty days",
        Source.INFERRED,
        [order(), interview(), doubt()],
        start_of("9 May"),
        {"confirm-circumstance"},
        "escalated",
        owner=COACH,
        due=start_of("9 May"),
    ),
    History(
        "until then it blocks and is not asked about",
        Source.INFERRED,
        [order(), miss(1), doubt()],
        start_of("23 April"),
        NOTHING,
        "on_hold",
        held_back={"reinvite-after-first-miss": {IDENTITY}},
    ),
    History(
        "an open question about health is asked about after thirty days",
        Source.RD14,
        [
            order(),
            interview(),
            circumstance(Guard.MEDICAL_OR_VULNERABLE_UNREVIEWED, effective_at=on("10 March")),
        ],
        start_of("9 April"),
        {"confirm-circumstance"},
        "escalated",
        due=start_of("9 April"),
    ),
    History(
        "until it is answered the circumstance goes on blocking",
        Source.INFERRED,
        [order(), miss(1), doubt()],
        on("1 July"),
        {"confirm-circumstance"},
        "escalated",
        held_back={"reinvite-after-first-miss": {IDENTITY}},
    ),
    History(
        "it still holds: it is asked about again sixty days later",
        Source.INFERRED,
        [
            order(),
            miss(1),
            doubt(),
            answered(*CONFIRM_DOUBT, on("12 May"), reason=AnswerReason.STILL_HOLDS),
        ],
        start_of("11 July"),
        {"confirm-circumstance"},
        "escalated",
        held_back={"reinvite-after-first-miss": {IDENTITY}},
        due=start_of("11 July"),
    ),
    History(
        "it still holds: it is not asked about the day after",
        Source.INFERRED,
        [
            order(),
            miss(1),
            doubt(),
            answered(*CONFIRM_DOUBT, on("12 May"), reason=AnswerReason.STILL_HOLDS),
        ],
        on("13 May"),
        NOTHING,
        "on_hold",
        held_back={"reinvite-after-first-miss": {IDENTITY}},
    ),
    History(
        "it no longer holds: the follow-up goes on with an invitation",
        Source.INFERRED,
        [
            order(),
            interview(),
            doubt(),
            answered(*CONFIRM_DOUBT, on("12 May"), reason=AnswerReason.NO_LONGER_HOLDS),
        ],
        on("12 May"),
        {"invite-again"},
        "escalated",
    ),
    History(
        "an end reported for a year far ahead is not believed: it is asked about",
        Source.INFERRED,
        [
            order(),
            interview(),
            doubt(),
            doubt(ends=True, effective_at=on("10 March 2099"), time=on("11 March")),
        ],
        start_of("9 May"),
        {"confirm-circumstance"},
        "escalated",
        due=start_of("9 May"),
    ),
    History(
        "a decision announced for a year far ahead is not believed either",
        Source.INFERRED,
        [
            order(),
            interview(),
            circumstance(ASYLUM, effective_at=on("10 March")),
            circumstance(
                ASYLUM,
                ends=True,
                effective_at=on("10 March 2099"),
                outcome=CircumstanceOutcome.REFUSED,
                time=on("11 March"),
            ),
        ],
        start_of("9 May"),
        {"confirm-circumstance"},
        "escalated",
    ),
    History(
        "an end in the near future is believed",
        Source.RD14,
        [
            order(),
            interview(),
            circumstance(Guard.EXTENSION_GRANTED, effective_at=on("10 March")),
            circumstance(
                Guard.EXTENSION_GRANTED,
                ends=True,
                effective_at=on("24 April"),
                time=on("11 March"),
            ),
        ],
        on("24 April"),
        {"invite-again"},
        "escalated",
        due=on("24 April"),
    ),
    History(
        "it ended and begins again under one reference: somebody is asked at once",
        Source.INFERRED,
        [
            order(),
            miss(1),
            doubt(ends=True, effective_at=on("16 March")),
            doubt(effective_at=on("23 March")),
        ],
        on("23 March"),
        {"confirm-circumstance"},
        "escalated",
        held_back={"reinvite-after-first-miss": {IDENTITY}},
        due=on("23 March"),
    ),
    *[
        History(
            f"a procedure ended ({outcome or 'no outcome'}) and begins again under one reference",
            Source.INFERRED,
            [
                order(),
                miss(1),
                circumstance(ASYLUM, ends=True, effective_at=on("16 March"), outcome=outcome),
                circumstance(ASYLUM, effective_at=on("23 March")),
            ],
            on("23 March"),
            {"confirm-circumstance"},
            "escalated",
            held_back={"reinvite-after-first-miss": {ASYLUM}},
            due=on("23 March"),
        )
        for outcome in (None, CircumstanceOutcome.REFUSED)
    ],
]


def over(guard: Guard, outcome: CircumstanceOutcome | None = None) -> list[Fact]:
    """Return a circumstance from 10 to 24 March."""
    return [
        circumstance(guard, effective_at=on("10 March")),
        circumstance(guard, ends=True, effective_at=on("24 March"), outcome=outcome),
    ]


INVITATIONS = [
    *[
        History(
            f"an absence whose reason is {what}: the person is invited again at once",
            Source.VR_LAW,
            [order(), miss(1, justification=justification, review=review)],
            miss(1).time,
            {"invite-again"},
            "escalated",
            owner=COACH,
            due=miss(1).time,
        )
        for what, justification, review in (
            ("accepted", Justification.MEDICAL, Review.ACCEPTED),
            ("under review", Justification.CHILDCARE, Review.PENDING),
            ("not reviewed yet", Justification.TRANSPORT_STRIKE, Review.NONE),
            ("not asked yet", Justification.UNKNOWN, Review.NONE),
        )
    ],
    History(
        "an invitation that did not arrive: its delivery is checked",
        Source.VR_LAW,
        [order(), miss(1, delivery=Delivery.FAILED)],
        miss(1).time,
        {"check-delivery"},
        "escalated",
    ),
    History(
        "a person who is released is invited at once",
        Source.INFERRED,
        [DETAINED, order(lodging_since=on("24 March"), time=on("24 March"))],
        on("24 March"),
        {"invite-again"},
        "escalated",
        due=on("24 March"),
    ),
    *[
        History(
            f"the end of {what} brings an invitation at once",
            Source.DVZ_FAQ,
            [order(), interview(), *over(guard, outcome)],
            on("24 March"),
            {"invite-again"},
            "escalated",
            due=on("24 March"),
        )
        for what, guard, outcome in (
            ("an appeal", Guard.APPEAL_SUSPENSIVE_PENDING, CircumstanceOutcome.REFUSED),
            ("an extension", Guard.EXTENSION_GRANTED, None),
            ("a school suspension", Guard.SCHOOL_TERM_SUSPENSION, None),
        )
    ],
    History(
        "an invitation is already planned when the appeal ends",
        Source.INFERRED,
        [
            order(),
            interview(),
            *over(Guard.APPEAL_SUSPENSIVE_PENDING, CircumstanceOutcome.REFUSED),
            planned(on("30 March"), time=on("20 March")),
        ],
        on("24 March"),
        NOTHING,
        "followed",
        next_check=on("30 March"),
    ),
    History(
        "one procedure ends while another goes on: no invitation yet",
        Source.DVZ_FAQ,
        [
            order(),
            interview(),
            *over(Guard.APPEAL_SUSPENSIVE_PENDING, CircumstanceOutcome.REFUSED),
            circumstance(ASYLUM, effective_at=on("20 March"), reference="procedure-2"),
        ],
        on("24 March"),
        NOTHING,
        "followed",
    ),
]

OLDER_ORDERS = [
    History(
        "three absences under the first order: the second begins with a first date",
        Source.METRO,
        [order(), *checked(), miss(1), miss(2), miss(3), second_order()],
        start_of("8 May"),
        {"give-first-date"},
        "escalated",
        due=start_of("8 May"),
    ),
    History(
        "interviews under the first order: the second begins with a first date",
        Source.METRO,
        [order(), interview(1), interview(2), second_order()],
        start_of("8 May"),
        {"give-first-date"},
        "escalated",
    ),
    History(
        "the new order itself is a step: the silence under the old one is over",
        Source.INFERRED,
        [order(), interview(), second_order()],
        on("4 May"),
        NOTHING,
        "followed",
        next_reason="rule:give-first-date",
    ),
]

LONGEST_PAUSE = [
    History(
        "a person in detention: the team lead looks at the case after the longest pause",
        Source.INFERRED,
        [DETAINED],
        start_of("24 April"),
        {"longest-pause"},
        "escalated",
        owner=TEAM_LEAD,
        due=start_of("24 April"),
    ),
    History(
        "a case that was handed over: its handing over is looked at after the longest pause",
        Source.INFERRED,
        [
            order(),
            *checked(),
            miss(1),
            miss(2),
            miss(3),
            reviewed(ReviewDecision.HANDED_TO_IMMIGRATION_OFFICE, on("3 April")),
        ],
        start_of("3 June"),
        {"longest-pause"},
        "escalated",
    ),
    History(
        "the end of the longest pause is answered: it starts anew",
        Source.INFERRED,
        [
            DETAINED,
            answered("longest-pause", "order-1/silent-since/2026-03-02", on("27 April")),
        ],
        on("28 April"),
        NOTHING,
        "followed",
        next_reason="rule:longest-pause",
    ),
    History(
        "an appointment far ahead, found right when asked: the pause ends before the appointment",
        Source.INFERRED,
        [
            order(),
            planned(on("21 May"), time=on("10 March")),
            answered("check-dates", "order-1/date/appointment-9", on("12 March")),
        ],
        start_of("7 May"),
        {"longest-pause"},
        "escalated",
        owner=TEAM_LEAD,
        due=start_of("7 May"),
    ),
    History(
        "a departure term below its minimum: an official is asked",
        Source.AGII_TERM,
        [order(departure_term_days=3, departure_term_reason=TermReason.NO_LONG_STAY_RIGHT)],
        on("2 March"),
        {"check-term"},
        "escalated",
        owner=OFFICIAL,
    ),
]

HISTORIES = [
    *FIRST_DATES,
    *OUTCOMES,
    *NOTIFICATIONS,
    *RETURNS,
    *PROSPECTS,
    *MINORS,
    *WITHOUT_ORDER,
    *CIRCUMSTANCES,
    *INVITATIONS,
    *OLDER_ORDERS,
    *LONGEST_PAUSE,
]


@table(HISTORIES)
def test_nobody_is_forgotten(history: History) -> None:
    history.check()


LONGEST = timedelta(days=60)


@pytest.mark.parametrize("facts", BEGINNINGS.values(), ids=BEGINNINGS)
@pytest.mark.parametrize("answers", [None, Answer.DONE, Answer.NOT_APPLICABLE, Answer.TAKEN_UP])
def test_a_year_of_next_checks_has_no_silence_longer_than_sixty_days(
    facts: Sequence[Fact], answers: Answer | None
) -> None:
    """Walk from check to check. Each proposal is answered at once, in one way, or never.

    A day is not silent if a proposal stands, is answered or a fact arrives.
    """
    known, announced = list(facts), Announced()
    now = max(fact.time for fact in facts)
    spoken, end = now, now + timedelta(days=365)
    while now < end:
        decision = decide(known, now, announced)
        assert_not_forgotten(decision, now)
        announced = applied(announced, decision)
        if announced.standing:
            spoken = now
        assert now - spoken <= LONGEST
        asked = raised(decision)
        if asked and answers is not None:
            known += [
                answered(rule, one.occasion, now, answers, round=one.round)
                for rule, one in asked.items()
            ]
            now += MOMENT
            continue
        assert decision.next_check is not None
        now = decision.next_check


def test_the_days_of_the_longest_pause_are_never_more_than_sixty() -> None:
    """The days to the rule are working days, the promise is in calendar days."""
    rule, calendar = ref().policy.rule("longest-pause"), ref().calendar
    assert rule is not None
    for days in range(14 * 365):
        step = start_of("1 January") + timedelta(days=days)
        due = calendar.after_working_days(step, rule.after[0].working_days)
        assert due.astimezone(UTC) <= step.astimezone(UTC) + LONGEST


@pytest.mark.parametrize("hours", range(0, 24 * 30, 37))
def test_a_first_date_is_due_within_a_week_of_any_notification(hours: int) -> None:
    notified = on("20 March") + timedelta(hours=hours)
    facts = [order(notified_at=notified)]
    assert "give-first-date" not in standing(facts, notified + timedelta(days=3) - MOMENT)
    assert "give-first-date" in standing(facts, notified + timedelta(days=8))


def test_a_case_with_dead_letters_only_belongs_to_the_team_lead_of_triage() -> None:
    decision = decide([], on("9 March"), Announced(open_dead_letters=letters()))
    assert (decision.status, decision.owner) == ("needs_repair", TEAM_LEAD)
    assert (decision.office_id, decision.track) == (ref().directory.triage_office, Track.TRIAGE)
    assert_not_forgotten(decision, on("9 March"))


@pytest.mark.parametrize("facts", BEGINNINGS.values(), ids=BEGINNINGS)
def test_a_dead_letter_takes_no_case_off_the_calendar(facts: Sequence[Fact]) -> None:
    now: datetime = on("4 May")
    decision = decide(facts, now, Announced(open_dead_letters=letters()))
    assert decision.status == "needs_repair"
    assert not raised(decision)
    assert_not_forgotten(decision, now)


def test_three_interviews_under_the_first_order_are_in_the_evidence_of_the_second() -> None:
    facts = [
        order(),
        *(interview(number) for number in (1, 2, 3)),
        second_order(),
        *checked(),
        *(
            miss(number, order_id="order-2", scheduled_at=on(f"{number + 10} May"))
            for number in (1, 2, 3)
        ),
        reviewed(ReviewDecision.ADDRESS_CHECK, on("9 June"), occasion="order-2/miss/appointment-3"),
    ]
    assert set(standing(facts, on("8 June"))) == {"review-after-third-miss"}
    assert "address-check-referral" not in standing(facts, on("1 September"))
