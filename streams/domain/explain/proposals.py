"""Explain a proposal: what is asked of whom, why, since when, and how to contest it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from schemas.codes import Guard
from schemas.events import CircumstanceChanged, CircumstanceState
from schemas.outcomes import (
    ORDER_NOT_KNOWN,
    ClockStep,
    EscalationRaised,
    EscalationWithdrawn,
    GuardCheck,
    GuardReport,
    GuardState,
    Pause,
)
from streams.domain.case import Fact
from streams.domain.explain.events import event_in_words
from streams.domain.explain.facts import found
from streams.domain.explain.reasons import (
    guard_in_words,
    guard_reason,
    in_words,
    pause_in_words,
    rule_reason,
    withdrawal_reason,
)
from streams.domain.explain.wording import Wording
from streams.domain.policy.rules import Clock, Rule


@dataclass(frozen=True, slots=True)
class Proposal:
    """A proposal to explain, as of ``now``."""

    raised: EscalationRaised
    now: datetime
    withdrawn: EscalationWithdrawn | None = None
    """The withdrawal of this round, if it no longer stands."""
    facts: Mapping[str, Fact] = field(default_factory=dict)
    """Facts of the case, by event id."""
    standing_rules: Set[str] = frozenset()
    """Rules of which a proposal stands on the case at ``now``."""


def explain_proposal(proposal: Proposal, wording: Wording) -> list[str]:
    """Return the lines that explain a proposal.

    The text never claims a check that was not reported: it says of each guard what was reported.
    If the policy of ``wording`` no longer has the rule, the action stands for the rule's text.
    """
    raised = proposal.raised
    rule = wording.policy.rule(raised.rule_id)
    text = rule.text[wording.language] if rule else wording.word("action", raised.action)
    say = wording.sentence
    lines = [say("heading", level=raised.level, text=text), _place(raised, wording)]
    role = wording.word("role", raised.addressed_to)
    if raised.answer_by is None:
        lines.append(say("addressed", role=role))
    else:
        lines.append(say("answer_by", role=role, day=wording.last_day(raised.answer_by)))
    if raised.reminder:
        lines.append(say("reminder", count=raised.reminder))
    lines += [since_in_words(proposal, rule, wording), say("because")]
    conditions = [found(check.fact, check.found, wording) for check in raised.evidence.facts]
    lines += _indented(conditions or [say("always")])
    clocks = _clocks(raised, rule, wording)
    if clocks:
        lines += [say("clocks"), *_indented(clocks)]
    lines += [say("guards"), *_indented(guards_in_words(raised.evidence.guards, wording))]
    lines += _nearest(proposal, wording)
    lines += _ended_by(raised, wording)
    lines += [say("events"), *_indented(_events(proposal, wording))]
    lines.append(
        say(
            "basis",
            rule=raised.rule_id,
            version=raised.policy_version,
            digest=raised.policy_digest[:12],
        )
    )
    lines.append(wording.policy.contest[wording.language])
    if proposal.withdrawn is None:
        return lines + _where_to_contest(proposal, wording)
    return lines + _withdrawal(proposal.withdrawn, wording)


def _indented(lines: Iterable[str]) -> list[str]:
    return [f"  - {line}" for line in lines]


def _place(raised: EscalationRaised, wording: Wording) -> str:
    known = raised.order_id != ORDER_NOT_KNOWN
    return wording.sentence(
        "place" if known else "place_without_order",
        case=raised.case_id,
        order=raised.order_id,
        office=wording.office(raised.office_id),
        track=wording.word("track", raised.track),
    )


def since_in_words(proposal: Proposal, rule: Rule | None, wording: Wording) -> str:
    """Return when the conditions of a proposal were met and what decided that."""
    raised = proposal.raised
    due, seen = wording.day(raised.due_at), wording.day(raised.detected_at)
    term = _decided_by_term(raised, rule, wording)
    if term is not None:
        due = wording.last_day(raised.due_at)
    decided = term or _decided_by_fact(proposal, rule, wording)
    if decided is None:
        return wording.sentence("since", due=due, seen=seen)
    return wording.sentence("since_decided", due=due, seen=seen, what=decided)


def _decided_by_term(raised: EscalationRaised, rule: Rule | None, wording: Wording) -> str | None:
    """Return the term or clock that decided the date on which the conditions were met."""
    for check in _terms_over(raised, rule):
        if guard_reason(check.because).ended_at == raised.due_at:
            kind = "term" if wording.has_word("term", check.guard) else "guard"
            return wording.sentence("decided.ended", guard=wording.word(kind, check.guard))
    for step in raised.evidence.clocks:
        if step.due == raised.due_at and step.clock != Clock.OCCASION:
            return wording.word("clock", step.clock)
    return None


def _decided_by_fact(proposal: Proposal, rule: Rule | None, wording: Wording) -> str | None:
    """Return the fact that decided that date, if the evidence or the log says so."""
    raised = proposal.raised
    if any(step.due == raised.due_at for step in raised.evidence.clocks):
        return wording.word("clock", Clock.OCCASION)
    waived = rule.waives if rule is not None else {}
    for fact in proposal.facts.values():
        event = fact.event
        if (
            isinstance(event, CircumstanceChanged)
            and event.state is CircumstanceState.ENDS
            and event.effective_at == raised.due_at
            and event.circumstance not in waived
        ):
            return wording.sentence(
                "decided.ended", guard=wording.word("guard", event.circumstance)
            )
    basis = [proposal.facts.get(event_id) for event_id in raised.evidence.event_ids]
    if any(fact is not None and fact.time == raised.due_at for fact in basis):
        return wording.sentence("decided.reported")
    return None


def _terms_over(raised: EscalationRaised, rule: Rule | None) -> list[GuardCheck]:
    """Return the guards that time cleared and that could have delayed the rule."""
    return [
        check
        for check in raised.evidence.guards
        if check.state is GuardState.CLEAR
        and (rule is None or check.guard not in rule.waives)
        and guard_reason(check.because).ended_at is not None
    ]


def _clocks(raised: EscalationRaised, rule: Rule | None, wording: Wording) -> list[str]:
    lines = []
    for step in raised.evidence.clocks:
        lines.append(clock_in_words(step, wording))
        lines += [_pause(pause, step, wording) for pause in step.paused if pause.until > step.start]
    lines += terms_in_words(raised, rule, wording)
    return lines


def terms_in_words(raised: EscalationRaised, rule: Rule | None, wording: Wording) -> list[str]:
    """Return the terms of the order that had to run out before the proposal."""
    lines = []
    for check in _terms_over(raised, rule):
        line = in_words(guard_reason(check.because), wording)
        if wording.has_word("term", check.guard):
            term = wording.word("term", check.guard)
            line = wording.sentence("clock_term", term=term, reason=line)
        lines.append(line)
    return lines


def clock_in_words(step: ClockStep, wording: Wording) -> str:
    """Return a clock as a sum: its start, its working days and its last day."""
    clock = wording.word("clock", step.clock)
    if not step.working_days:
        return wording.sentence("clock_at", clock=clock, due=_instant(step, wording))
    return wording.sentence(
        "clock_count",
        clock=clock,
        start=_instant(step, wording),
        days=step.working_days,
        due=wording.last_day(step.due),
    )


def _instant(step: ClockStep, wording: Wording) -> str:
    """Return the day of a clock; a term is over at the midnight after its last day."""
    term = step.clock == Clock.TERM_END
    return wording.last_day(step.start) if term else wording.day(step.start)


def _pause(pause: Pause, step: ClockStep, wording: Wording) -> str:
    return wording.sentence(
        "clock_paused",
        since=wording.day(max(pause.since, step.start)),
        until=wording.last_day(pause.until),
        cause=pause_in_words(pause.cause, wording),
    )


_WAIVED: Final = "; waived: "


def guards_in_words(checks: Iterable[GuardCheck], wording: Wording) -> list[str]:
    """Return what was reported about each guard; guards with nothing to add are listed together."""
    lines: list[str] = []
    clear: list[Guard] = []
    silent: list[Guard] = []
    for check in checks:
        guard = wording.word("guard", check.guard)
        because, _, waiver = check.because.partition(_WAIVED)
        reason = in_words(guard_reason(because), wording)
        if check.state is GuardState.WAIVED:
            if wording.has_word("waiver", waiver):
                waiver = wording.word("waiver", waiver)
            lines.append(wording.sentence("waived", guard=guard, reason=reason, because=waiver))
        elif check.state is not GuardState.CLEAR:
            lines.append(guard_in_words(check.guard, check.state, because, wording))
        elif check.report is GuardReport.ACTIVE:
            lines.append(wording.sentence("guard_open", guard=guard, reason=reason))
        elif check.report is GuardReport.CLEAR:
            clear.append(check.guard)
        else:
            silent.append(check.guard)
    for name, guards in (("guards_clear", clear), ("guards_silent", silent)):
        if guards:
            words = [wording.word("guard", guard) for guard in guards]
            lines.append(wording.sentence(name, guards=wording.all_of(words)))
    return lines


def _nearest(proposal: Proposal, wording: Wording) -> list[str]:
    """Return why the next higher step was not proposed, unless it is proposed by now."""
    nearest = proposal.raised.evidence.nearest
    if nearest is None or nearest.rule_id in proposal.standing_rules:
        return []
    text = wording.rule(nearest.rule_id)
    if text is None:
        return []
    seen = wording.day(proposal.raised.detected_at)
    reasons = [in_words(rule_reason(because), wording) for because in nearest.because]
    return [wording.sentence("nearest", seen=seen, text=text), *_indented(reasons)]


def _ended_by(raised: EscalationRaised, wording: Wording) -> list[str]:
    """Return the one fact that would have ended the proposal, if the message names one."""
    change = raised.evidence.change
    event = change.event if change is not None else None
    if event is None:
        return []
    said, seen = event_in_words(event, wording), wording.day(raised.detected_at)
    return [wording.sentence("ended_by", seen=seen, event=said)]


def _events(proposal: Proposal, wording: Wording) -> list[str]:
    lines = []
    for event_id in proposal.raised.evidence.event_ids:
        fact = proposal.facts.get(event_id)
        text = (
            event_in_words(fact.event, wording)
            if fact is not None
            else wording.sentence("event_not_found")
        )
        lines.append(wording.sentence("event", event=text, id=event_id))
    return lines


_APPEALS: Final = {
    Guard.APPEAL_TERM_RUNNING: "contest_appeal",
    Guard.URGENT_APPEAL_TERM_RUNNING: "contest_urgent_appeal",
}


def _where_to_contest(proposal: Proposal, wording: Wording) -> list[str]:
    """Return where and until when to contest, with the appeal terms that run at ``now``."""
    office = wording.office(proposal.raised.office_id)
    lines = [wording.sentence("contest_office", office=office)]
    for check in proposal.raised.evidence.guards:
        sentence = _APPEALS.get(check.guard)
        until = guard_reason(check.because.partition(_WAIVED)[0]).runs_until
        if sentence is not None and until is not None and until > proposal.now:
            lines.append(wording.sentence(sentence, day=wording.last_day(until)))
    return lines


def _withdrawal(withdrawn: EscalationWithdrawn, wording: Wording) -> list[str]:
    moment = wording.moment(withdrawn.withdrawn_at)
    lines = [wording.sentence(f"withdrawn.{withdrawn.reason}", moment=moment)]
    reasons = [in_words(withdrawal_reason(because), wording) for because in withdrawn.because]
    return lines + _indented(reasons)
