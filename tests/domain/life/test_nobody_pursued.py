"""Part 3: nobody is pursued who should not be.

The order is notified on Monday 2 March 2026; both terms of 30 days end at the end of 1 April. The
appointments are on the Thursdays 5, 12 and 19 March. Easter Monday is 6 April, 1 May is a holiday.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from schemas.codes import Guard, Language
from schemas.events import (
    Answer,
    AppointmentState,
    CircumstanceOutcome,
    Conclusion,
    EndReason,
    Household,
    HouseholdKind,
    Justification,
    Lodging,
    Review,
    ReviewDecision,
)
from schemas.outcomes import GuardReport, GuardState
from streams.domain.case import Fact
from streams.domain.decision import Announced
from streams.domain.identity import escalation_id
from tests.domain.given import (
    CASE_ID,
    FAMILY,
    MOMENT,
    TERM_END,
    answered,
    applied,
    appointment,
    checked,
    circumstance,
    decide,
    derive,
    ended,
    interview,
    miss,
    order,
    planned,
    raised,
    ref,
    reviewed,
    standing,
    withdrawn,
)
from tests.domain.life.history import (
    COACH,
    NOTHING,
    OFFICIAL,
    TEAM_LEAD,
    History,
    Source,
    on,
    start_of,
    table,
)

ASYLUM, APPEAL = Guard.ASYLUM_REQUEST_PENDING, Guard.APPEAL_SUSPENSIVE_PENDING
HEALTH = Guard.MEDICAL_OR_VULNERABLE_UNREVIEWED
REFOULEMENT = Guard.NON_REFOULEMENT_CHECK_MISSING
GRANTED, REFUSED = CircumstanceOutcome.GRANTED, CircumstanceOutcome.REFUSED
MINOR = Household(kind=HouseholdKind.UNACCOMPANIED_MINOR)

MISSES = [miss(1), miss(2), miss(3)]
THREE = [order(), *checked(), *MISSES]
"""An order, both checks reported clear, and three absences that count."""
ADDRESS_CHECK = reviewed(ReviewDecision.ADDRESS_CHECK, on("3 April"))
MEASURE = reviewed(ReviewDecision.LESS_COERCIVE_MEASURE, on("3 April"))
HANDED_OVER = reviewed(ReviewDecision.HANDED_TO_IMMIGRATION_OFFICE, on("3 April"))
REVIEW = ("review-after-third-miss", "order-1/miss/appointment-3")
MEASURE_PROPOSAL = ("measure-after-review", f"order-1/review/{escalation_id(CASE_ID, *REVIEW)}")
END_OF_ASYLUM = ("record-end", "end/granted/asylum_request_pending/procedure-1")
DETAINED = order(lodging=Lodging.DETAINED)
REFUSAL = interview(conclusion=Conclusion.VOLUNTARY_RETURN_REFUSED)


def during(
    guard: Guard, since: str, until: str, outcome: CircumstanceOutcome | None = None
) -> list[Fact]:
    """Return a circumstance between two instants of 2026."""
    return [
        circumstance(guard, effective_at=on(since)),
        circumstance(guard, ends=True, effective_at=on(until), outcome=outcome),
    ]


def second_order(notified: str = "4 May", **changed: Any) -> Fact:
    fields = {"order_id": "order-2", "notified_at": on(notified), "repeat_order": True}
    return order(**{**fields, **changed})


def second_misses() -> list[Fact]:
    """Return three absences under the second order, on 11, 12 and 13 May."""
    return [
        miss(number, order_id="order-2", scheduled_at=on(f"{number + 10} May"))
        for number in (1, 2, 3)
    ]


RIGHTS_WON = [
    History(
        "asylum is granted to a person due for an address check: only the end is asked for",
        Source.DVZ_ATD2,
        [
            *THREE,
            ADDRESS_CHECK,
            circumstance(ASYLUM, ends=True, effective_at=on("4 May"), outcome=GRANTED),
        ],
        on("4 May"),
        {"record-end"},
        "escalated",
        owner=OFFICIAL,
        due=on("4 May"),
    ),
    History(
        "a residence permit is granted inside the departure term",
        Source.DVZ_ATD2,
        [order(), miss(1), *during(Guard.NEW_RESIDENCE_PROCEDURE, "6 March", "16 March", GRANTED)],
        on("16 March"),
        {"record-end"},
        "escalated",
    ),
    History(
        "an appeal is granted while an asylum request goes on",
        Source.AGII_APP,
        [
            *THREE,
            *during(APPEAL, "6 April", "4 May", GRANTED),
            circumstance(ASYLUM, effective_at=on("6 April"), reference="procedure-2"),
        ],
        on("4 May"),
        {"record-end"},
        "escalated",
    ),
    *[
        History(
            f"{guard} is no procedure about a right: granted ends nothing, the follow-up goes on",
            Source.RD14 if guard is Guard.EXTENSION_GRANTED else Source.INFERRED,
            [order(), interview(), *during(guard, "10 March", "24 March", GRANTED)],
            on("24 March"),
            {"invite-again"} if guard in ref().policy.counting.pausing else NOTHING,
            "escalated" if guard in ref().policy.counting.pausing else "followed",
            owner=COACH,
        )
        for guard in sorted({*Guard} - ref().policy.counting.decided)
    ],
    History(
        "a right granted before the order was notified does not end its follow-up",
        Source.INFERRED,
        [order(), *during(ASYLUM, "5 January", "2 February", GRANTED), miss(1)],
        on("9 March"),
        {"reinvite-after-first-miss"},
        "escalated",
    ),
    History(
        "a new order after a granted right is followed",
        Source.INFERRED,
        [order(), *during(ASYLUM, "6 March", "16 March", GRANTED), second_order()],
        start_of("8 May"),
        {"give-first-date"},
        "escalated",
    ),
    History(
        "the official says that the follow-up does not end: it goes on with an invitation",
        Source.INFERRED,
        [
            *THREE,
            *during(ASYLUM, "3 April", "4 May", GRANTED),
            answered(*END_OF_ASYLUM, on("6 May"), kind=Answer.NOT_APPLICABLE, role=OFFICIAL),
        ],
        on("6 May"),
        {"reinvite-after-first-miss"},
        "escalated",
    ),
    *[
        History(
            f"a {role} says {kind} to the end: an official is still asked, and nothing goes on",
            Source.GDPR22,
            [
                *THREE,
                *during(ASYLUM, "3 April", "4 May", GRANTED),
                answered(*END_OF_ASYLUM, on("6 May"), kind=kind, role=role),
            ],
            on("6 May"),
            {"record-end"},
            "escalated",
            owner=OFFICIAL,
        )
        for role in (COACH, TEAM_LEAD)
        for kind in (Answer.DONE, Answer.NOT_APPLICABLE)
    ],
    History(
        "the official has recorded the end, and its event is on its way: nothing is asked",
        Source.INFERRED,
        [
            *THREE,
            *during(ASYLUM, "3 April", "4 May", GRANTED),
            answered(*END_OF_ASYLUM, on("6 May"), role=OFFICIAL),
        ],
        on("6 May"),
        NOTHING,
        "on_hold",
    ),
    *[
        History(
            f"{reason}: the only order is gone, and the case with it",
            Source.AGII_APP,
            [*THREE, ADDRESS_CHECK, ended(on("4 May"), reason, order_id="order-1")],
            on("4 May"),
            NOTHING,
            "ended",
        )
        for reason in (EndReason.ORDER_ANNULLED, EndReason.ORDER_WITHDRAWN)
    ],
    History(
        "the second order is annulled: an official is asked, the first is not enforced meanwhile",
        Source.AGII_APP,
        [
            *THREE,
            second_order("13 April"),
            ended(on("4 May"), EndReason.ORDER_ANNULLED, order_id="order-2"),
        ],
        on("4 May"),
        {"record-end"},
        "escalated",
        owner=OFFICIAL,
        due=on("4 May"),
    ),
    History(
        "both orders are gone",
        Source.AGII_APP,
        [
            *THREE,
            second_order("13 April"),
            ended(on("4 May"), EndReason.ORDER_ANNULLED, order_id="order-2"),
            ended(on("4 May"), EndReason.ORDER_WITHDRAWN, order_id="order-1"),
        ],
        on("4 May"),
        NOTHING,
        "ended",
    ),
    History(
        "two later orders are annulled at one instant: one question",
        Source.INFERRED,
        [
            order(),
            second_order("9 March"),
            second_order("16 March", order_id="order-3"),
            ended(on("4 May"), EndReason.ORDER_ANNULLED, order_id="order-3"),
            ended(on("4 May"), EndReason.ORDER_ANNULLED, order_id="order-2"),
        ],
        on("4 May"),
        {"record-end"},
        "escalated",
    ),
    History(
        "an ended case is not escalated, whatever its facts say",
        Source.INFERRED,
        [*THREE, ADDRESS_CHECK, ended(on("4 May"), EndReason.DECEASED)],
        on("1 July"),
        NOTHING,
        "ended",
    ),
    *[
        History(
            f"a procedure ended, its outcome is {outcome or 'not reported'}: three absences wait",
            Source.GENT,
            [*THREE, *during(ASYLUM, "3 April", "4 May", outcome)],
            on("11 May"),
            {"report-decision"},
            "escalated",
            held_back={"review-after-third-miss": {ASYLUM}},
        )
        for outcome in (None, CircumstanceOutcome.UNKNOWN)
    ],
]

PAUSES = [
    History(
        "an appeal ends with three absences counted: the first step is an invitation",
        Source.AGII_APP,
        [*THREE, *during(APPEAL, "30 March", "4 May", REFUSED)],
        on("4 May"),
        {"reinvite-after-first-miss"},
        "escalated",
        owner=COACH,
        due=on("4 May"),
    ),
    History(
        "a release with three absences counted: the first step is an invitation",
        Source.INFERRED,
        [
            *THREE,
            ADDRESS_CHECK,
            order(lodging=Lodging.DETAINED, lodging_since=on("6 April"), time=on("6 April")),
            order(lodging_since=on("4 May"), time=on("4 May")),
        ],
        on("4 May"),
        {"reinvite-after-first-miss"},
        "escalated",
        due=on("4 May"),
    ),
    History(
        "the invitation after the release is planned: nothing else is proposed",
        Source.INFERRED,
        [
            *THREE,
            order(lodging=Lodging.DETAINED, lodging_since=on("23 March"), time=on("23 March")),
            order(lodging_since=on("4 May"), time=on("4 May")),
            planned(on("11 May"), "appointment-4", time=on("4 May 12:00")),
        ],
        on("5 May"),
        {"review-after-third-miss"},
        "escalated",
    ),
    History(
        "the invitation after the appeal was missed as well: the ladder goes on",
        Source.INFERRED,
        [
            *THREE,
            *during(APPEAL, "30 March", "4 May", REFUSED),
            planned(on("11 May"), "appointment-4", time=on("4 May 12:00")),
            miss(4, scheduled_at=on("11 May")),
        ],
        on("12 May"),
        {"review-after-third-miss"},
        "escalated",
        owner=OFFICIAL,
    ),
    History(
        "during the appeal nothing is proposed",
        Source.AGII_APP,
        [*THREE, circumstance(APPEAL, effective_at=on("30 March"))],
        on("13 April"),
        NOTHING,
        "on_hold",
        held_back={"review-after-third-miss": {APPEAL}, "outreach-after-second-miss": {APPEAL}},
    ),
    History(
        "days under a blocking guard do not count for silence",
        Source.INFERRED,
        [order(), interview(), *during(Guard.NOTIFICATION_NOT_PROVEN, "10 March", "24 March")],
        start_of("22 April"),
        {"silence"},
        "escalated",
        due=start_of("22 April"),
    ),
    History(
        "they stood when the guard began and go on after it: a moment earlier it is too early",
        Source.INFERRED,
        [order(), interview(), *during(Guard.NOTIFICATION_NOT_PROVEN, "10 March", "24 March")],
        start_of("22 April") - MOMENT,
        NOTHING,
        "followed",
        next_check=start_of("22 April"),
        next_reason="rule:silence",
    ),
    History(
        "two guards at once pause each day once",
        Source.INFERRED,
        [
            order(),
            interview(),
            *during(Guard.NOTIFICATION_NOT_PROVEN, "10 March", "24 March"),
            *during(Guard.JUSTIFIED_ABSENCE_PENDING, "16 March", "20 March"),
        ],
        start_of("22 April"),
        {"silence"},
        "escalated",
        due=start_of("22 April"),
    ),
    History(
        "the days for a first date do not run in detention",
        Source.INFERRED,
        [DETAINED, order(lodging_since=on("4 March"), time=on("4 March"))],
        start_of("7 March"),
        {"invite-again"},
        "escalated",
        next_check=start_of("10 March"),
        next_reason="rule:give-first-date",
    ),
]


def missed_at(at: datetime) -> Fact:
    return miss(1, scheduled_at=at)


SPANS = [
    History(
        "an appointment in detention is not missed",
        Source.INFERRED,
        [DETAINED, miss(1), order(lodging_since=on("9 March"), time=on("9 March"))],
        on("10 March"),
        {"invite-again"},
        "escalated",
    ),
    History(
        "an appointment during an asylum request is not missed",
        Source.DVZ_FAQ,
        [order(), interview(), miss(2), *during(ASYLUM, "10 March", "16 March", REFUSED)],
        on("16 March"),
        {"invite-again"},
        "escalated",
    ),
    History(
        "at the hour at which the procedure begins the person is protected",
        Source.INFERRED,
        [order(), missed_at(on("10 March")), *during(ASYLUM, "10 March", "16 March", REFUSED)],
        on("17 March"),
        {"invite-again"},
        "escalated",
    ),
    History(
        "an absence a moment before the procedure counts, and the first step is an invitation",
        Source.INFERRED,
        [
            order(),
            missed_at(on("10 March") - MOMENT),
            *during(ASYLUM, "10 March", "16 March", REFUSED),
        ],
        on("17 March"),
        {"reinvite-after-first-miss"},
        "escalated",
    ),
    History(
        "at the hour at which the procedure ends the person is expected again",
        Source.INFERRED,
        [order(), missed_at(on("16 March")), *during(ASYLUM, "10 March", "16 March", REFUSED)],
        on("17 March"),
        {"reinvite-after-first-miss"},
        "escalated",
    ),
    History(
        "three absences, one of them in detention: two count",
        Source.INFERRED,
        [
            *THREE,
            order(lodging=Lodging.DETAINED, lodging_since=on("11 March"), time=on("11 March")),
            order(lodging_since=on("16 March"), time=on("16 March")),
        ],
        on("4 May"),
        {"outreach-after-second-miss"},
        "escalated",
    ),
    History(
        "a detention reported later takes the absence back",
        Source.INFERRED,
        [
            *THREE,
            order(lodging=Lodging.DETAINED, lodging_since=on("11 March"), time=on("4 May")),
            order(lodging_since=on("16 March"), time=on("4 May 10:00")),
        ],
        on("4 May 10:00"),
        {"outreach-after-second-miss"},
        "escalated",
    ),
    History(
        "an appointment that the office cancelled was not missed",
        Source.VR_LAW,
        [
            order(),
            planned(
                on("5 March"),
                "appointment-1",
                state=AppointmentState.CANCELLED_BY_OFFICE,
                time=on("4 March"),
            ),
            miss(1),
        ],
        on("6 March"),
        {"invite-again"},
        "escalated",
        due=on("4 March"),
    ),
    History(
        "an appointment that was moved before its day was not missed on its old day",
        Source.VR_LAW,
        [
            order(),
            planned(
                on("24 March"), "appointment-1", state=AppointmentState.MOVED, time=on("4 March")
            ),
            miss(1),
        ],
        on("6 March"),
        NOTHING,
        "followed",
        next_check=on("24 March"),
    ),
    History(
        "a moved appointment that is missed on its new day counts",
        Source.VR_LAW,
        [
            order(),
            planned(
                on("24 March"), "appointment-1", state=AppointmentState.MOVED, time=on("4 March")
            ),
            miss(1, scheduled_at=on("24 March")),
        ],
        on("25 March"),
        {"reinvite-after-first-miss"},
        "escalated",
    ),
    History(
        "the person came after all: an interview under the same appointment",
        Source.INFERRED,
        [order(), miss(1), interview(appointment_id="appointment-1", held_at=on("5 March 09:30"))],
        on("6 March"),
        NOTHING,
        "followed",
    ),
]

PLANNED_MOVES = [
    History(
        "detained, and to be released next week: nothing is asked of the person before",
        Source.INFERRED,
        [DETAINED, order(lodging_since=on("13 April"), time=on("3 April"))],
        on("6 April"),
        NOTHING,
        "followed",
        next_check=start_of("13 April") + timedelta(hours=9),
        next_reason="situation",
    ),
    History(
        "released as planned: the first step is an invitation",
        Source.INFERRED,
        [
            DETAINED,
            order(lodging_since=on("13 April"), time=on("3 April")),
        ],
        on("13 April"),
        {"invite-again"},
        "escalated",
    ),
    History(
        "to be detained next week: the absence counts today",
        Source.INFERRED,
        [
            order(),
            miss(1),
            order(lodging=Lodging.DETAINED, lodging_since=on("16 March"), time=on("6 March")),
        ],
        on("9 March"),
        {"reinvite-after-first-miss"},
        "escalated",
        next_check=on("16 March"),
    ),
    History(
        "a family leaves detention next week: its detention is checked today",
        Source.AIDA,
        [
            order(household=FAMILY, lodging=Lodging.DETAINED),
            order(household=FAMILY, lodging_since=on("9 March"), time=on("3 March")),
        ],
        on("3 March"),
        {"minors-detained"},
        "escalated",
    ),
]

LATER_ORDERS = [
    History(
        "three interviews under the first order: no address check under the second",
        Source.METRO,
        [
            order(),
            *checked(),
            *(interview(number) for number in (1, 2, 3)),
            second_order(),
            *second_misses(),
            reviewed(
                ReviewDecision.ADDRESS_CHECK,
                on("4 June"),
                occasion="order-2/miss/appointment-3",
            ),
        ],
        on("1 July"),
        NOTHING,
        "followed",
    ),
    History(
        "vulnerability reviewed under the first order stays reviewed under the second",
        Source.RD14,
        [
            order(),
            interview(vulnerability_reviewed=True),
            checked()[1],
            second_order(),
            *second_misses(),
        ],
        on("4 June"),
        {"review-after-third-miss"},
        "escalated",
    ),
    History(
        "an asylum request of the first order blocks under the second",
        Source.DVZ_FAQ,
        [
            order(),
            *checked(),
            circumstance(ASYLUM, effective_at=on("20 April"), order_id="order-1"),
            second_order("13 April"),
            miss(1, order_id="order-2", scheduled_at=on("16 April")),
        ],
        on("4 May"),
        NOTHING,
        "on_hold",
        held_back={"reinvite-after-first-miss": {ASYLUM}},
    ),
    History(
        "the terms of the second order start anew",
        Source.AGII_TERM,
        [order(), *checked(), second_order(), *second_misses()],
        start_of("4 June") - MOMENT,
        {"outreach-after-second-miss"},
        "escalated",
        held_back={
            "review-after-third-miss": {Guard.DEPARTURE_TERM_RUNNING, Guard.APPEAL_TERM_RUNNING}
        },
    ),
    History(
        "the count of absences starts anew",
        Source.INFERRED,
        [
            *THREE,
            second_order("13 April"),
            miss(4, order_id="order-2", scheduled_at=on("16 April")),
        ],
        on("17 April"),
        {"reinvite-after-first-miss"},
        "escalated",
    ),
    History(
        "a refusal under the first order is no refusal under the second",
        Source.INFERRED,
        [order(), *checked(), REFUSAL, second_order("13 April")],
        start_of("14 May") - MOMENT,
        {"give-first-date"},
        "escalated",
    ),
    History(
        "a review under the first order decides nothing under the second",
        Source.GENT,
        [*THREE, ADDRESS_CHECK, second_order(), *second_misses()],
        on("4 June"),
        {"review-after-third-miss"},
        "escalated",
    ),
    History(
        "an order notified in the future does not supersede today's",
        Source.INFERRED,
        [*THREE, second_order("1 June", time=on("27 April"))],
        on("4 May"),
        {"review-after-third-miss"},
        "escalated",
    ),
    History(
        "it supersedes at the instant of its notification",
        Source.INFERRED,
        [*THREE, second_order("1 June", time=on("27 April"))],
        on("1 June"),
        NOTHING,
        "followed",
        next_check=start_of("5 June"),
    ),
]

DATES = [
    History(
        "an absence dated next December does not count: the team lead checks the date",
        Source.INFERRED,
        [order(), miss(1), miss(2, scheduled_at=on("10 December"), time=on("9 March"))],
        on("9 March"),
        {"reinvite-after-first-miss", "check-dates"},
        "escalated",
        owner=COACH,
    ),
    History(
        "an interview dated next December silences nothing",
        Source.INFERRED,
        [order(), miss(1), interview(held_at=on("10 December"), time=on("9 March"))],
        on("20 April"),
        {"silence", "check-dates"},
        "escalated",
    ),
    History(
        "a next appointment three years ahead silences nothing",
        Source.INFERRED,
        [order(), interview(next_appointment=appointment(on("6 March 2029")))],
        start_of("4 April"),
        {"silence", "check-dates"},
        "escalated",
    ),
    History(
        "a first interview ten months ahead is asked about",
        Source.SEED,
        [order(first_appointment=appointment(on("4 January 2027")))],
        on("2 March"),
        {"check-dates"},
        "escalated",
        owner=TEAM_LEAD,
        due=on("2 March"),
    ),
    History(
        "an appointment forty-five days ahead is not too far",
        Source.INFERRED,
        [order(first_appointment=appointment(on("16 April 10:00")))],
        on("2 March"),
        NOTHING,
        "followed",
    ),
    History(
        "an appointment a moment further ahead is too far",
        Source.INFERRED,
        [order(first_appointment=appointment(on("16 April 10:00") + MOMENT))],
        on("2 March"),
        {"check-dates"},
        "escalated",
    ),
    History(
        "the date was corrected",
        Source.INFERRED,
        [
            order(),
            miss(1, scheduled_at=on("5 December"), time=on("6 March")),
            miss(1, time=on("9 March")),
        ],
        on("9 March"),
        {"reinvite-after-first-miss"},
        "escalated",
    ),
    History(
        "the date was checked and is right: nothing is asked until it comes",
        Source.INFERRED,
        [
            order(),
            interview(),
            miss(1, scheduled_at=on("10 December"), time=on("9 March")),
            answered("check-dates", "date/miss_in_future/appointment-1", on("10 March")),
        ],
        on("11 March"),
        NOTHING,
        "followed",
    ),
    History(
        "an absence before the order was notified does not count",
        Source.AGII_NOT,
        [order(), *(miss(n, scheduled_at=on(f"{n} February")) for n in (3, 4, 5))],
        on("5 March"),
        NOTHING,
        "followed",
    ),
    History(
        "a circumstance that begins next month does not hold anything back today",
        Source.INFERRED,
        [order(), miss(1), circumstance(ASYLUM, effective_at=on("6 April"), time=on("9 March"))],
        on("10 March"),
        {"reinvite-after-first-miss"},
        "escalated",
    ),
]

SHORT: dict[str, Any] = {"departure_term_days": 0}
RETURN_HOUSE = order(lodging=Lodging.RETURN_HOUSE, **SHORT)
TERMS = [
    History(
        "notified at home: the appeal term is thirty days",
        Source.AGII_APP,
        [order(**SHORT), *checked(), *MISSES],
        on("1 April"),
        {"outreach-after-second-miss"},
        "escalated",
        held_back={"review-after-third-miss": {Guard.APPEAL_TERM_RUNNING}},
    ),
    History(
        "notified at home and moved to a return house: the appeal term stays thirty days",
        Source.AGII_APP,
        [
            order(**SHORT),
            *checked(),
            *MISSES,
            order(
                lodging=Lodging.RETURN_HOUSE,
                lodging_since=on("20 March"),
                time=on("20 March"),
                **SHORT,
            ),
        ],
        on("23 March"),
        {"outreach-after-second-miss"},
        "escalated",
        held_back={"review-after-third-miss": {Guard.APPEAL_TERM_RUNNING}},
    ),
    History(
        "notified in a return house: the appeal term is ten days",
        Source.AGII_APP,
        [RETURN_HOUSE, *checked(), *MISSES],
        on("20 March"),
        {"review-after-third-miss"},
        "escalated",
    ),
    History(
        "notified in a return house and moved home: it stays ten days",
        Source.AGII_APP,
        [
            RETURN_HOUSE,
            *checked(),
            *MISSES,
            order(lodging_since=on("20 March"), time=on("20 March"), **SHORT),
        ],
        on("23 March"),
        {"review-after-third-miss"},
        "escalated",
    ),
    History(
        "the urgent appeal term of a first order is ten days",
        Source.AGII_UDN,
        [
            RETURN_HOUSE,
            *checked(),
            *(miss(n, scheduled_at=on(f"{n + 2} March")) for n in (1, 2, 3)),
        ],
        start_of("13 March") - MOMENT,
        {"outreach-after-second-miss"},
        "escalated",
        held_back={
            "review-after-third-miss": {
                Guard.APPEAL_TERM_RUNNING,
                Guard.URGENT_APPEAL_TERM_RUNNING,
            }
        },
    ),
    History(
        "the urgent appeal term of a repeat order is five days, its end moves to Monday",
        Source.AGII_UDN,
        [
            order(lodging=Lodging.RETURN_HOUSE, repeat_order=True, **SHORT),
            *checked(),
            *(miss(n, scheduled_at=on(f"{n + 2} March")) for n in (1, 2, 3)),
        ],
        on("10 March"),
        {"outreach-after-second-miss"},
        "escalated",
        held_back={"review-after-third-miss": {Guard.APPEAL_TERM_RUNNING}},
    ),
    History(
        "the last day of the appeal term is a holiday: it moves to the next working day",
        Source.AGII_ANN,
        [
            order(notified_at=on("7 March"), **SHORT),
            *checked(),
            *(miss(n, scheduled_at=on(f"{n + 10} March")) for n in (1, 2, 3)),
        ],
        on("7 April"),
        {"outreach-after-second-miss"},
        "escalated",
        held_back={"review-after-third-miss": {Guard.APPEAL_TERM_RUNNING}},
    ),
    History(
        "an urgent appeal that was lodged holds everything back",
        Source.AGII_UDN,
        [*THREE, circumstance(APPEAL, effective_at=on("3 April"))],
        on("4 May"),
        NOTHING,
        "on_hold",
        held_back={"review-after-third-miss": {APPEAL}},
    ),
]


def announced_checks(at: datetime, told: datetime) -> list[Fact]:
    return [
        circumstance(guard, ends=True, effective_at=at, reference="check-1", time=told)
        for guard in (HEALTH, REFOULEMENT)
    ]


REPORTS = [
    History(
        "nobody reported either check: three absences wait",
        Source.GENT,
        [order(), *MISSES],
        TERM_END,
        {"outreach-after-second-miss"},
        "escalated",
        held_back={"review-after-third-miss": {HEALTH, REFOULEMENT}},
    ),
    History(
        "only non-refoulement was checked",
        Source.RD14,
        [order(), checked()[1], *MISSES],
        TERM_END,
        {"outreach-after-second-miss"},
        "escalated",
        held_back={"review-after-third-miss": {HEALTH}},
    ),
    History(
        "vulnerability was reviewed in an interview",
        Source.RD14,
        [
            order(),
            checked()[1],
            interview(vulnerability_reviewed=True, held_at=on("3 March")),
            *MISSES,
        ],
        TERM_END,
        {"review-after-third-miss"},
        "escalated",
    ),
    History(
        "an interview that did not review vulnerability reports that it is open",
        Source.RD14,
        [order(), checked()[1], interview(held_at=on("3 March")), *MISSES],
        TERM_END,
        {"outreach-after-second-miss"},
        "escalated",
        held_back={"review-after-third-miss": {HEALTH}},
    ),
    History(
        "a check announced for tomorrow is not made yet",
        Source.INFERRED,
        [order(), *MISSES, *announced_checks(on("3 April"), told=on("2 April"))],
        on("3 April") - MOMENT,
        {"outreach-after-second-miss"},
        "escalated",
        held_back={"review-after-third-miss": {HEALTH, REFOULEMENT}},
    ),
    History(
        "a new question about health after the check holds everything back",
        Source.RD14,
        [*THREE, circumstance(HEALTH, effective_at=on("1 April"), reference="check-2")],
        on("3 April"),
        NOTHING,
        "on_hold",
        held_back={"review-after-third-miss": {HEALTH}, "outreach-after-second-miss": {HEALTH}},
    ),
    History(
        "an interview before the question about health does not answer it",
        Source.RD14,
        [
            order(),
            checked()[1],
            interview(vulnerability_reviewed=True, held_at=on("3 March")),
            *MISSES,
            circumstance(HEALTH, effective_at=on("4 March"), reference="check-2"),
        ],
        on("2 April"),
        NOTHING,
        "followed",
    ),
    History(
        "a refusal of return needs the checks too",
        Source.GENT,
        [order(), REFUSAL],
        start_of("2 April"),
        NOTHING,
        "on_hold",
        held_back={"review-after-refusal": {HEALTH, REFOULEMENT}},
    ),
]

REVIEWS = [
    History(
        "three absences: an official reviews, and nothing above is proposed",
        Source.GDPR22,
        THREE,
        on("1 July"),
        {"review-after-third-miss"},
        "escalated",
        owner=OFFICIAL,
        due=TERM_END,
    ),
    History(
        "the review calls for a less coercive measure",
        Source.VR_LAW,
        [*THREE, MEASURE],
        on("3 April"),
        {"measure-after-review"},
        "escalated",
        owner=OFFICIAL,
        due=on("3 April"),
    ),
    History(
        "the review calls for an address check: twenty working days after the terms",
        Source.SEFOR,
        [*THREE, ADDRESS_CHECK],
        start_of("1 May"),
        {"address-check-referral"},
        "escalated",
        owner=OFFICIAL,
        due=start_of("1 May"),
    ),
    History(
        "a moment earlier it is too early for the address check",
        Source.SEFOR,
        [*THREE, ADDRESS_CHECK],
        start_of("1 May") - MOMENT,
        NOTHING,
        "followed",
        next_check=start_of("1 May"),
        next_reason="rule:address-check-referral",
    ),
    History(
        "the official continues the follow-up: nothing above is proposed",
        Source.GDPR22,
        [*THREE, reviewed(ReviewDecision.CONTINUE_FOLLOW_UP, on("3 April"))],
        on("1 May"),
        NOTHING,
        "followed",
    ),
    *[
        History(
            f"a {role} cannot decide in a review",
            Source.GDPR22,
            [*THREE, reviewed(ReviewDecision.ADDRESS_CHECK, on("3 April"), role=role)],
            on("1 May"),
            {"review-after-third-miss"},
            "escalated",
            owner=OFFICIAL,
        )
        for role in (COACH, TEAM_LEAD)
    ],
    *[
        History(
            f"a coach answers {kind} to a review: it still waits for an official",
            Source.GDPR22,
            [*THREE, answered(*REVIEW, on("3 April"), kind, postponed_until=until)],
            on("6 April"),
            {"review-after-third-miss"},
            "escalated",
            owner=OFFICIAL,
        )
        for kind, until in (
            (Answer.DONE, None),
            (Answer.NOT_APPLICABLE, None),
            (Answer.TAKEN_UP, None),
            (Answer.POSTPONED, on("1 June")),
        )
    ],
    *[
        History(
            f"a coach answers round {number} after the official decided: {whether}",
            Source.GDPR22,
            [
                *THREE,
                reviewed(ReviewDecision.CONTINUE_FOLLOW_UP, on("3 April")),
                answered(*REVIEW, on("6 April"), kind=Answer.TAKEN_UP, round=number),
            ],
            on("1 May"),
            then,
            status,
        )
        for number, whether, then, status in (
            (2, "the decision stands", NOTHING, "followed"),
            (1, "a correction, so an official is asked", {"review-after-third-miss"}, "escalated"),
        )
    ],
    *[
        History(
            f"a {role} says that the measure is done: an official is still asked about it",
            Source.VR_LAW,
            [*THREE, MEASURE, answered(*MEASURE_PROPOSAL, on("6 April"), role=role)],
            on("7 April"),
            {"measure-after-review"},
            "escalated",
            owner=OFFICIAL,
        )
        for role in (COACH, TEAM_LEAD)
    ],
    History(
        "a coach cannot hand a case over",
        Source.GDPR22,
        [
            *THREE,
            reviewed(ReviewDecision.HANDED_TO_IMMIGRATION_OFFICE, on("3 April"), role=COACH),
        ],
        on("1 May"),
        {"review-after-third-miss"},
        "escalated",
    ),
    History(
        "a decision about another occasion calls for nothing here",
        Source.GENT,
        [
            *THREE,
            reviewed(ReviewDecision.ADDRESS_CHECK, on("3 April"), occasion="order-1/miss/other"),
        ],
        on("1 June"),
        {"review-after-third-miss"},
        "escalated",
    ),
    History(
        "a decision given to a proposal that is no review calls for nothing",
        Source.GENT,
        [
            *THREE,
            reviewed(
                ReviewDecision.ADDRESS_CHECK,
                on("16 March"),
                "outreach-after-second-miss",
                "order-1/miss/appointment-2",
            ),
        ],
        on("1 June"),
        {"review-after-third-miss"},
        "escalated",
    ),
    History(
        "an absence is excused after the review: its decision calls for nothing any more",
        Source.GENT,
        [
            *THREE,
            ADDRESS_CHECK,
            miss(3, time=on("4 May"), review=Review.ACCEPTED, justification=Justification.MEDICAL),
        ],
        on("4 May"),
        {"outreach-after-second-miss"},
        "escalated",
    ),
    History(
        "the person comes after the review: no address check",
        Source.VR_LAW,
        [*THREE, ADDRESS_CHECK, interview(9, held_at=on("4 May"))],
        on("1 June"),
        NOTHING,
        "followed",
    ),
    History(
        "a family is never proposed for an address check",
        Source.AIDA,
        [order(household=FAMILY), *checked(), *MISSES, ADDRESS_CHECK],
        on("1 May"),
        NOTHING,
        "on_hold",
        held_back={"address-check-referral": {Guard.FAMILY_WITH_MINORS}},
    ),
    History(
        "a person without a home is not proposed for an address check",
        Source.SEFOR,
        [order(lodging=Lodging.NONE), *checked(), *MISSES, ADDRESS_CHECK],
        on("1 May"),
        NOTHING,
        "followed",
    ),
    *[
        History(
            f"a person who {lives} is not proposed for an address check in Belgium",
            Source.SEFOR,
            [*THREE, ADDRESS_CHECK, order(residence_postcode=code, **moved, time=on("6 April"))],
            on("1 May"),
            NOTHING,
            "followed",
        )
        for lives, code, moved in (
            ("lives in France", "F-59000", {}),
            ("lives in the Netherlands", "1012 AB", {}),
            ("lives in Germany", "01067", {}),
            ("moved to Luxembourg", "L-1610", {"residence_since": on("6 April")}),
            ("left without a known address", None, {"residence_since": on("6 April")}),
        )
    ],
    *[
        History(
            f"a person who {moves}: what holds on that day decides",
            Source.SEFOR,
            [
                order(residence_postcode=before),
                *checked(),
                *MISSES,
                ADDRESS_CHECK,
                order(residence_postcode=after, residence_since=on("4 May"), time=on("6 April")),
            ],
            on("1 May"),
            then,
            status,
        )
        for moves, before, after, then, status in (
            (
                "is still at home before a move",
                "9000",
                None,
                {"address-check-referral"},
                "escalated",
            ),
            ("has no address until a move", None, "9000", NOTHING, "followed"),
        )
    ],
    History(
        "a measure for a person detained since is not proposed",
        Source.INFERRED,
        [
            *THREE,
            MEASURE,
            order(lodging=Lodging.DETAINED, lodging_since=on("6 April"), time=on("6 April")),
        ],
        on("7 April"),
        NOTHING,
        "followed",
    ),
    History(
        "handed to the Immigration Office: this system proposes nothing and says so",
        Source.SEED,
        [*THREE, HANDED_OVER],
        on("1 May"),
        NOTHING,
        "handed_over",
        next_reason="rule:longest-pause",
    ),
    History(
        "more absences after the handing over change nothing",
        Source.SEED,
        [*THREE, HANDED_OVER, miss(4, scheduled_at=on("13 April"))],
        on("1 May"),
        NOTHING,
        "handed_over",
    ),
    History(
        "a right won after the handing over is still told to an official",
        Source.DVZ_ATD2,
        [
            *THREE,
            HANDED_OVER,
            circumstance(ASYLUM, ends=True, effective_at=on("4 May"), outcome=GRANTED),
        ],
        on("4 May"),
        {"record-end"},
        "escalated",
    ),
    History(
        "a refusal reviewed: the measure that the official decided on",
        Source.VR_LAW,
        [
            order(),
            *checked(),
            REFUSAL,
            reviewed(
                ReviewDecision.LESS_COERCIVE_MEASURE,
                on("3 April"),
                "review-after-refusal",
                "order-1/interview/interview-1",
            ),
        ],
        on("3 April"),
        {"measure-after-review"},
        "escalated",
    ),
]

GHENT, MONS, EUPEN, KRAAINEM = "9000", "7000", "4700", "1950"
LANGUAGES = [
    *[
        History(
            f"an order in Dutch, residence in Mons: an invitation in {language} is understandable",
            Source.FACIL,
            [order(residence_postcode=MONS), miss(1, language=language)],
            on("9 March"),
            {"reinvite-after-first-miss"},
            "escalated",
        )
        for language in (Language.NL, Language.FR)
    ],
    History(
        "an order in Dutch, residence in Mons: an invitation in German is not understandable",
        Source.FACIL,
        [order(residence_postcode=MONS), miss(1, language=Language.DE)],
        on("9 March"),
        {"check-delivery"},
        "escalated",
        held_back={},
    ),
    History(
        "an order in Dutch, residence in Eupen: the contact is in German",
        Source.FACIL,
        [order(residence_postcode=EUPEN), miss(1, language=Language.DE)],
        on("9 March"),
        {"reinvite-after-first-miss"},
        "escalated",
    ),
    History(
        "an order in French, residence in Kraainem: the facilities honour French",
        Source.FACIL,
        [
            order(residence_postcode=KRAAINEM, language=Language.FR),
            miss(1, language=Language.FR),
        ],
        on("9 March"),
        {"reinvite-after-first-miss"},
        "escalated",
    ),
    *[
        History(
            f"invited in French for 5 March, living in {place}, moving on {moves}: {whether}",
            Source.FACIL,
            [
                order(residence_postcode=before),
                miss(1, language=Language.FR),
                order(residence_postcode=after, residence_since=on(moves), time=on("6 March")),
            ],
            on(when),
            {then},
            "escalated",
        )
        for place, before, after, moves, when, then, whether in (
            ("Ghent", GHENT, MONS, "9 March", "6 March", "check-delivery", "not understandable"),
            ("Ghent", GHENT, MONS, "9 March", "9 March", "check-delivery", "not even after it"),
            ("Mons", MONS, GHENT, "9 March", "6 March", "reinvite-after-first-miss", "in order"),
            ("Mons", MONS, GHENT, "9 March", "9 March", "reinvite-after-first-miss", "even after"),
            ("Mons", GHENT, MONS, "4 March", "6 March", "reinvite-after-first-miss", "corrected"),
        )
    ],
    History(
        "three absences in the language of the route lead to a review, not to a dead end",
        Source.FACIL,
        [
            order(residence_postcode=MONS),
            *checked(),
            *(miss(number, language=Language.FR) for number in (1, 2, 3)),
        ],
        TERM_END,
        {"review-after-third-miss"},
        "escalated",
    ),
]

HISTORIES = [
    *RIGHTS_WON,
    *PAUSES,
    *SPANS,
    *PLANNED_MOVES,
    *LATER_ORDERS,
    *DATES,
    *TERMS,
    *REPORTS,
    *REVIEWS,
    *LANGUAGES,
]


@table(HISTORIES)
def test_nobody_is_pursued_who_should_not_be(history: History) -> None:
    history.check()


def test_a_granted_right_withdraws_every_proposal_at_its_instant() -> None:
    facts, announced = [*THREE, ADDRESS_CHECK], Announced()
    before = decide(facts, on("4 May") - MOMENT, announced)
    assert set(raised(before)) == {"address-check-referral"}
    facts.append(circumstance(ASYLUM, ends=True, effective_at=on("4 May"), outcome=GRANTED))
    after = decide(facts, on("4 May"), applied(announced, before))
    assert set(withdrawn(after)) == {"address-check-referral"}
    assert set(raised(after)) == {"record-end"}


def test_the_handing_over_withdraws_the_review_and_the_status_says_so() -> None:
    before = decide(THREE, on("2 April"))
    after = decide([*THREE, HANDED_OVER], on("3 April"), applied(Announced(), before))
    assert set(withdrawn(after)) == {"review-after-third-miss"}
    assert (after.status, raised(after)) == ("handed_over", {})


def test_the_evidence_shows_the_days_that_did_not_run() -> None:
    facts = [order(), interview(), *during(Guard.NOTIFICATION_NOT_PROVEN, "10 March", "24 March")]
    clock = standing(facts, on("4 May"))["silence"].evidence.clocks[0]
    assert [(pause.cause, pause.since, pause.until) for pause in clock.paused] == [
        ("notification_not_proven", on("10 March"), on("24 March"))
    ]


def test_the_days_to_an_address_check_begin_anew_after_a_release() -> None:
    arrested = order(lodging=Lodging.DETAINED, lodging_since=on("20 April"), time=on("20 April"))
    released = order(lodging_since=on("27 April"), time=on("27 April"))
    missed_again = miss(4, scheduled_at=on("4 May"))
    facts = [*THREE, ADDRESS_CHECK, arrested, released, missed_again]
    escalation = standing(facts, on("3 August"))["address-check-referral"]
    attempt = next(c for c in escalation.evidence.clocks if c.clock == "last_attempt")
    # Twenty working days after 4 May, without Ascension Day and Whit Monday.
    assert (attempt.start, attempt.due) == (on("4 May"), start_of("4 June"))
    assert escalation.due_at == start_of("4 June")


def test_a_detention_that_is_reported_late_takes_the_address_check_back() -> None:
    without = standing([*THREE, ADDRESS_CHECK], on("4 August"))["address-check-referral"]
    reported = [
        order(lodging=Lodging.DETAINED, lodging_since=on("13 April"), time=on("3 August")),
        order(lodging_since=on("20 April"), time=on("3 August 10:00")),
    ]
    known = decide([*THREE, ADDRESS_CHECK, *reported], on("4 August"))
    assert without.due_at == start_of("1 May")
    assert set(raised(known)) == {"silence"}


@pytest.mark.parametrize(
    ("facts", "report"),
    [
        ([order(), miss(1)], GuardReport.NONE),
        ([order(), interview(held_at=on("3 March")), miss(1)], GuardReport.ACTIVE),
        (
            [order(), interview(held_at=on("3 March"), vulnerability_reviewed=True), miss(1)],
            GuardReport.CLEAR,
        ),
        ([order(), *checked(), miss(1)], GuardReport.CLEAR),
    ],
    ids=["nothing reported", "reported open", "reviewed in an interview", "checked by an official"],
)
def test_the_evidence_claims_no_check_that_nobody_made(
    facts: list[Fact], report: GuardReport
) -> None:
    evidence = standing(facts, on("9 March"))["reinvite-after-first-miss"].evidence
    check = next(check for check in evidence.guards if check.guard is HEALTH)
    assert (check.state, check.report) == (GuardState.CLEAR, report)


@pytest.mark.parametrize("level", [4, 5])
@pytest.mark.parametrize("decision", [None, *ReviewDecision])
def test_the_highest_levels_need_the_decision_that_calls_for_them(
    level: int, decision: ReviewDecision | None
) -> None:
    calls_for = {
        4: ReviewDecision.LESS_COERCIVE_MEASURE,
        5: ReviewDecision.ADDRESS_CHECK,
    }
    facts = THREE if decision is None else [*THREE, reviewed(decision, on("3 April"))]
    levels = {escalation.level for escalation in standing(facts, on("1 May")).values()}
    assert (level in levels) is (decision is calls_for[level])


def test_what_counts_before_a_pause_counts_after_it() -> None:
    facts = [*THREE, *during(APPEAL, "30 March", "4 May", REFUSED)]
    assert [m.event.appointment_id for m in derive(facts, on("4 May")).counted] == [
        "appointment-1",
        "appointment-2",
        "appointment-3",
    ]


def test_the_order_of_two_void_orders_does_not_change_the_question() -> None:
    ends = [
        ended(on("4 May"), EndReason.ORDER_ANNULLED, order_id=name)
        for name in ("order-2", "order-3")
    ]
    facts = [order(), second_order("9 March"), second_order("16 March", order_id="order-3")]
    occasions = {
        standing([*facts, *given], on("4 May"))["record-end"].occasion
        for given in (ends, [*reversed(ends)])
    }
    assert len(occasions) == 1
