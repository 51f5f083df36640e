"""The state of each guard that is derived from the case, and of reported circumstances."""

from __future__ import annotations

from datetime import datetime

import pytest

from schemas.codes import Guard, Language
from schemas.events import (
    Answer,
    AnswerReason,
    Conclusion,
    Household,
    HouseholdKind,
    Lodging,
    Notification,
    NotificationChannel,
    Review,
)
from schemas.outcomes import GuardState
from streams.domain.case import Fact
from streams.domain.guards import evaluate
from streams.domain.guards.status import GuardStatus
from tests.domain.given import (
    BRUSSELS,
    FAMILY,
    LATER,
    MOMENT,
    TERM_END,
    answered,
    circumstance,
    day,
    derive,
    interview,
    miss,
    order,
    ref,
)

CLEAR, ACTIVE, UNKNOWN = GuardState.CLEAR, GuardState.ACTIVE, GuardState.UNKNOWN
UNPROVEN = Notification(channel=NotificationChannel.REGISTERED_POST, proven=False)
MINOR = Household(kind=HouseholdKind.UNACCOMPANIED_MINOR)
PROSPECT = interview(conclusion=Conclusion.RESIDENCE_PROSPECT)
ACCEPTED = interview(conclusion=Conclusion.VOLUNTARY_RETURN_ACCEPTED)
CUSTODY_END = datetime(2026, 3, 13, tzinfo=BRUSSELS)
PROSPECT_END = datetime(2026, 5, 6, tzinfo=BRUSSELS)
"""Forty working days after Friday 6 March, not counting Easter Monday and 1 May."""
MEDICAL = Guard.MEDICAL_OR_VULNERABLE_UNREVIEWED


def evaluate_guard(guard: Guard, facts: list[Fact], now: datetime) -> GuardStatus:
    situation = derive(facts, now)
    return evaluate.evaluate_guards(situation, ref().calendar, ref().policy.terms)[guard]


def test_a_circumstance_that_ended_is_clear_with_the_reason_ended() -> None:
    facts = [
        order(),
        circumstance(Guard.EXTENSION_GRANTED),
        circumstance(Guard.EXTENSION_GRANTED, ends=True, effective_at=day(25)),
    ]

    status = evaluate_guard(Guard.EXTENSION_GRANTED, facts, LATER)

    assert (status.state, status.because, status.check.because) == (CLEAR, "ended", "ended")
    assert status.cleared_at == day(25)


@pytest.mark.parametrize(
    ("guard", "facts", "now", "state"),
    [
        (Guard.DEPARTURE_TERM_RUNNING, [order()], TERM_END - MOMENT, ACTIVE),
        (Guard.DEPARTURE_TERM_RUNNING, [order()], TERM_END, CLEAR),
        (Guard.DEPARTURE_TERM_RUNNING, [order(departure_term_days=0)], day(0), CLEAR),
        (Guard.APPEAL_TERM_RUNNING, [order()], TERM_END - MOMENT, ACTIVE),
        (Guard.APPEAL_TERM_RUNNING, [order()], TERM_END, CLEAR),
        *[
            (Guard.APPEAL_TERM_RUNNING, [order(lodging=lodging)], at, state)
            for lodging in (Lodging.DETAINED, Lodging.RETURN_HOUSE)
            for at, state in ((CUSTODY_END - MOMENT, ACTIVE), (CUSTODY_END, CLEAR))
        ],
        (Guard.NEW_RESIDENCE_PROCEDURE, [order(), PROSPECT], PROSPECT_END - MOMENT, ACTIVE),
        (Guard.NEW_RESIDENCE_PROCEDURE, [order(), PROSPECT], PROSPECT_END, CLEAR),
        (Guard.NEW_RESIDENCE_PROCEDURE, [order(), PROSPECT, interview(2)], day(12), CLEAR),
        (Guard.UNACCOMPANIED_MINOR, [order(household=MINOR)], LATER, ACTIVE),
        (Guard.UNACCOMPANIED_MINOR, [order(household=FAMILY)], LATER, CLEAR),
        (Guard.FAMILY_WITH_MINORS, [order(household=FAMILY)], LATER, ACTIVE),
        (Guard.FAMILY_WITH_MINORS, [order()], LATER, CLEAR),
        (Guard.NOTIFICATION_NOT_PROVEN, [order(notification=UNPROVEN)], LATER, ACTIVE),
        (Guard.NOTIFICATION_NOT_PROVEN, [order()], LATER, CLEAR),
        (
            Guard.JUSTIFIED_ABSENCE_PENDING,
            [order(), miss(1, review=Review.PENDING), miss(2)],
            LATER,
            ACTIVE,
        ),
        (
            Guard.JUSTIFIED_ABSENCE_PENDING,
            [order(), miss(1, review=Review.PENDING), interview(2)],
            LATER,
            CLEAR,
        ),
        (Guard.JUSTIFIED_ABSENCE_PENDING, [order(), miss(1)], LATER, CLEAR),
        (
            Guard.WRONG_LANGUAGE_INVITATION,
            [order(), miss(1, language=Language.FR)],
            LATER,
            ACTIVE,
        ),
        (
            Guard.WRONG_LANGUAGE_INVITATION,
            [order(), miss(1, language=Language.FR), miss(2)],
            LATER,
            CLEAR,
        ),
        (Guard.VOLUNTARY_RETURN_IN_PROGRESS, [order(), ACCEPTED], LATER, ACTIVE),
        (Guard.VOLUNTARY_RETURN_IN_PROGRESS, [order(), ACCEPTED, interview(2)], LATER, CLEAR),
        # Vulnerability blocks until a later interview has reviewed it.
        (MEDICAL, [order(), circumstance(MEDICAL)], LATER, ACTIVE),
        (
            MEDICAL,
            [order(), circumstance(MEDICAL), interview(held_at=day(25))],
            LATER,
            ACTIVE,
        ),
        (
            MEDICAL,
            [
                order(),
                circumstance(MEDICAL),
                interview(held_at=day(19), vulnerability_reviewed=True),
            ],
            LATER,
            ACTIVE,
        ),
        (
            MEDICAL,
            [
                order(),
                circumstance(MEDICAL),
                interview(held_at=day(25), vulnerability_reviewed=True),
            ],
            LATER,
            CLEAR,
        ),
        (
            MEDICAL,
            [
                order(),
                circumstance(MEDICAL),
                interview(held_at=day(20), vulnerability_reviewed=True),
            ],
            LATER,
            CLEAR,
        ),
    ],
)
def test_a_guard_is_derived_from_the_case(
    guard: Guard, facts: list[Fact], now: datetime, state: GuardState
) -> None:
    assert evaluate_guard(guard, facts, now).state is state


GUARD = Guard.EXTENSION_GRANTED
BEGINS, ENDS = circumstance(GUARD), circumstance(GUARD, ends=True, effective_at=day(30))


@pytest.mark.parametrize(
    ("facts", "now", "state"),
    [
        ([BEGINS], day(20) - MOMENT, CLEAR),
        ([BEGINS], day(20), ACTIVE),
        ([BEGINS, ENDS], day(30) - MOMENT, ACTIVE),
        ([BEGINS, ENDS], day(30), CLEAR),
        ([ENDS], day(10), ACTIVE),  # its begin is unknown, so it is active until it ends
        ([ENDS], day(30), CLEAR),
        ([BEGINS, ENDS, circumstance(GUARD, reference="procedure-2")], day(31), ACTIVE),
        ([BEGINS, circumstance(GUARD, ends=True, effective_at=day(20))], day(20), CLEAR),
        ([BEGINS, circumstance(GUARD, ends=True, effective_at=day(19))], day(10), UNKNOWN),
        ([BEGINS, circumstance(GUARD, ends=True, effective_at=day(19))], LATER, UNKNOWN),
        (
            [BEGINS, circumstance(GUARD, ends=True, effective_at=day(19), reference="other-1")],
            LATER,
            ACTIVE,
        ),
    ],
)
def test_a_circumstance_is_active_from_its_begin_to_its_end(
    facts: list[Fact], now: datetime, state: GuardState
) -> None:
    assert evaluate_guard(GUARD, [order(), *facts], now).state is state


def test_the_more_severe_of_derived_and_reported_status_applies() -> None:
    contradiction = [
        circumstance(Guard.FAMILY_WITH_MINORS),
        circumstance(Guard.FAMILY_WITH_MINORS, ends=True, effective_at=day(19)),
    ]
    facts = [order(household=FAMILY), *contradiction]
    assert evaluate_guard(Guard.FAMILY_WITH_MINORS, facts, LATER).state is UNKNOWN


def test_a_circumstance_in_the_future_sets_no_cleared_at() -> None:
    planned = [BEGINS, ENDS]
    assert evaluate_guard(GUARD, [order(), *planned], day(10)).cleared_at is None


@pytest.mark.parametrize("guard", Guard)
def test_every_guard_is_clear_if_nothing_is_reported(guard: Guard) -> None:
    assert evaluate_guard(guard, [order()], LATER).state is CLEAR


@pytest.mark.parametrize(
    ("ends", "cleared"),
    [
        (day(25), TERM_END),
        (day(40), day(40)),
    ],
)
def test_a_guard_derived_and_reported_is_clear_since_the_later_of_both_ends(
    ends: datetime, cleared: datetime
) -> None:
    term = Guard.DEPARTURE_TERM_RUNNING
    facts = [order(), circumstance(term), circumstance(term, ends=True, effective_at=ends)]

    assert evaluate_guard(term, facts, LATER).cleared_at == cleared


def test_a_guard_that_is_still_reported_was_not_cleared_by_its_term() -> None:
    term = Guard.DEPARTURE_TERM_RUNNING
    status = evaluate_guard(term, [order(), circumstance(term)], LATER)

    assert (status.state, status.cleared_at) == (ACTIVE, None)


HOUSEHOLD = Guard.FAMILY_WITH_MINORS
OVER = [circumstance(HOUSEHOLD), circumstance(HOUSEHOLD, ends=True, effective_at=day(25))]


@pytest.mark.parametrize(
    ("facts", "state", "because"),
    [
        ([order(household=FAMILY), *OVER], ACTIVE, "household family_with_minors"),
        ([order(household=FAMILY), OVER[0]], ACTIVE, "procedure-1 since"),
        ([order(), OVER[0]], ACTIVE, "procedure-1 since"),
        ([order(), *OVER], CLEAR, "ended"),
    ],
)
def test_of_two_reasons_the_more_severe_is_named_and_of_equal_ones_the_report(
    facts: list[Fact], state: GuardState, because: str
) -> None:
    status = evaluate_guard(HOUSEHOLD, facts, LATER)

    assert status.state is state
    assert status.because.startswith(because)


def test_of_two_circumstances_the_guard_is_clear_since_the_later_end() -> None:
    facts = [
        circumstance(GUARD, reference=name, effective_at=day(number), ends=number > 20)
        for name, number in (("one-1", 10), ("one-1", 30), ("other-1", 10), ("other-1", 25))
    ]
    assert evaluate_guard(GUARD, [order(), *facts], LATER).cleared_at == day(30)


@pytest.mark.parametrize(
    ("now", "because", "changes"),
    [
        (day(20) - MOMENT, "procedure-1 not begun", (day(20), day(30))),
        (day(20), "procedure-1 since", (day(30),)),
        (day(30), "ended", ()),
    ],
)
def test_a_circumstance_says_where_it_stands_and_what_time_will_change(
    now: datetime, because: str, changes: tuple[datetime, ...]
) -> None:
    status = evaluate_guard(GUARD, [order(), BEGINS, ENDS], now)

    assert status.because.startswith(because)
    assert status.changes_at == changes


def test_one_circumstance_goes_on_while_another_has_not_begun() -> None:
    facts = [BEGINS, circumstance(GUARD, reference="procedure-2", effective_at=day(40))]
    status = evaluate_guard(GUARD, [order(), *facts], day(30))

    assert (status.state, status.cleared_at) == (ACTIVE, None)
    assert status.because.startswith("procedure-1 since")


DOUBT, ASYLUM = Guard.IDENTITY_DOUBT, Guard.ASYLUM_REQUEST_PENDING
CONTRADICTION = [
    circumstance(DOUBT, effective_at=day(8)),
    circumstance(DOUBT, effective_at=day(7), time=day(9), ends=True),
]
UNDECIDED = [
    circumstance(ASYLUM, effective_at=day(3)),
    circumstance(ASYLUM, effective_at=day(7), time=day(9), ends=True),
]
CONFIRM = ("confirm-circumstance", "circumstance/identity_doubt/procedure-1/2026-03-11")
DECISION = ("report-decision", "decision/asylum_request_pending/procedure-1")
OVER_NOW, STILL = AnswerReason.NO_LONGER_HOLDS, AnswerReason.OTHER


@pytest.mark.parametrize(
    ("guard", "facts", "asked", "answer", "reason", "state"),
    [
        (DOUBT, CONTRADICTION, CONFIRM, Answer.DONE, OVER_NOW, CLEAR),
        (DOUBT, CONTRADICTION, CONFIRM, Answer.DONE, STILL, UNKNOWN),
        (DOUBT, CONTRADICTION, CONFIRM, Answer.TAKEN_UP, OVER_NOW, UNKNOWN),
        (ASYLUM, UNDECIDED, DECISION, Answer.NOT_APPLICABLE, OVER_NOW, CLEAR),
        (ASYLUM, UNDECIDED, DECISION, Answer.DONE, STILL, ACTIVE),
        (ASYLUM, UNDECIDED, DECISION, Answer.TAKEN_UP, OVER_NOW, ACTIVE),
    ],
)
def test_a_circumstance_ends_with_a_final_answer_that_it_no_longer_holds(
    guard: Guard,
    facts: list[Fact],
    asked: tuple[str, str],
    answer: Answer,
    reason: AnswerReason,
    state: GuardState,
) -> None:
    said = answered(*asked, day(10), answer, reason=reason)
    status = evaluate_guard(guard, [order(), *facts, said], day(12))

    assert status.state is state
    assert status.cleared_at == (day(10) if state is CLEAR else None)


def test_a_missing_decision_is_asked_for_since_the_end_was_reported() -> None:
    question = derive([order(), *UNDECIDED], day(12)).decision_missing

    assert question is not None
    assert question.due == day(9)


def test_of_two_circumstances_the_one_that_was_due_first_is_asked_about() -> None:
    facts = [
        circumstance(DOUBT, effective_at=day(number), reference=name)
        for name, number in (("a-later", 9), ("b-first", 5))
    ]
    question = derive([order(), *facts], day(90)).question

    assert question is not None
    assert question.procedure.reference == "b-first"


def test_an_answer_on_the_day_of_the_begin_starts_no_new_age() -> None:
    asked = ("confirm-circumstance", "circumstance/identity_doubt/procedure-1/2026-03-07")
    facts = [circumstance(DOUBT, effective_at=day(5)), answered(*asked, day(5, 17))]
    question = derive([order(), *facts], day(90)).question

    assert question is not None
    assert question.occasion == asked[1]


def test_a_review_of_vulnerability_ends_no_other_circumstance() -> None:
    reviewed = interview(held_at=day(25), vulnerability_reviewed=True)

    assert evaluate_guard(DOUBT, [order(), circumstance(DOUBT), reviewed], LATER).state is ACTIVE
