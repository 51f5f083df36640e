"""Part 4: nothing is proposed twice, and an answer counts.

The order is notified on Monday 2 March 2026; both terms of 30 days end at the end of 1 April. The
appointments are on the Thursdays 5, 12 and 19 March. Easter Monday is 6 April, 1 May is a holiday.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from schemas.codes import Guard
from schemas.events import (
    Answer,
    AnswerReason,
    AppointmentState,
    Conclusion,
    Delivery,
    Justification,
    Lodging,
    Review,
    ReviewDecision,
)
from schemas.outcomes import WithdrawalReason
from streams.domain.case import Fact
from streams.domain.decision import Announced, Decision
from streams.domain.identity import escalation_id
from tests.domain.given import (
    CASE_ID,
    MOMENT,
    answer,
    answered,
    applied,
    appointment,
    checked,
    circumstance,
    decide,
    ended,
    interview,
    miss,
    order,
    planned,
    raised,
    ref,
    reviewed,
    withdrawn,
)
from tests.domain.life.beginnings import BEGINNINGS, THREE
from tests.domain.life.history import (
    COACH,
    NOTHING,
    OFFICIAL,
    History,
    Source,
    assert_not_forgotten,
    on,
    start_of,
    table,
)

DONE, TAKEN_UP = Answer.DONE, Answer.TAKEN_UP
POSTPONED, NOT_APPLICABLE = Answer.POSTPONED, Answer.NOT_APPLICABLE
ADDRESS_CHECK = reviewed(ReviewDecision.ADDRESS_CHECK, on("3 April"))
MEASURE = reviewed(ReviewDecision.LESS_COERCIVE_MEASURE, on("3 April"))
REFUSAL = interview(conclusion=Conclusion.VOLUNTARY_RETURN_REFUSED)

REINVITE = ("reinvite-after-first-miss", "order-1/miss/appointment-1")
OUTREACH = ("outreach-after-second-miss", "order-1/miss/appointment-2")
REVIEW = ("review-after-third-miss", "order-1/miss/appointment-3")
FIRST_DATE = ("give-first-date", "order-1/order")
MEASURE_PROPOSAL = ("measure-after-review", f"order-1/review/{escalation_id(CASE_ID, *REVIEW)}")

REFUSED_THEN_AWAY = [order(), *checked(), REFUSAL, miss(2), miss(3), miss(4)]
"""A refusal on 6 March, then absences on 12, 19 and 26 March: two reasons for one review."""
REFUSAL_REVIEW = ("review-after-refusal", "order-1/interview/interview-1")
LATER_REVIEW = ("review-after-third-miss", "order-1/miss/appointment-4")

ONE_REVIEW = [
    History(
        "a refusal and then three absences: one review of the file",
        Source.GDPR22,
        REFUSED_THEN_AWAY,
        on("2 April"),
        {"review-after-third-miss"},
        "escalated",
        owner=OFFICIAL,
    ),
    History(
        "a refusal and two absences: an official reviews the refusal, a coach reaches out",
        Source.DVZ_ATD2,
        REFUSED_THEN_AWAY[:-1],
        on("2 April"),
        {"review-after-refusal", "outreach-after-second-miss"},
        "escalated",
        owner=OFFICIAL,
    ),
    *[
        History(
            f"the review of both is answered {kind}: the refusal is not asked about again",
            Source.GDPR22,
            [
                *REFUSED_THEN_AWAY,
                answered(*LATER_REVIEW, on("3 April"), kind, role=OFFICIAL, postponed_until=until),
            ],
            on("7 April"),
            NOTHING,
            "followed",
            owner=OFFICIAL,
        )
        for kind, until in (
            (DONE, None),
            (NOT_APPLICABLE, None),
            (TAKEN_UP, None),
            (POSTPONED, on("1 May")),
        )
    ],
    History(
        "the refusal was reviewed before the third absence: that one needs a review of its own",
        Source.GENT,
        [*REFUSED_THEN_AWAY, answered(*REFUSAL_REVIEW, on("3 April"), role=OFFICIAL)],
        on("7 April"),
        {"review-after-third-miss"},
        "escalated",
    ),
    History(
        "the third absence is excused: the refusal is still to be reviewed",
        Source.VR_LAW,
        [
            *REFUSED_THEN_AWAY,
            miss(
                4, time=on("3 April"), review=Review.ACCEPTED, justification=Justification.MEDICAL
            ),
        ],
        on("3 April"),
        {"review-after-refusal", "outreach-after-second-miss"},
        "escalated",
    ),
]

COVERED = [
    History(
        "no silence beside a review",
        Source.INFERRED,
        THREE,
        on("4 May"),
        {"review-after-third-miss"},
        "escalated",
    ),
    History(
        "no silence and no review beside a measure",
        Source.INFERRED,
        [*THREE, MEASURE],
        on("1 July"),
        {"measure-after-review"},
        "escalated",
    ),
    History(
        "no silence and no review beside an address check",
        Source.INFERRED,
        [*THREE, ADDRESS_CHECK],
        on("1 July"),
        {"address-check-referral"},
        "escalated",
    ),
    History(
        "no silence beside an outreach that was not answered",
        Source.INFERRED,
        [order(), miss(1), miss(2)],
        on("1 July"),
        {"outreach-after-second-miss"},
        "escalated",
    ),
    History(
        "one absence and nothing since: contact takes the place of the invitation",
        Source.INFERRED,
        [order(), miss(1)],
        start_of("3 April"),
        {"silence"},
        "escalated",
        owner=COACH,
        due=start_of("3 April"),
    ),
    History(
        "until then the invitation stands alone",
        Source.INFERRED,
        [order(), miss(1)],
        start_of("3 April") - MOMENT,
        {"reinvite-after-first-miss"},
        "escalated",
        next_check=start_of("3 April"),
        next_reason="rule:silence",
    ),
    History(
        "the check of a delivery gives way to contact as well",
        Source.INFERRED,
        [order(), miss(1, delivery=Delivery.FAILED)],
        on("1 July"),
        {"silence"},
        "escalated",
    ),
    History(
        "a second absence that was not delivered: the outreach is not due, its check is",
        Source.VR_LAW,
        [order(), miss(1), miss(2, delivery=Delivery.UNPROVEN)],
        on("13 March"),
        {"check-delivery", "reinvite-after-first-miss"},
        "escalated",
    ),
    History(
        "an excused absence after one that counts: one invitation, not two",
        Source.INFERRED,
        [
            order(),
            miss(1),
            miss(2, justification=Justification.MEDICAL, review=Review.ACCEPTED),
        ],
        on("13 March"),
        {"reinvite-after-first-miss"},
        "escalated",
    ),
    History(
        "the longest pause is not announced beside another proposal",
        Source.INFERRED,
        [order()],
        on("1 December"),
        {"give-first-date"},
        "escalated",
    ),
    History(
        "the departure takes the place of the referral",
        Source.DVZ_ATD2,
        [order(), interview(conclusion=Conclusion.VOLUNTARY_RETURN_ACCEPTED)],
        on("20 April"),
        {"follow-departure"},
        "escalated",
    ),
]

ANSWERED = [
    *[
        History(
            f"the invitation is {kind}: it is not proposed again for this absence",
            Source.INFERRED,
            [order(), miss(1), answered(*REINVITE, on("10 March"), kind)],
            start_of("9 April") - MOMENT,
            NOTHING,
            "followed",
            next_check=start_of("9 April"),
            next_reason="rule:silence",
        )
        for kind in (DONE, NOT_APPLICABLE)
    ],
    History(
        "the invitation is done and nothing came of it: contact after twenty working days",
        Source.INFERRED,
        [order(), miss(1), answered(*REINVITE, on("10 March"))],
        start_of("9 April"),
        {"silence"},
        "escalated",
        due=start_of("9 April"),
    ),
    History(
        "taken up: it should be done within ten working days",
        Source.INFERRED,
        [order(), miss(1), answered(*REINVITE, on("10 March"), TAKEN_UP)],
        start_of("25 March") - MOMENT,
        NOTHING,
        "followed",
        next_check=start_of("25 March"),
        next_reason="answer:reinvite-after-first-miss",
    ),
    History(
        "taken up and not done in time: it is proposed again",
        Source.INFERRED,
        [order(), miss(1), answered(*REINVITE, on("10 March"), TAKEN_UP)],
        start_of("25 March"),
        {"reinvite-after-first-miss"},
        "escalated",
    ),
    History(
        "taken up and done in time",
        Source.INFERRED,
        [
            order(),
            miss(1),
            answered(*REINVITE, on("10 March"), TAKEN_UP),
            answered(*REINVITE, on("17 March"), reason=AnswerReason.PERSON_INVITED),
        ],
        on("25 March"),
        NOTHING,
        "followed",
    ),
    History(
        "postponed: it comes back on its date",
        Source.INFERRED,
        [
            order(),
            miss(1),
            answered(*REINVITE, on("10 March"), POSTPONED, postponed_until=on("20 March")),
        ],
        on("20 March"),
        {"reinvite-after-first-miss"},
        "escalated",
    ),
    History(
        "postponed: a moment earlier it does not",
        Source.INFERRED,
        [
            order(),
            miss(1),
            answered(*REINVITE, on("10 March"), POSTPONED, postponed_until=on("20 March")),
        ],
        on("20 March") - MOMENT,
        NOTHING,
        "followed",
        next_check=on("20 March"),
        next_reason="answer:reinvite-after-first-miss",
    ),
    History(
        "postponed to a date in the past: it stands",
        Source.INFERRED,
        [
            order(),
            miss(1),
            answered(*REINVITE, on("10 March"), POSTPONED, postponed_until=on("9 March")),
        ],
        on("10 March"),
        {"reinvite-after-first-miss"},
        "escalated",
    ),
    History(
        "postponed for a year: it comes back after the longest pause",
        Source.INFERRED,
        [
            order(),
            answered(*FIRST_DATE, on("9 March"), POSTPONED, postponed_until=on("9 March 2027")),
        ],
        on("8 May 10:00"),
        {"give-first-date"},
        "escalated",
    ),
    History(
        "the invitation after the first absence is done, the second absence is new",
        Source.INFERRED,
        [order(), miss(1), answered(*REINVITE, on("9 March")), miss(2)],
        on("13 March"),
        {"outreach-after-second-miss"},
        "escalated",
    ),
    History(
        "the outreach is done: the invitation below it is not proposed in its place",
        Source.INFERRED,
        [order(), miss(1), miss(2), answered(*OUTREACH, on("16 March"))],
        on("17 March"),
        NOTHING,
        "followed",
        owner=COACH,
    ),
    History(
        "the review is taken up: nothing below it is proposed in its place",
        Source.INFERRED,
        [*THREE, answered(*REVIEW, on("7 April"), TAKEN_UP, role=OFFICIAL)],
        on("8 April"),
        NOTHING,
        "followed",
        owner=OFFICIAL,
        next_check=start_of("22 April"),
    ),
    History(
        "the review is done without a decision: nothing above it is proposed",
        Source.GDPR22,
        [*THREE, answered(*REVIEW, on("7 April"), role=OFFICIAL)],
        on("1 May"),
        NOTHING,
        "followed",
    ),
    History(
        "the measure is answered: the address check needs another review",
        Source.VR_LAW,
        [
            *THREE,
            MEASURE,
            answered(
                *MEASURE_PROPOSAL,
                on("13 April"),
                role=OFFICIAL,
            ),
        ],
        on("1 May"),
        NOTHING,
        "followed",
    ),
    History(
        "contact was made: its silence is over and a new one is counted from the answer",
        Source.INFERRED,
        [
            order(),
            interview(),
            answered("silence", "order-1/silent-since/2026-03-06", on("7 April")),
        ],
        start_of("7 May") - MOMENT,
        NOTHING,
        "followed",
        next_check=start_of("7 May"),
        next_reason="rule:silence",
    ),
    History(
        "an answer to an outcome that was asked for settles it",
        Source.INFERRED,
        [
            order(first_appointment=appointment(on("10 March"))),
            answered("report-outcome", "order-1/appointment/appointment-9", on("13 March")),
        ],
        on("16 March"),
        NOTHING,
        "followed",
    ),
]


def plan(at: str, name: str = "appointment-9", **changed: object) -> Fact:
    fields = {"time": on("13 March"), **changed}
    return planned(on(at), name, **fields)


PLANNED = [
    History(
        "a planned appointment answers the invitation after the first absence",
        Source.INFERRED,
        [order(), miss(1), plan("19 March")],
        on("13 March"),
        NOTHING,
        "followed",
        next_check=on("19 March"),
    ),
    History(
        "a planned appointment answers the outreach",
        Source.INFERRED,
        [order(), miss(1), miss(2), plan("19 March")],
        on("13 March"),
        NOTHING,
        "followed",
    ),
    History(
        "a planned appointment answers the check of a delivery",
        Source.INFERRED,
        [order(), miss(1, delivery=Delivery.FAILED), plan("19 March")],
        on("13 March"),
        NOTHING,
        "followed",
    ),
    History(
        "a planned appointment answers a first date",
        Source.SEED,
        [order(), plan("19 March")],
        on("13 March"),
        NOTHING,
        "followed",
    ),
    History(
        "a planned appointment answers an invitation after an excused absence",
        Source.INFERRED,
        [
            order(),
            miss(1, justification=Justification.MEDICAL, review=Review.ACCEPTED),
            plan("19 March"),
        ],
        on("13 March"),
        NOTHING,
        "followed",
    ),
    History(
        "a planned appointment answers a silence",
        Source.INFERRED,
        [order(), interview(), plan("11 May", time=on("20 April"))],
        on("20 April"),
        NOTHING,
        "followed",
        next_check=on("11 May"),
    ),
    History(
        "silence is counted from the answer after the last absence",
        Source.INFERRED,
        [
            order(),
            interview(),
            plan("27 March"),
            miss(3, appointment_id="appointment-9", scheduled_at=on("27 March")),
            answered("reinvite-after-first-miss", "order-1/miss/appointment-9", on("30 March")),
        ],
        start_of("28 April"),
        NOTHING,
        "followed",
    ),
    History(
        "a planned appointment does not answer a review",
        Source.INFERRED,
        [*THREE, plan("11 May", time=on("20 April"))],
        on("20 April"),
        {"review-after-third-miss"},
        "escalated",
    ),
    History(
        "the planned appointment is cancelled: the invitation is proposed again",
        Source.INFERRED,
        [
            order(),
            miss(1),
            plan("19 March", state=AppointmentState.CANCELLED_BY_OFFICE, time=on("16 March")),
        ],
        on("16 March"),
        {"reinvite-after-first-miss"},
        "escalated",
    ),
    History(
        "the planned appointment passed: its outcome is asked for before anything else",
        Source.INFERRED,
        [order(), miss(1), plan("19 March")],
        on("24 March"),
        {"report-outcome"},
        "escalated",
    ),
    History(
        "an appointment that is too far ahead answers nothing",
        Source.INFERRED,
        [order(), miss(1), plan("1 December")],
        on("13 March"),
        {"reinvite-after-first-miss", "check-dates"},
        "escalated",
    ),
    History(
        "an appointment planned for the past answers nothing for long",
        Source.INFERRED,
        [order(), miss(1), plan("9 March")],
        on("13 March"),
        {"report-outcome"},
        "escalated",
    ),
]

HISTORIES = [*ONE_REVIEW, *COVERED, *ANSWERED, *PLANNED]


@table(HISTORIES)
def test_nothing_is_proposed_twice(history: History) -> None:
    history.check()


class Walk:
    """Decides, publishes and decides again, as the worker does."""

    def __init__(self, facts: Sequence[Fact]) -> None:
        self.facts = list(facts)
        self.announced = Announced()

    def decide(self, now: datetime) -> Decision:
        decision = decide(self.facts, now, self.announced)
        assert_not_forgotten(decision, now)
        self.announced = applied(self.announced, decision)
        return decision


def test_an_answer_withdraws_the_proposal_and_it_never_comes_back() -> None:
    walk = Walk([order(), miss(1)])
    first = raised(walk.decide(on("6 March")))["reinvite-after-first-miss"]

    walk.facts.append(answer(first, on("9 March"), reason=AnswerReason.PERSON_INVITED))
    settled = walk.decide(on("9 March"))
    gone = withdrawn(settled)["reinvite-after-first-miss"]
    assert (gone.reason, gone.because) == (WithdrawalReason.ANSWERED, ("done: person_invited",))

    now = on("9 March")
    while now < on("9 March 2027"):
        decision = walk.decide(now)
        assert first.escalation_id not in {o.escalation_id for o in raised(decision).values()}
        assert decision.next_check is not None
        now = decision.next_check


def test_an_unanswered_proposal_is_announced_again_at_dated_intervals() -> None:
    walk = Walk([order()])
    walk.decide(start_of("6 March"))
    rounds = []
    now = start_of("6 March")
    while now < on("1 June"):
        decision = walk.decide(now)
        if "give-first-date" in raised(decision):
            again = raised(decision)["give-first-date"]
            assert withdrawn(decision)["give-first-date"].reason is WithdrawalReason.REMINDED
            assert again.detected_at == now
            rounds.append((again.round, again.reminder, now))
        assert decision.next_check is not None
        now = decision.next_check
    # Five working days each: Easter Monday, 1 May, Ascension Day and Whit Monday do not count.
    assert rounds[0] == (2, 1, start_of("14 March"))
    assert rounds[1] == (3, 2, start_of("21 March"))
    assert [round_ for round_, _, _ in rounds] == list(range(2, len(rounds) + 2))
    assert [reminder for _, reminder, _ in rounds] == list(range(1, len(rounds) + 1))
    assert {later[2] - earlier[2] for earlier, later in pairwise(rounds)} <= {
        timedelta(days=days) for days in (7, 8, 9, 10)
    }


def test_a_reminder_names_the_day_by_which_an_answer_is_expected() -> None:
    walk = Walk(THREE)
    review = raised(walk.decide(on("2 April")))["review-after-third-miss"]
    # Ten working days for a review; Easter Monday does not count.
    assert review.answer_by == start_of("18 April")
    assert walk.decide(start_of("18 April") - MOMENT).messages == ()
    again = raised(walk.decide(start_of("18 April")))["review-after-third-miss"]
    assert (again.escalation_id, again.round, again.reminder) == (review.escalation_id, 2, 1)


def test_a_postponed_proposal_comes_back_in_the_next_round() -> None:
    walk = Walk([order(), miss(1)])
    first = raised(walk.decide(on("6 March")))["reinvite-after-first-miss"]
    walk.facts.append(answer(first, on("9 March"), POSTPONED, postponed_until=on("20 March")))
    assert withdrawn(walk.decide(on("9 March")))["reinvite-after-first-miss"].reason is (
        WithdrawalReason.ANSWERED
    )
    again = raised(walk.decide(on("20 March")))["reinvite-after-first-miss"]
    assert (again.escalation_id, again.round, again.reminder) == (first.escalation_id, 2, 0)
    walk.facts.append(answer(again, on("23 March")))
    assert set(withdrawn(walk.decide(on("23 March")))) == {"reinvite-after-first-miss"}
    assert not raised(walk.decide(on("24 March")))


def test_an_answer_to_an_earlier_round_settles_a_later_one() -> None:
    walk = Walk([order(), miss(1)])
    first = raised(walk.decide(on("6 March")))["reinvite-after-first-miss"]
    walk.decide(on("16 March"))
    walk.facts.append(answer(first, on("17 March")))
    assert set(withdrawn(walk.decide(on("17 March")))) == {"reinvite-after-first-miss"}


def test_an_appointment_withdraws_the_invitation_and_its_absence_raises_the_next_step() -> None:
    walk = Walk([order(), miss(1)])
    walk.decide(on("6 March"))
    walk.facts.append(planned(on("12 March"), "appointment-2", time=on("9 March")))
    assert set(withdrawn(walk.decide(on("9 March")))) == {"reinvite-after-first-miss"}
    assert walk.decide(on("12 March")).messages == ()
    walk.facts.append(miss(2))
    assert set(raised(walk.decide(on("12 March 17:00")))) == {"outreach-after-second-miss"}


def test_a_case_that_ends_and_reopens_has_each_proposal_once() -> None:
    walk = Walk([order(), miss(1)])
    first = raised(walk.decide(on("6 March")))["reinvite-after-first-miss"]
    walk.facts.append(ended(on("9 March")))
    assert withdrawn(walk.decide(on("9 March")))["reinvite-after-first-miss"].reason is (
        WithdrawalReason.ENDED
    )
    walk.facts.append(answer(first, on("10 March")))
    assert walk.decide(on("10 March")).messages == ()


UNCHANGING = {name: facts for name, facts in BEGINNINGS.items() if name != "an impossible date"}
"""Cases in which time alone changes nothing after the first year."""


@pytest.mark.parametrize("facts", UNCHANGING.values(), ids=UNCHANGING)
def test_four_years_without_a_new_fact_do_not_let_the_proposals_grow(facts: Sequence[Fact]) -> None:
    """Nobody answers. One proposal of each group stands, and none of them is new after a year."""
    walk, groups = Walk(facts), {rule.id: rule.group for rule in ref().policy.rules}
    now = max(fact.time for fact in facts)
    most = 0
    while now < on("1 March 2030"):
        decision = walk.decide(now)
        standing = [groups[one.rule_id] for one in walk.announced.standing]
        assert len(standing) == len(set(standing))
        assert len(decision.messages) <= 2 * len(ref().policy.rules)
        if now < on("1 March 2027"):
            most = max(most, len(standing))
        else:
            assert 0 < len(standing) <= most
            assert not {o.rule_id for o in raised(decision).values() if o.reminder == 0}
        assert decision.next_check is not None
        now = decision.next_check
    assert most <= 3


@pytest.mark.parametrize("facts", BEGINNINGS.values(), ids=BEGINNINGS)
def test_deciding_every_day_announces_what_deciding_at_the_next_check_announces(
    facts: Sequence[Fact],
) -> None:
    """A check too many changes nothing: what is announced depends on the facts and the time."""
    often, rarely = Walk(facts), Walk(facts)
    now = start = max(fact.time for fact in facts)
    while now < start + timedelta(days=150):
        decision = rarely.decide(now)
        often.decide(now)
        assert decision.next_check is not None
        between = now + timedelta(hours=19)
        while between < decision.next_check:
            assert often.decide(between).messages == ()
            between += timedelta(hours=19)
        now = decision.next_check
    assert often.announced == rarely.announced


def test_a_guard_that_comes_and_goes_does_not_reset_an_answer() -> None:
    done = [order(), miss(1), answered(*REINVITE, on("9 March"))]
    doubt = [
        circumstance(Guard.WRONG_LANGUAGE_INVITATION, effective_at=on("16 March")),
        circumstance(Guard.WRONG_LANGUAGE_INVITATION, ends=True, effective_at=on("18 March")),
    ]
    assert not raised(decide([*done, *doubt], on("20 March")))


def test_a_new_interview_brings_a_new_review_of_a_refusal() -> None:
    refusal = ("review-after-refusal", "order-1/interview/interview-1")
    first = answered(*refusal, on("3 April"), role=OFFICIAL)
    again = interview(2, held_at=on("13 April"), conclusion=Conclusion.VOLUNTARY_RETURN_REFUSED)
    facts = [order(), *checked(), REFUSAL, first]
    assert not raised(decide(facts, on("10 April")))
    assert set(raised(decide([*facts, again], on("13 April")))) == {"review-after-refusal"}


def test_a_person_in_detention_is_not_announced_to_the_coach_again() -> None:
    walk = Walk([order(), miss(1)])
    walk.decide(on("6 March"))
    walk.facts.append(order(lodging=Lodging.DETAINED, time=on("9 March")))
    assert set(withdrawn(walk.decide(on("9 March")))) == {"reinvite-after-first-miss"}
    assert not raised(walk.decide(on("30 March")))
