"""Every rule of the policy: when it just stands, when it just does not, and its guards."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from hypothesis import given as forall
from hypothesis import strategies as st
from pydantic import TypeAdapter

from schemas.codes import Guard, Language
from schemas.events import (
    CircumstanceOutcome,
    Conclusion,
    Delivery,
    Household,
    HouseholdKind,
    Justification,
    Lodging,
    Notification,
    NotificationChannel,
    ProposalAnswered,
    Review,
    ReviewDecision,
    TermReason,
)
from schemas.outcomes import Action, EscalationRaised, GuardState, Track
from streams.domain.case import Fact
from streams.domain.policy.load import load_policy
from streams.domain.policy.rules import HIGHEST_LEVEL, OPERATORS, RuleFacts, rule_facts
from streams.domain.questions import QuestionKind
from streams.domain.situation import DateToCheck, EndDue, InvitationDue, MissKind
from streams.domain.terms import QuestionRules, ReviewRule
from tests.domain.given import (
    BRUSSELS,
    FAMILY,
    LATER,
    MOMENT,
    NOTIFIED,
    TERM_END,
    appointment,
    blocking,
    checked,
    circumstance,
    day,
    decide,
    derive,
    interview,
    miss,
    order,
    outcomes,
    planned,
    ref,
    reviewed,
    standing,
)

THREE = (miss(1), miss(2), miss(3))
CHECKED = checked()
REFUSED = interview(conclusion=Conclusion.VOLUNTARY_RETURN_REFUSED)
ACCEPTED = interview(conclusion=Conclusion.VOLUNTARY_RETURN_ACCEPTED)
PROSPECT = interview(conclusion=Conclusion.RESIDENCE_PROSPECT)
UNDELIVERED = miss(1, delivery=Delivery.FAILED)
JUSTIFIED = miss(1, justification=Justification.MEDICAL, review=Review.ACCEPTED)
UNPROVEN = Notification(channel=NotificationChannel.REGISTERED_POST, proven=False)
MINOR = Household(kind=HouseholdKind.UNACCOMPANIED_MINOR)
ADDRESS_CHECK = reviewed(ReviewDecision.ADDRESS_CHECK, day(32))
MEASURE = reviewed(ReviewDecision.LESS_COERCIVE_MEASURE, day(32))
ASYLUM = Guard.ASYLUM_REQUEST_PENDING


def escalation_of(answer: Fact) -> str:
    assert isinstance(answer.event, ProposalAnswered)
    return answer.event.escalation_id


def midnight(month: int, day_of_month: int) -> datetime:
    return datetime(2026, month, day_of_month, tzinfo=BRUSSELS)


@dataclass(frozen=True)
class RuleCase:
    """Facts for which a rule stands from ``due`` on, and not a microsecond earlier."""

    rule: str
    facts: Sequence[Fact]
    due: datetime
    level: int
    action: Action
    occasion: str
    office: str = "gent"
    track: Track = Track.INDIVIDUAL


RULE_CASES = [
    RuleCase(
        "check-delivery",
        [order(), UNDELIVERED],
        UNDELIVERED.time,
        1,
        Action.CHECK_DELIVERY,
        "order-1/miss/appointment-1",
    ),
    RuleCase(
        "reinvite-after-first-miss",
        [order(), miss(1)],
        miss(1).time,
        1,
        Action.REINVITE,
        "order-1/miss/appointment-1",
    ),
    RuleCase(
        "outreach-after-second-miss",
        [order(), miss(1), miss(2)],
        miss(2).time,
        2,
        Action.OUTREACH,
        "order-1/miss/appointment-2",
    ),
    RuleCase(
        "review-after-third-miss",
        [order(), *CHECKED, *THREE],
        TERM_END,
        3,
        Action.HUMAN_REVIEW,
        "order-1/miss/appointment-3",
    ),
    RuleCase(
        "review-after-refusal",
        [order(), *CHECKED, REFUSED],
        TERM_END,
        3,
        Action.HUMAN_REVIEW,
        "order-1/interview/interview-1",
    ),
    RuleCase(
        "measure-after-review",
        [order(), *CHECKED, *THREE, MEASURE],
        day(32),
        4,
        Action.LESS_COERCIVE_MEASURE_REFERRAL,
        f"order-1/review/{escalation_of(MEASURE)}",
    ),
    RuleCase(
        # Twenty working days after the terms that paused the count, not counting Easter Monday.
        "address-check-referral",
        [order(), *CHECKED, *THREE, ADDRESS_CHECK],
        midnight(5, 1),
        5,
        Action.ADDRESS_CHECK_REFERRAL,
        f"order-1/review/{escalation_of(ADDRESS_CHECK)}",
    ),
    RuleCase(
        "silence",
        [order(), interview()],
        midnight(4, 4),
        2,
        Action.CONTACT_REVIEW,
        "order-1/silent-since/2026-03-06",
    ),
    RuleCase(
        "invite-again",
        [order(), JUSTIFIED],
        JUSTIFIED.time,
        1,
        Action.REINVITE,
        "order-1/invite/justified/appointment-1",
    ),
    RuleCase("give-first-date", [order()], midnight(3, 6), 1, Action.GIVE_DATE, "order-1/order"),
    RuleCase(
        "report-outcome",
        [order(first_appointment=appointment(day(10)))],
        midnight(3, 17),
        1,
        Action.REPORT_OUTCOME,
        "order-1/appointment/appointment-9",
    ),
    RuleCase(
        "prove-notification",
        [order(notification=UNPROVEN)],
        midnight(3, 5),
        1,
        Action.PROVE_NOTIFICATION,
        "order-1/order",
    ),
    RuleCase(
        "refer-to-return-programme",
        [order(), ACCEPTED],
        ACCEPTED.time,
        1,
        Action.REFER_RETURN,
        "order-1/interview/interview-1",
    ),
    RuleCase(
        "follow-departure",
        [order(), ACCEPTED],
        midnight(4, 4),
        2,
        Action.FOLLOW_DEPARTURE,
        "order-1/interview/interview-1",
    ),
    RuleCase(
        "lodge-application",
        [order(), PROSPECT],
        midnight(3, 21),
        1,
        Action.SUPPORT_APPLICATION,
        "order-1/interview/interview-1",
    ),
    RuleCase(
        "prospect-deadline",
        [order(), PROSPECT],
        midnight(4, 21),
        2,
        Action.SUPPORT_APPLICATION,
        "order-1/interview/interview-1",
    ),
    RuleCase(
        "inform-guardianship",
        [order(household=MINOR)],
        NOTIFIED,
        1,
        Action.INFORM_GUARDIANSHIP,
        "order-1/order",
        track=Track.MINOR,
    ),
    RuleCase(
        "minors-detained",
        [order(household=FAMILY, lodging=Lodging.DETAINED)],
        NOTIFIED,
        2,
        Action.CHECK_DETENTION,
        "order-1/detained-since/2026-03-02",
        office="detention-queue",
        track=Track.DETAINED,
    ),
    RuleCase(
        "find-order",
        [miss(1)],
        midnight(3, 13),
        1,
        Action.FIND_ORDER,
        "first_event/2026-03-05",
        office="bruxelles",
        track=Track.TRIAGE,
    ),
    RuleCase(
        "confirm-circumstance",
        [order(), circumstance(Guard.IDENTITY_DOUBT)],
        midnight(5, 21),
        1,
        Action.CONFIRM_CIRCUMSTANCE,
        "circumstance/identity_doubt/procedure-1/2026-03-22",
    ),
    RuleCase(
        "report-decision",
        [order(), circumstance(ASYLUM), circumstance(ASYLUM, ends=True, effective_at=day(30))],
        day(30),
        1,
        Action.REPORT_DECISION,
        "decision/asylum_request_pending/procedure-1",
    ),
    RuleCase(
        "record-end",
        [
            order(),
            circumstance(ASYLUM),
            circumstance(
                ASYLUM, ends=True, effective_at=day(30), outcome=CircumstanceOutcome.GRANTED
            ),
        ],
        day(30),
        1,
        Action.RECORD_END,
        "end/granted/asylum_request_pending/procedure-1",
    ),
    RuleCase(
        "check-dates",
        [order(first_appointment=appointment(day(300)))],
        NOTIFIED,
        1,
        Action.CHECK_DATES,
        "date/appointment_too_far/appointment-9",
    ),
    RuleCase(
        "check-term",
        [order(departure_term_days=5, departure_term_reason=TermReason.NO_LONG_STAY_RIGHT)],
        NOTIFIED,
        1,
        Action.CHECK_ORDER,
        "order-1/order",
    ),
    RuleCase(
        # Nothing else may stand: a doubt about the identity blocks the first date.
        "longest-pause",
        [order(), circumstance(Guard.IDENTITY_DOUBT, effective_at=NOTIFIED)],
        midnight(4, 24),
        1,
        Action.CONTACT_REVIEW,
        "order-1/silent-since/2026-03-02",
    ),
]
RULES_WITH_CLOCKS = {rule.id for rule in ref().policy.rules if rule.after} | {
    "review-after-third-miss"
}
NAMES = [rule_case.rule for rule_case in RULE_CASES]


def test_every_rule_of_the_policy_is_tested() -> None:
    assert {rule_case.rule for rule_case in RULE_CASES} == {rule.id for rule in ref().policy.rules}


@pytest.mark.parametrize("rule_case", RULE_CASES, ids=NAMES)
def test_a_rule_stands_from_the_instant_at_which_its_cause_is_complete(rule_case: RuleCase) -> None:
    escalation = standing(rule_case.facts, rule_case.due)[rule_case.rule]
    assert (escalation.level, escalation.action, escalation.occasion) == (
        rule_case.level,
        rule_case.action,
        rule_case.occasion,
    )
    assert escalation.due_at == rule_case.due
    assert escalation.detected_at == rule_case.due
    assert (escalation.office_id, escalation.track) == (rule_case.office, rule_case.track)
    rule = ref().policy.rule(rule_case.rule)
    assert rule is not None
    assert escalation.addressed_to is rule.owner


@pytest.mark.parametrize("rule_case", RULE_CASES, ids=NAMES)
def test_a_rule_detected_late_still_reports_when_it_was_due(rule_case: RuleCase) -> None:
    after = rule_case.due + timedelta(hours=7)
    late = standing(rule_case.facts, after)[rule_case.rule]
    assert (late.due_at, late.detected_at) == (rule_case.due, after)


@pytest.mark.parametrize(
    "rule_case", [r for r in RULE_CASES if r.rule in RULES_WITH_CLOCKS], ids=lambda r: r.rule
)
def test_a_rule_does_not_stand_early_and_is_checked_again_when_it_is_due(
    rule_case: RuleCase,
) -> None:
    early = decide(rule_case.facts, rule_case.due - MOMENT)
    assert rule_case.rule not in {
        o.rule_id for o in outcomes(early) if isinstance(o, EscalationRaised)
    }
    assert early.next_check is not None
    assert early.next_check <= rule_case.due


@pytest.mark.parametrize(
    ("rule", "facts"),
    [
        ("check-delivery", [order(), miss(1)]),
        ("check-delivery", [order(), UNDELIVERED, miss(2)]),  # the last miss was delivered
        ("check-delivery", [order(lodging=Lodging.DETAINED), UNDELIVERED]),
        ("reinvite-after-first-miss", [order()]),
        ("reinvite-after-first-miss", [order(), UNDELIVERED]),
        ("reinvite-after-first-miss", [order(), miss(1, delivery=Delivery.UNPROVEN)]),
        ("reinvite-after-first-miss", [order(), miss(1, language=Language.FR)]),
        ("reinvite-after-first-miss", [order(), miss(1, review=Review.ACCEPTED)]),
        (
            "reinvite-after-first-miss",
            [order(), miss(1, justification=Justification.UNKNOWN)],
        ),
        ("reinvite-after-first-miss", [order(lodging=Lodging.DETAINED), miss(1)]),
        ("reinvite-after-first-miss", [order(), miss(1, order_id="order-9")]),
        ("outreach-after-second-miss", [order(), miss(1)]),
        ("outreach-after-second-miss", [order(), miss(1), miss(2, delivery=Delivery.FAILED)]),
        ("review-after-third-miss", [order(), *CHECKED, miss(1), miss(2)]),
        ("review-after-third-miss", [order(), *THREE]),  # nobody reported the checks
        ("review-after-third-miss", [order(lodging=Lodging.DETAINED), *CHECKED, *THREE]),
        ("review-after-refusal", [order(), *CHECKED, interview()]),
        (
            "review-after-refusal",
            [order(), *CHECKED, REFUSED, interview(2)],  # undecided at the last interview
        ),
        ("review-after-refusal", [order(lodging=Lodging.DETAINED), *CHECKED, REFUSED]),
        ("measure-after-review", [order(), *CHECKED, *THREE]),
        ("measure-after-review", [order(), *CHECKED, *THREE, ADDRESS_CHECK]),
        ("silence", [order()]),  # no date was ever given: another rule asks for one
        ("silence", [order(lodging=Lodging.DETAINED), interview()]),
        ("silence", [order(), interview(), planned(LATER + timedelta(days=9))]),
        ("silence", [order(first_appointment=appointment(day(40)))]),
        ("address-check-referral", [order(), *CHECKED, miss(1), miss(2), ADDRESS_CHECK]),
        ("address-check-referral", [order(), *CHECKED, *THREE]),  # no review
        (
            "address-check-referral",
            [order(), *CHECKED, interview(held_at=day(1)), *THREE, ADDRESS_CHECK],
        ),
        (
            "address-check-referral",
            [order(lodging=Lodging.RECEPTION), *CHECKED, *THREE, ADDRESS_CHECK],
        ),
        (
            "address-check-referral",
            [order(residence_postcode=None), *CHECKED, *THREE, ADDRESS_CHECK],
        ),
        ("address-check-referral", [order(household=FAMILY), *CHECKED, *THREE, ADDRESS_CHECK]),
        ("give-first-date", [order(), miss(1)]),
        ("give-first-date", [order(lodging=Lodging.DETAINED)]),
        ("give-first-date", [order(), planned(LATER + timedelta(days=9))]),
        ("invite-again", [order(), JUSTIFIED, planned(LATER + timedelta(days=9))]),
        ("invite-again", [order(), miss(1)]),
        ("report-outcome", [order(first_appointment=appointment(day(3), "appointment-1")), miss()]),
        ("report-outcome", [order(first_appointment=appointment(day(3))), interview()]),
        ("prove-notification", [order()]),
        ("refer-to-return-programme", [order(), REFUSED]),
        ("follow-departure", [order(), ACCEPTED, interview(2)]),
        ("lodge-application", [order(), PROSPECT, circumstance(ASYLUM)]),
        ("prospect-deadline", [order(), PROSPECT, circumstance(ASYLUM)]),
        ("inform-guardianship", [order(household=FAMILY)]),
        ("minors-detained", [order(household=FAMILY)]),
        ("minors-detained", [order(lodging=Lodging.DETAINED)]),
        ("find-order", [order(), miss(1)]),
        ("confirm-circumstance", [order(), circumstance(Guard.IDENTITY_DOUBT)]),
        ("report-decision", [order(), circumstance(ASYLUM)]),
        (
            "report-decision",
            [
                order(),
                circumstance(ASYLUM),
                circumstance(ASYLUM, ends=True, outcome=CircumstanceOutcome.REFUSED),
            ],
        ),
        ("record-end", [order(), circumstance(ASYLUM)]),
        ("check-dates", [order(first_appointment=appointment(day(40)))]),
        ("check-term", [order(departure_term_days=7)]),
        ("longest-pause", [order(), interview(9, held_at=LATER - timedelta(days=9))]),
    ],
)
def test_a_rule_does_not_stand_if_one_condition_fails(rule: str, facts: list[Fact]) -> None:
    assert rule not in standing(facts, LATER)


@pytest.mark.parametrize(
    ("rule", "facts"),
    [
        ("check-delivery", [order(), miss(1, language=Language.FR)]),
        ("review-after-third-miss", [order(household=FAMILY), *CHECKED, *THREE]),
        ("review-after-refusal", [order(household=FAMILY), *CHECKED, REFUSED]),
        ("silence", [order(household=FAMILY), interview()]),
    ],
)
def test_a_rule_stands_despite_a_detail_that_does_not_matter(rule: str, facts: list[Fact]) -> None:
    assert rule in standing(facts, LATER)


def test_only_the_highest_rule_of_a_group_stands() -> None:
    facts = [order(), *CHECKED, *THREE]
    assert set(standing(facts, TERM_END - MOMENT)) == {"outreach-after-second-miss"}
    assert set(standing(facts, TERM_END)) == {"review-after-third-miss"}


def test_a_rule_does_not_stand_beside_one_of_its_level_that_covers_it() -> None:
    """After a release both a first date and an invitation are due: one proposal asks for both."""
    released = order(lodging=Lodging.HOME, lodging_since=day(7), time=day(8))
    facts = [order(lodging=Lodging.DETAINED), released]
    assert set(standing(facts, day(9))) == {"invite-again"}
    assert set(standing(facts, day(15))) == {"give-first-date"}


def test_the_appeal_term_is_shorter_in_a_return_house() -> None:
    facts = [order(lodging=Lodging.RETURN_HOUSE, departure_term_days=7), *CHECKED, *THREE]
    assert "review-after-third-miss" in standing(facts, THREE[-1].time)


def test_the_appeal_term_still_blocks_when_the_departure_term_is_0_days() -> None:
    facts = [order(departure_term_days=0), *CHECKED, *THREE]
    guards = blocking(facts, TERM_END - MOMENT)["review-after-third-miss"]
    assert guards == {Guard.APPEAL_TERM_RUNNING}
    assert "review-after-third-miss" in standing(facts, TERM_END)


_PROCEDURES = {
    Guard.NEW_RESIDENCE_PROCEDURE,
    Guard.ASYLUM_REQUEST_PENDING,
    Guard.MARRIAGE_OR_COHABITATION_PENDING,
}
BEGUN = {"lodge-application": _PROCEDURES, "prospect-deadline": _PROCEDURES}
"""Procedures that a rule asks to begin: once begun, it has nothing to ask."""


@pytest.mark.parametrize("rule_case", RULE_CASES, ids=NAMES)
def test_a_guard_blocks_every_rule_that_does_not_waive_it(
    rule_case: RuleCase, subtests: pytest.Subtests
) -> None:
    rule, now = ref().policy.rule(rule_case.rule), rule_case.due
    assert rule is not None
    early = min(fact.time for fact in rule_case.facts)  # a new report restarts the longest pause
    for guard in Guard:
        begun = circumstance(guard, effective_at=now, reference="block-1", time=early)
        facts = [*rule_case.facts, begun]
        with subtests.test(guard=guard):
            if guard in BEGUN.get(rule_case.rule, ()):
                assert rule_case.rule not in standing(facts, now)
            elif guard in rule.waives:
                evidence = standing(facts, now)[rule_case.rule].evidence
                checks = {check.guard: check for check in evidence.guards}
                assert checks[guard].state is GuardState.WAIVED
                assert rule.waives[guard] in checks[guard].because
            else:
                assert rule_case.rule not in standing(facts, now)
                assert blocking(facts, now)[rule_case.rule] == {guard}


@pytest.mark.parametrize("rule_case", RULE_CASES, ids=NAMES)
def test_an_unknown_guard_blocks_like_an_active_one(
    rule_case: RuleCase, subtests: pytest.Subtests
) -> None:
    rule, now = ref().policy.rule(rule_case.rule), rule_case.due
    assert rule is not None
    for guard in Guard:
        later = now + timedelta(minutes=1)
        facts = [
            *rule_case.facts,
            circumstance(guard, effective_at=later, time=now, reference="block-1"),
            circumstance(guard, ends=True, effective_at=now, reference="block-1"),
        ]
        if guard in BEGUN.get(rule_case.rule, ()) or rule.group == "pause":
            continue
        with subtests.test(guard=guard):
            assert (rule_case.rule in standing(facts, now)) is (guard in rule.waives)
            blocked = [b for b in decide(facts, now).blocked if b.rule is rule]
            states = [(g, r.state) for b in blocked for g, r in b.by]
            assert states == ([] if guard in rule.waives else [(guard, GuardState.UNKNOWN)])


@pytest.mark.parametrize("guard", Guard)
def test_a_guard_that_has_ended_no_longer_blocks(guard: Guard) -> None:
    begin, end = day(70), day(75)
    outcome = CircumstanceOutcome.REFUSED
    ended = circumstance(guard, ends=True, effective_at=end, outcome=outcome)
    facts = [order(), *CHECKED, *THREE, ADDRESS_CHECK, circumstance(guard, effective_at=begin)]
    asked_again = planned(day(76), "appointment-4", time=end)
    missed_again = miss(4, scheduled_at=day(76))
    assert "address-check-referral" in standing(facts, begin - MOMENT)
    facts = [*facts, ended, asked_again, missed_again]
    assert "address-check-referral" not in standing(facts, end - MOMENT)
    assert "address-check-referral" in standing(facts, day(120))


def test_evidence_lists_events_facts_clocks_and_guards() -> None:
    facts = [order(), *THREE, ADDRESS_CHECK]
    evidence = standing([*facts, *CHECKED], LATER)["address-check-referral"].evidence
    assert evidence.event_ids == tuple(str(fact.event_id) for fact in facts)
    assert [(c.fact, c.found, c.test, c.wanted) for c in evidence.facts] == [
        ("counted_misses", "3", "at_least", "3"),
        ("interviews_held", "0", "is", "0"),
        ("lodging", "home", "is", "home"),
        ("residence_known", "true", "is", "true"),
        ("review_decision", "address_check", "is", "address_check"),
        ("invitation_due", "none", "none_of", "resumed"),
    ]
    assert [(c.clock, c.start, c.working_days, c.due) for c in evidence.clocks] == [
        ("term_end", TERM_END, 0, TERM_END),
        ("last_attempt", day(17), 20, midnight(5, 1)),
        ("occasion", day(32), 0, day(32)),
    ]
    assert {pause.cause for pause in evidence.clocks[1].paused} == {
        "departure_term_running",
        "appeal_term_running",
    }
    assert [check.guard for check in evidence.guards] == list(Guard)
    assert {check.state for check in evidence.guards} == {GuardState.CLEAR}


@pytest.mark.parametrize(
    ("rule", "facts", "now", "nearest"),
    [
        (
            "reinvite-after-first-miss",
            [order(), miss(1)],
            day(5),
            ("outreach-after-second-miss", 2, "counted_misses is 1, needs at_least 2"),
        ),
        (
            "outreach-after-second-miss",
            [order(), *THREE],
            day(20),
            ("review-after-third-miss", 3, "guard appeal_term_running is active"),
        ),
        (
            "review-after-third-miss",
            [order(), *CHECKED, *THREE],
            TERM_END,
            ("measure-after-review", 4, "review_decision is unknown, needs is less_coercive"),
        ),
    ],
)
def test_evidence_names_the_nearest_higher_rule_and_why_it_does_not_stand(
    rule: str, facts: list[Fact], now: datetime, nearest: tuple[str, int, str]
) -> None:
    near_miss = standing(facts, now)[rule].evidence.nearest
    name, level, because = nearest
    assert near_miss is not None
    assert (near_miss.rule_id, near_miss.level) == (name, level)
    assert near_miss.because[0].startswith(because)


def test_the_highest_rule_has_no_near_miss() -> None:
    facts = [order(), *CHECKED, *THREE, ADDRESS_CHECK]
    evidence = standing(facts, LATER)["address-check-referral"].evidence
    assert evidence.nearest is None


def test_forced_return_and_detention_cannot_be_expressed() -> None:
    forbidden = re.compile("remov|detain|arrest|expel|forc|return_flight|deport")
    assert [action.value for action in Action if forbidden.search(action.value)] == []
    assert HIGHEST_LEVEL == 5
    schema = TypeAdapter(EscalationRaised).json_schema()
    assert schema["properties"]["level"]["maximum"] == 5
    assert schema["properties"]["decided_by"]["const"] == "human"


@pytest.mark.parametrize("miss_count", [3, 4, 5])
def test_more_misses_do_not_change_the_occasion_of_the_third(miss_count: int) -> None:
    facts = [order(), *CHECKED, *(miss(number) for number in range(1, miss_count + 1))]
    escalation = standing(facts, LATER + timedelta(days=30))["review-after-third-miss"]
    assert escalation.occasion == "order-1/miss/appointment-3"


OPTIONAL = st.none() | st.booleans()
FACTS = st.builds(
    RuleFacts,
    counted_misses=st.integers(0, 4),
    last_miss=st.none() | st.sampled_from(MissKind),
    interviews_held=st.integers(0, 2),
    last_conclusion=st.none() | st.sampled_from(Conclusion),
    lodging=st.none() | st.sampled_from(Lodging),
    household=st.none() | st.sampled_from(HouseholdKind),
    residence_known=OPTIONAL,
    repeat_order=OPTIONAL,
    order_known=st.booleans(),
    notification_proven=OPTIONAL,
    appointment_ever=OPTIONAL,
    appointment_open=OPTIONAL,
    unreported_appointment=st.booleans(),
    invitation_due=st.sampled_from(InvitationDue),
    return_accepted=st.booleans(),
    prospect_open=st.booleans(),
    open_question=st.none() | st.sampled_from(QuestionKind),
    decision_missing=st.booleans(),
    end_due=st.none() | st.sampled_from(EndDue),
    date_to_check=st.none() | st.sampled_from(DateToCheck),
    term_below_minimum=OPTIONAL,
    review_decision=st.none() | st.sampled_from(ReviewDecision),
)
STRICTER = load_policy(ref().policy.body.replace("at_least = 1", "at_least = 3"))


@forall(FACTS)
def test_cached_matches_agree_with_each_condition(facts: RuleFacts) -> None:
    """Alternate between two policies, so that a shared cache would be detected."""
    for policy in (ref().policy, STRICTER, ref().policy):
        matches = policy.match_rules(facts)
        for rule in policy.rules:
            holds = [
                OPERATORS[cell.operator](getattr(facts, cell.fact), cell.operand)
                for cell in rule.when
            ]
            assert (rule in matches.matching) == all(holds)
            failing = [
                cell.text(facts) for cell, hold in zip(rule.when, holds, strict=True) if not hold
            ]
            near_miss = matches.near_miss(rule)
            assert (list(near_miss.because) if near_miss else []) == failing
            assert matches.near_misses.get(rule.id) == near_miss
            assert list(matches.checks_of(rule)) == [cell.check(facts) for cell in rule.when]


def test_the_rules_above_are_those_of_the_group_first_then_the_nearest() -> None:
    above = ref().policy.rules_above("attendance", 1)

    assert [rule.id for rule in above[:2]] == [
        "outreach-after-second-miss",
        "review-after-third-miss",
    ]
    others = [rule.level for rule in above[2:]]
    assert others == sorted(others)
    assert min(others) == 2


@pytest.mark.parametrize(
    ("begins", "ends", "is_open"),
    [
        (None, None, True),
        (day(4), None, False),  # as the interview is held
        (day(9), day(11), False),  # since then, and over
        (day(1), day(3), True),  # before, and over
        (day(1), None, False),  # before, and going on
    ],
)
def test_a_residence_prospect_is_open_until_a_procedure_begins(
    begins: datetime | None, ends: datetime | None, is_open: bool
) -> None:
    facts = [order(), interview(conclusion=Conclusion.RESIDENCE_PROSPECT)]
    if begins is not None:
        facts.append(circumstance(ASYLUM, effective_at=begins))
    if ends is not None:
        refused = CircumstanceOutcome.REFUSED
        facts.append(circumstance(ASYLUM, effective_at=ends, ends=True, outcome=refused))

    assert rule_facts(derive(facts, day(20)), {}).prospect_open is is_open


def test_the_rules_whose_answers_change_the_situation_are_found_by_their_actions() -> None:
    policy = load_policy(ref().policy.body)

    assert policy.questions == QuestionRules(
        confirm="confirm-circumstance",
        decision="report-decision",
        end="record-end",
        first_date="give-first-date",
        reviews=(ReviewRule("review-after-third-miss", 3), ReviewRule("review-after-refusal", 0)),
    )
    assert repr(policy) == f"Policy({policy.version}, {policy.digest[:12]})"


@pytest.mark.parametrize(
    ("rule_id", "waives_terms", "pauses_in_detention"),
    [
        ("silence", True, True),
        ("report-outcome", True, False),
        ("minors-detained", True, False),
        ("review-after-third-miss", False, True),
        ("address-check-referral", False, True),
    ],
)
def test_what_stops_the_days_of_a_rule_follows_from_its_waivers_and_lodgings(
    rule_id: str, waives_terms: bool, pauses_in_detention: bool
) -> None:
    rule = load_policy(ref().policy.body).rule(rule_id)

    assert rule is not None
    assert (rule.waives_terms, rule.pauses_in_detention) == (waives_terms, pauses_in_detention)
