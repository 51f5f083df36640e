"""Say the explanation of a decision in words: sections that a terminal and a page both show."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import pairwise
from typing import NamedTuple

from schemas.outcomes import ClockStep, EscalationRaised, GuardCheck, GuardReport, GuardState
from streams.domain.explain.cases import next_check_in_words
from streams.domain.explain.decision import Explanation
from streams.domain.explain.events import event_in_words
from streams.domain.explain.facts import found
from streams.domain.explain.proposals import (
    Proposal,
    clock_in_words,
    guards_in_words,
    since_in_words,
    terms_in_words,
)
from streams.domain.explain.reasons import (
    guard_in_words,
    guard_reason,
    in_words,
    pause_in_words,
    rule_reason,
)
from streams.domain.explain.routes import choice_in_words, route_in_words
from streams.domain.explain.wording import Wording
from streams.domain.pauses import Pausing, paused_days


class Line(NamedTuple):
    """One sentence; a line belongs to the nearest line above it with a smaller depth."""

    depth: int
    text: str


class Section(NamedTuple):
    """A heading, and the lines under it."""

    heading: str
    lines: Sequence[Line]


class Document(NamedTuple):
    """An explanation in one language."""

    title: str
    basis: Sequence[str]
    """The instant, the events it rests on, and the policy."""
    sections: Sequence[Section]


def decision_in_words(one: Explanation, wording: Wording) -> Document:
    """Return an explanation as sections. No code and no date in figures is left in them."""
    say, policy = wording.sentence, one.decision.policy
    first = datetime.combine(policy.valid_from, datetime.min.time(), wording.calendar.zone)
    basis = (
        say("explain.at", moment=wording.moment(one.at)),
        say(f"explain.known.{one.known}"),
        say(
            "explain.policy",
            version=policy.version,
            digest=policy.digest[:12],
            day=wording.day(first),
        ),
        *_moves(one, wording),
    )
    sections = [
        Section(say("explain.state"), _state(one, wording)),
        Section(say("explain.standing"), _standing(one, wording))
        if one.proposals
        else Section(say("explain.nothing"), _nothing(one, wording)),
        Section(say("explain.change"), _change(one, wording)),
    ]
    if one.nearest is not None or one.proposals:
        sections.append(Section(say("explain.nearest"), _nearest(one, wording)))
    if one.guards:
        sections.append(Section(say("explain.guards"), _guards(one, wording)))
    if one.facts:
        sections.append(Section(say("explain.events"), _events(one, wording)))
    if one.proposals:
        contest = Line(0, policy.contest[wording.language])
        sections.append(Section(say("explain.contest"), [contest]))
    return Document(say("explain.title", case=one.case_id), basis, sections)


def lines_of(document: Document) -> list[str]:
    """Return a document as lines of text; an empty line comes before each section."""
    lines = [document.title, *document.basis]
    for section in document.sections:
        lines += ["", section.heading]
        lines += [f"{'  ' * (line.depth + 1)}- {line.text}" for line in section.lines]
    return lines


def _state(one: Explanation, wording: Wording) -> list[Line]:
    say, decision = wording.sentence, one.decision
    order = decision.order_id
    office = wording.office(decision.office_id)
    lines = [
        say("case_status", status=wording.word("status", decision.status)),
        say("case_order", order=order) if order else say("case_no_order"),
        say("case_office", office=office, track=wording.word("track", decision.track)),
    ]
    if decision.route is not None:
        lines.append(route_in_words(decision.route.rule_id, decision.route.reason, wording))
        lines += choice_in_words(decision.choice, decision.office_id, wording)
    lines.append(
        next_check_in_words(decision.next_check, decision.next_reason, decision.owner, wording)
    )
    return [Line(0, line) for line in lines]


def _moves(one: Explanation, wording: Wording) -> list[str]:
    """Return since when later versions of the policy apply to the case."""
    return [
        wording.sentence(
            "explain.moved",
            version=later.policy.version,
            moment=wording.moment(later.since),
            before=before.policy.version,
        )
        for before, later in pairwise(one.applied)
        if later.since is not None
    ]


def _standing(one: Explanation, wording: Wording) -> list[Line]:
    lines: list[Line] = []
    for raised in one.proposals:
        lines += _proposal(raised, one, wording)
    return lines + _recorded(one, wording)


def _proposal(raised: EscalationRaised, one: Explanation, wording: Wording) -> list[Line]:
    say = wording.sentence
    rule = one.tables.policies.rule(raised.policy_digest, raised.rule_id)
    text = wording.rule(raised.rule_id) or wording.word("action", raised.action)
    role = wording.word("role", raised.addressed_to)
    facts = {str(fact.event_id): fact for fact in one.facts}
    lines = [Line(0, say("heading", level=raised.level, text=text))]
    if raised.answer_by is None:
        lines.append(Line(1, say("addressed", role=role)))
    else:
        day = wording.last_day(raised.answer_by)
        lines.append(Line(1, say("answer_by", role=role, day=day)))
    if raised.reminder:
        lines.append(Line(1, say("reminder", count=raised.reminder)))
    since = since_in_words(Proposal(raised, one.at, facts=facts), rule, wording)
    lines += [Line(1, since), Line(1, say("because"))]
    conditions = [found(check.fact, check.found, wording) for check in raised.evidence.facts]
    lines += [Line(2, line) for line in conditions or [say("always")]]
    clocks = _clocks(raised.evidence.clocks, one.at, wording)
    clocks += [Line(2, line) for line in terms_in_words(raised, rule, wording)]
    if clocks:
        lines += [Line(1, say("clocks")), *clocks]
    waived = [check for check in raised.evidence.guards if check.state is GuardState.WAIVED]
    lines += [Line(1, line) for line in guards_in_words(waived, wording)]
    lines.append(Line(1, say("explain.rule", rule=raised.rule_id)))
    return lines


def _clocks(steps: Iterable[ClockStep], at: datetime, wording: Wording) -> list[Line]:
    """Return clocks with their first and last day and their pauses, two levels deep."""
    say, calendar, lines = wording.sentence, wording.calendar, list[Line]()
    for step in steps:
        pauses = [pause for pause in step.paused if pause.until > step.start]
        pauses.sort(key=lambda pause: (pause.since, pause.until, pause.cause))
        goes_on = any(pause.until == at for pause in pauses) and step.due > at
        if goes_on:
            clock, start = wording.word("clock", step.clock), wording.day(step.start)
            line = say("explain.clock_stopped", clock=clock, start=start, days=step.working_days)
            lines.append(Line(2, line))
        else:
            lines.append(Line(2, clock_in_words(step, wording)))
        if step.working_days and not goes_on:
            stopped = [Pausing(pause.cause, pause.since, pause.until) for pause in pauses]
            days = paused_days(stopped, calendar, step.start, at)
            first = calendar.after_working_days(step.start, 1, days)
            last = wording.last_day(step.due)
            line = say("explain.clock_days", first=wording.last_day(first), last=last)
            lines.append(Line(3, line))
        for pause in pauses:
            since = wording.day(max(pause.since, step.start))
            cause = pause_in_words(pause.cause, wording)
            if pause.until == at:
                lines.append(Line(3, say("explain.clock_pausing", since=since, cause=cause)))
            else:
                until = wording.last_day(pause.until)
                line = say("clock_paused", since=since, until=until, cause=cause)
                lines.append(Line(3, line))
    return lines


def _nothing(one: Explanation, wording: Wording) -> list[Line]:
    lines = _why_nothing(one, wording) or [Line(0, wording.sentence("explain.because_no_rule"))]
    lines += _recorded(one, wording)
    if one.held_back:
        return lines
    if one.coming is None:
        return [*lines, Line(0, wording.sentence("explain.coming_none"))]
    lines.append(Line(0, wording.sentence("explain.coming", day=wording.day(one.coming.at))))
    return [*lines, *(Line(1, rule.text[wording.language]) for rule in one.coming.rules)]


def _why_nothing(one: Explanation, wording: Wording) -> list[Line]:
    say, decision, lines = wording.sentence, one.decision, list[Line]()
    if decision.end is not None:
        day = wording.day(decision.end.effective_at)
        reason = wording.word("end_reason", decision.end.reason)
        return [Line(0, say("explain.because_ended", day=day, reason=reason))]
    if one.held_back:
        return [Line(0, say("explain.because_held_back"))]
    if not one.facts:
        return [Line(0, say("explain.because_no_facts"))]
    if one.stopped:
        lines.append(Line(0, say("explain.because_stopped")))
    for settled in one.settled:
        event = settled.settlement.event
        line = say(
            "explain.because_answered",
            day=wording.day(event.answered_at),
            role=wording.word("role", event.role),
            answer=wording.word("answer", event.answer),
            reason=wording.word("answer_reason", event.reason),
            text=settled.rule.text[wording.language],
        )
        lines.append(Line(0, line))
    for held in decision.blocked:
        text = held.rule.text[wording.language]
        lines.append(Line(0, say("explain.because_guards", text=text, level=held.rule.level)))
        for guard, status in held.by:
            lines.append(Line(1, guard_in_words(guard, status.state, status.because, wording)))
    return lines


def _recorded(one: Explanation, wording: Wording) -> list[Line]:
    return [
        Line(
            0,
            wording.sentence(
                "explain.recorded",
                text=wording.rule(known.rule_id) or f"({known.rule_id})",
                level=known.level,
                digest=known.policy_digest[:12],
            ),
        )
        for known in one.recorded
    ]


def _guards(one: Explanation, wording: Wording) -> list[Line]:
    """Return what was reported about each guard, whatever the step."""
    lines, rest = list[Line](), list[GuardCheck]()
    for check in one.guards:
        if check.state is GuardState.CLEAR and check.report is GuardReport.ACTIVE:
            guard = wording.word("guard", check.guard)
            reason = in_words(guard_reason(check.because), wording)
            sentence = wording.sentence("explain.guard_open", guard=guard, reason=reason)
            lines.append(Line(0, sentence))
        else:
            rest.append(check)
    return lines + [Line(0, line) for line in guards_in_words(rest, wording)]


def _nearest(one: Explanation, wording: Wording) -> list[Line]:
    nearest = one.nearest
    if nearest is None:
        return [Line(0, wording.sentence("explain.no_nearest"))]
    rule = nearest.rule
    text = wording.sentence("case_held_rule", text=rule.text[wording.language], level=rule.level)
    lines = [Line(0, text)]
    lines += [Line(1, in_words(rule_reason(because), wording)) for because in nearest.because]
    return lines + [
        Line(line.depth - 1, line.text) for line in _clocks(nearest.clocks, one.at, wording)
    ]


def _change(one: Explanation, wording: Wording) -> list[Line]:
    change = one.change
    if one.held_back:
        return [Line(0, wording.sentence("explain.change_letter"))]
    if change is None:
        return [Line(0, wording.sentence("explain.change_none"))]
    event = event_in_words(change.fact.event, wording)
    lines = [Line(0, wording.sentence("explain.change_fact", event=event))]
    for name, rules in (("explain.change_end", change.end), ("explain.change_begin", change.begin)):
        lines += [
            Line(1, wording.sentence(name, text=rule.text[wording.language])) for rule in rules
        ]
    return lines


def _events(one: Explanation, wording: Wording) -> list[Line]:
    return [
        Line(
            0,
            wording.sentence(
                "case_log_event",
                moment=wording.moment(fact.time),
                event=event_in_words(fact.event, wording),
                id=fact.event_id,
            ),
        )
        for fact in one.facts
    ]
