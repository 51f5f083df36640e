"""Every rule of the policy: when it just stands, when it just does not, and its guards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from hypothesis import given as forall
from hypothesis import strategies as st

from schemas.events import (
    Conclusion,
    Delivery,
    HouseholdKind,
    Justification,
    Lodging,
    Review,
)
from schemas.outcomes import Action, EscalationRaised, GuardState, Track
from schemas.types import Guard, Language
from streams.domain.case import Fact
from streams.domain.policy.load import load_policy
from streams.domain.policy.rules import HIGHEST_LEVEL, OPERATORS, RuleFacts
from streams.domain.situation import MissKind
from tests.domain.given import (
    BRUSSELS,
    FAMILY,
    LATER,
    MOMENT,
    TERM_END,
    appointment,
    blocking,
    circumstance,
    day,
    decide,
    interview,
    miss,
    order,
    outcomes,
    ref,
    standing,
)

THREE = (miss(1), miss(2), miss(3))
REFUSED = interview(conclusion=Conclusion.VOLUNTARY_RETURN_REFUSED)
UNDELIVERED = miss(1, delivery=Delivery.FAILED)
SILENCE_AFTER_ORDER = datetime(2026, 3, 31, tzinfo=BRUSSELS)
"""Twenty working days after the notification of 2 March."""
SILENCE_AFTER_THIRD_MISS = datetime(2026, 4, 18, tzinfo=BRUSSELS)
"""Twenty working days after the third miss, Thursday 19 March, not counting Easter Monday."""


@dataclass(frozen=True)
class RuleCase:
    """Facts for which a rule stands from ``due`` on, and not a microsecond earlier."""

    rule: str
    facts: Sequence[Fact]
    due: datetime
    level: int
    action: Action
    occasion: str


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
        [order(), *THREE],
        TERM_END,
        3,
        Action.HUMAN_REVIEW,
        "order-1/miss/appointment-3",
    ),
    RuleCase(
        "review-after-refusal",
        [order(), REFUSED],
        TERM_END,
        3,
        Action.HUMAN_REVIEW,
        "order-1/interview/interview-1",
    ),
    RuleCase(
        "silence",
        [order()],
        SILENCE_AFTER_ORDER,
        2,
        Action.CONTACT_REVIEW,
        "order-1/silent-since/2026-03-02",
    ),
    RuleCase(
        "address-check-referral",
        [order(), *THREE],
        SILENCE_AFTER_THIRD_MISS,
        5,
        Action.ADDRESS_CHECK_REFERRAL,
        "order-1/miss/appointment-3",
    ),
]
RULES_WITH_CLOCKS = {
    "review-after-third-miss",
    "review-after-refusal",
    "silence",
    "address-check-referral",
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
    assert (escalation.office_id, escalation.track) == ("gent", Track.INDIVIDUAL)


@pytest.mark.parametrize("rule_case", RULE_CASES, ids=NAMES)
def test_a_rule_detected_late_still_reports_when_it_was_due(rule_case: RuleCase) -> None:
    late = standing(rule_case.facts, LATER)[rule_case.rule]
    assert (late.due_at, late.detected_at) == (rule_case.due, LATER)


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
    assert early.next_check == rule_case.due


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
        ("review-after-third-miss", [order(), miss(1), miss(2)]),
        ("review-after-third-miss", [order(lodging=Lodging.DETAINED), *THREE]),
        ("review-after-refusal", [order(), interview()]),
        (
            "review-after-refusal",
            [order(), REFUSED, interview(2)],  # undecided at the last interview
        ),
        ("review-after-refusal", [order(lodging=Lodging.DETAINED), REFUSED]),
        ("silence", [order(lodging=Lodging.DETAINED)]),
        ("silence", [order(), miss(1, scheduled_at=day(60))]),
        ("silence", [order(first_appointment=appointment(day(40)))]),
        ("address-check-referral", [order(), miss(1), miss(2)]),
        ("address-check-referral", [order(), interview(held_at=day(1)), *THREE]),
        ("address-check-referral", [order(lodging=Lodging.RECEPTION), *THREE]),
        ("address-check-referral", [order(residence_postcode=None), *THREE]),
        ("address-check-referral", [order(household=FAMILY), *THREE]),
    ],
)
def test_a_rule_does_not_stand_if_one_condition_fails(rule: str, facts: list[Fact]) -> None:
    assert rule not in standing(facts, LATER)


@pytest.mark.parametrize(
    ("rule", "facts"),
    [
        ("check-delivery", [order(), miss(1, language=Language.FR)]),
        ("reinvite-after-first-miss", [order(), miss(1, review=Review.REJECTED)]),
        ("outreach-after-second-miss", [order(), interview(held_at=day(1)), miss(1), miss(2)]),
        ("review-after-third-miss", [order(household=FAMILY), *THREE]),
        ("review-after-refusal", [order(household=FAMILY), REFUSED]),
        ("silence", [order(household=FAMILY)]),
    ],
)
def test_a_rule_stands_despite_a_detail_that_does_not_matter(rule: str, facts: list[Fact]) -> None:
    assert rule in standing(facts, LATER)


def test_only_the_highest_rule_of_a_group_stands() -> None:
    facts = [order(), *THREE]
    assert set(standing(facts, TERM_END - MOMENT)) == {"outreach-after-second-miss"}
    assert set(standing(facts, TERM_END)) == {"review-after-third-miss"}


def test_the_appeal_term_is_shorter_in_a_return_house() -> None:
    facts = [order(lodging=Lodging.RETURN_HOUSE, departure_term_days=7), *THREE]
    assert "review-after-third-miss" in standing(facts, THREE[-1].time)


def test_the_appeal_term_still_blocks_when_the_departure_term_is_0_days() -> None:
    facts = [order(departure_term_days=0), *THREE]
    guards = blocking(facts, TERM_END - MOMENT)["review-after-third-miss"]
    assert guards == {Guard.APPEAL_TERM_RUNNING}
    assert "review-after-third-miss" in standing(facts, TERM_END)


@pytest.mark.parametrize("guard", Guard)
@pytest.mark.parametrize("rule_case", RULE_CASES, ids=NAMES)
def test_a_guard_blocks_every_rule_that_does_not_waive_it(
    rule_case: RuleCase, guard: Guard
) -> None:
    facts = [*rule_case.facts, circumstance(guard)]
    rule = ref().policy.rule(rule_case.rule)
    assert rule is not None
    if guard in rule.waives:
        checks = {
            check.guard: check for check in standing(facts, LATER)[rule_case.rule].evidence.guards
        }
        assert checks[guard].state is GuardState.WAIVED
        assert rule.waives[guard] in checks[guard].because
    else:
        assert rule_case.rule not in standing(facts, LATER)
        assert blocking(facts, LATER)[rule_case.rule] == {guard}


@pytest.mark.parametrize("guard", Guard)
@pytest.mark.parametrize("rule_case", RULE_CASES, ids=NAMES)
def test_an_unknown_guard_blocks_like_an_active_one(rule_case: RuleCase, guard: Guard) -> None:
    facts = [
        *rule_case.facts,
        circumstance(guard, effective_at=day(20)),
        circumstance(guard, ends=True, effective_at=day(19)),
    ]
    rule = ref().policy.rule(rule_case.rule)
    assert rule is not None
    assert (rule_case.rule in standing(facts, LATER)) is (guard in rule.waives)
    blocked = [b for b in decide(facts, LATER).blocked if b.rule is rule]
    states = [(g, r.state) for b in blocked for g, r in b.by]
    assert states == ([] if guard in rule.waives else [(guard, GuardState.UNKNOWN)])


@pytest.mark.parametrize("guard", Guard)
def test_a_guard_that_has_ended_no_longer_blocks(guard: Guard) -> None:
    end = day(50)
    ended = circumstance(guard, ends=True, effective_at=end)
    facts = [order(), *THREE, circumstance(guard), ended]
    assert "address-check-referral" not in standing(facts, end - MOMENT)
    assert standing(facts, end)["address-check-referral"].due_at == end


def test_evidence_lists_events_facts_clocks_and_guards() -> None:
    facts = [order(), *THREE]
    evidence = standing(facts, LATER)["address-check-referral"].evidence
    assert evidence.event_ids == tuple(str(fact.event_id) for fact in facts)
    assert [(c.fact, c.found, c.test, c.wanted) for c in evidence.facts] == [
        ("counted_misses", "3", "at_least", "3"),
        ("interviews_held", "0", "is", "0"),
        ("lodging", "home", "is", "home"),
        ("residence_known", "true", "is", "true"),
    ]
    assert [(c.clock, c.start, c.working_days, c.due) for c in evidence.clocks] == [
        ("term_end", TERM_END, 0, TERM_END),
        ("last_attempt", day(17), 20, SILENCE_AFTER_THIRD_MISS),
    ]
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
            [order(), *THREE],
            TERM_END,
            ("address-check-referral", 5, "last_attempt + 20 working days: not before"),
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


def test_a_higher_rule_that_also_stands_is_not_the_near_miss() -> None:
    stands = standing([order(), *THREE], LATER)
    assert {"silence", "review-after-third-miss"} < set(stands)
    nearest = stands["silence"].evidence.nearest
    assert nearest is not None
    assert nearest.rule_id == "review-after-refusal"
    assert nearest.because


def test_the_highest_rule_has_no_near_miss() -> None:
    evidence = standing([order(), *THREE], LATER)["address-check-referral"].evidence
    assert evidence.nearest is None


def test_forced_return_and_detention_cannot_be_expressed() -> None:
    assert {action.value for action in Action} == {
        "check_delivery",
        "reinvite",
        "outreach",
        "contact_review",
        "human_review",
        "address_check_referral",
    }
    assert HIGHEST_LEVEL == 5
    schema = EscalationRaised.model_json_schema()
    assert schema["properties"]["level"]["maximum"] == 5
    assert schema["properties"]["decided_by"]["const"] == "human"


@pytest.mark.parametrize("miss_count", [3, 4, 5])
def test_more_misses_do_not_change_the_occasion_of_the_third(miss_count: int) -> None:
    facts = [order(), *(miss(number) for number in range(1, miss_count + 1))]
    escalation = standing(facts, LATER + timedelta(days=30))["review-after-third-miss"]
    assert escalation.occasion == "order-1/miss/appointment-3"


FACTS = st.builds(
    RuleFacts,
    st.integers(0, 4),
    st.none() | st.sampled_from(MissKind),
    st.integers(0, 2),
    st.none() | st.sampled_from(Conclusion),
    st.sampled_from(Lodging),
    st.sampled_from(HouseholdKind),
    st.booleans(),
    st.booleans(),
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
            assert (rule in matches.matching) == all(holds) == (rule.id in matches.checks)
            failing = [
                cell.text(facts) for cell, hold in zip(rule.when, holds, strict=True) if not hold
            ]
            near_miss = matches.near_misses.get(rule.id)
            assert (list(near_miss.because) if near_miss else []) == failing
