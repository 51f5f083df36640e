"""Whatever happened, no code, no ISO date and no brace reaches the reader, in any language."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from itertools import cycle, product
from typing import Final

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from schemas.codes import Guard
from schemas.events import AnswererRole
from schemas.outcomes import (
    ClockStep,
    EscalationRaised,
    EscalationWithdrawn,
    Evidence,
    FactCheck,
    GuardCheck,
    GuardReport,
    GuardState,
    NearMiss,
    Pause,
    Track,
    WithdrawalReason,
)
from streams import reference
from streams.domain.case import Fact
from streams.domain.explain.cases import explain_case
from streams.domain.explain.proposals import Proposal, explain_proposal
from streams.domain.pauses import DETAINED, END_DUE
from streams.domain.policy.rules import LANGUAGES, Clock, Rule
from tests.domain import given
from tests.domain.explaining import decided, wording
from tests.domain.histories import histories, instants
from tests.domain.test_explain_words import VALUES

pytestmark = pytest.mark.slow

CODE: Final = re.compile(r"\b[A-Za-z]+_[A-Za-z_]+\b")
ISO_DATE: Final = re.compile(r"(?<![0-9a-f-])[0-9]{4}-[0-9]{2}-[0-9]{2}(?![0-9a-f-])")
NOT_IN_WORDS: Final = {
    reference.words()["reason"]["not_in_words"][language] for language in LANGUAGES
}


def faults(lines: list[str]) -> list[str]:
    """Return the lines that show a code, an ISO date, a brace or a reason without words."""
    return [
        line
        for line in lines
        if CODE.search(line)
        or ISO_DATE.search(line)
        or "{" in line
        or "}" in line
        or any(hint in line for hint in NOT_IN_WORDS)
    ]


@drawn(histories(), st.lists(instants(400), min_size=1, max_size=4))
def test_no_code_reaches_the_reader_whatever_happened(
    facts: list[Fact], moments: list[datetime]
) -> None:
    view = decided(facts, *sorted(moments))
    for language in LANGUAGES:
        assert faults(explain_case(view, wording(language))) == []


WHEN: Final = given.LATER
SINCE: Final = WHEN.isoformat()
GUARD_REASONS: Final = (
    *(f"departure term ends {SINCE}, still running", f"appeal term ends {SINCE}, run out"),
    *(f"time to lodge an application ends {SINCE}, still running", "nothing reported"),
    *(f"procedure-1 since {SINCE}", "procedure-1 begin not reported", "ended"),
    *(f"procedure-1 ended {SINCE}, decision not reported", "procedure-1 not begun"),
    *("procedure-1 ends before it begins", "appointment-1, appointment-2: reason not yet reviewed"),
    *("household family_with_minors", "by registered_post, not proven", "no interview held"),
    *("reviewed in interview interview-1", "not reviewed in interview interview-1"),
)


def raised(rule: Rule, guards: list[GuardCheck], facts: list[FactCheck]) -> EscalationRaised:
    """Return a proposal of a rule with every kind of clock and pause."""
    pauses = [
        Pause(cause=cause, since=WHEN - timedelta(days=3), until=WHEN)
        for cause in (DETAINED, END_DUE, *Guard)
    ]
    clocks = [
        ClockStep(
            clock=clock,
            start=WHEN - timedelta(days=9),
            working_days=days,
            due=WHEN,
            paused=tuple(pauses),
        )
        for clock, days in product(Clock, (0, 20))
    ]
    nearest = NearMiss(
        rule_id="review-after-third-miss",
        level=3,
        because=tuple(
            f"{check.fact} is {check.found}, needs {check.test} {check.wanted}" for check in facts
        ),
    )
    return EscalationRaised(
        escalation_id="00000000-0000-5000-8000-000000000000",
        round=2,
        case_id=given.CASE_ID,
        order_id="order-1",
        occasion="order-1/order",
        level=rule.level,
        action=rule.action,
        rule_id=rule.id,
        policy_version="2026.2",
        policy_digest="0" * 64,
        office_id="gent",
        track=Track.INDIVIDUAL,
        due_at=WHEN,
        detected_at=WHEN,
        addressed_to=AnswererRole.COACH,
        reminder=1,
        answer_by=WHEN,
        evidence=Evidence(
            event_ids=("00000000-0000-5000-8000-000000000001",),
            facts=tuple(facts),
            clocks=tuple(clocks),
            guards=tuple(guards),
            nearest=nearest,
        ),
    )


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("rule", given.ref().policy.rules, ids=lambda rule: rule.id)
def test_no_code_reaches_the_reader_for_any_rule_guard_and_state(rule: Rule, language: str) -> None:
    checks, reasons = [], cycle(GUARD_REASONS)
    for guard, state, report in product(Guard, GuardState, GuardReport):
        because = next(reasons)
        waiver = f"; waived: {next(iter(rule.waives.values()), 'a reason of another policy')}"
        reason = because + waiver if state is GuardState.WAIVED else because
        checks.append(GuardCheck(guard=guard, state=state, report=report, because=reason))
    facts = [
        FactCheck(fact=fact, found=str(value), test=test, wanted=str(wanted))
        for fact, values in VALUES.items()
        for value in values
        for test, wanted in (
            [("at_least", "3"), ("is", "0")]
            if "0" in tuple(values)
            else [(test, wanted) for test in ("is", "one_of", "none_of") for wanted in values]
        )
    ]
    proposal = Proposal(raised(rule, checks, facts), WHEN - timedelta(days=1))
    assert faults(explain_proposal(proposal, wording(language))) == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("reason", "because"),
    [
        (WithdrawalReason.NO_LONGER_HOLDS, "counted_misses is 2, needs at_least 3"),
        (WithdrawalReason.NO_LONGER_HOLDS, "no order is known"),
        (WithdrawalReason.NO_LONGER_HOLDS, "it stands on another occasion now"),
        (WithdrawalReason.NO_LONGER_HOLDS, "an end is due: granted"),
        (WithdrawalReason.NO_LONGER_HOLDS, "handed to the Immigration Office"),
        (WithdrawalReason.NO_LONGER_HOLDS, f"last_step + 20 working days: not before {SINCE}"),
        (WithdrawalReason.NO_LONGER_HOLDS, f"term_end + 0 working days: not before {SINCE}"),
        (WithdrawalReason.NO_LONGER_HOLDS, "last_step + 20 working days: stopped by detained"),
        (WithdrawalReason.SUPERSEDED, "by review-after-third-miss"),
        (WithdrawalReason.GUARD, f"guard identity_doubt is active: procedure-1 since {SINCE}"),
        (
            WithdrawalReason.GUARD,
            "guard non_refoulement_check_missing is not_reported: nothing reported",
        ),
        (WithdrawalReason.OPEN_DEAD_LETTER, "2 record(s) of this case could not be applied"),
        (WithdrawalReason.ORDER_SUPERSEDED, "by order-2"),
        (WithdrawalReason.REROUTED, "to open-return-places (open_return_place)"),
        (WithdrawalReason.POLICY_CHANGED, "no such rule in 2026.3"),
        (WithdrawalReason.ANSWERED, "not_applicable: already_handled"),
        (WithdrawalReason.ENDED, "left_on_own"),
        (WithdrawalReason.REMINDED, f"unanswered since {SINCE}"),
    ],
)
def test_every_withdrawal_is_said_in_words(
    reason: WithdrawalReason, because: str, language: str
) -> None:
    rule = given.ref().policy.rules[0]
    withdrawn = EscalationWithdrawn(
        escalation_id="00000000-0000-5000-8000-000000000000",
        round=2,
        case_id=given.CASE_ID,
        rule_id=rule.id,
        level=rule.level,
        office_id="gent",
        reason=reason,
        because=(because,),
        withdrawn_at=WHEN,
    )
    lines = explain_proposal(Proposal(raised(rule, [], []), WHEN, withdrawn), wording(language))
    assert faults(lines) == []
    said = reference.words()["withdrawn"][reason][language].partition("{")[0]
    assert any(line.startswith(said) for line in lines)
