"""Explain a case: where it stands, which office follows it, what comes next, and its log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from streams.domain.case import Fact
from streams.domain.explain.events import event_in_words
from streams.domain.explain.proposals import Proposal, explain_proposal
from streams.domain.explain.reasons import guard_in_words
from streams.domain.explain.routes import choice_in_words, route_in_words
from streams.domain.explain.wording import Wording
from streams.domain.loads import Choice


class HeldGuard(NamedTuple):
    """A guard that holds a rule back: its state, and the recorded reason."""

    guard: str
    state: str
    because: str


class HeldRule(NamedTuple):
    """A rule that guards hold back."""

    rule_id: str
    level: int
    by: Sequence[HeldGuard]


class OpenLetter(NamedTuple):
    """A record of the case that could not be applied."""

    number: int
    reason: str


@dataclass(frozen=True, slots=True)
class CaseView:
    """A case as stored, to explain. Instants are None where nothing is stored."""

    case_id: str
    status: str
    order_id: str | None
    office_id: str | None
    track: str | None
    route: Mapping[str, Any] | None
    """``rule_id`` and ``reason`` of the route, and what it was chosen by, if it says so."""
    next_check_at: datetime | None
    next_reason: str | None
    owner: str | None
    ended_at: datetime | None
    end_reason: str | None
    held: Sequence[HeldRule]
    letters: Sequence[OpenLetter]
    log: Sequence[Fact]
    """Events in the order in which they occurred."""
    proposals: Sequence[Proposal]
    outranked: Mapping[UUID, str] = field(default_factory=dict)
    """Events without effect, and the source above theirs that keeps them so."""


def explain_case(view: CaseView, wording: Wording) -> list[str]:
    """Return the lines that explain a case; an empty line separates its proposals."""
    say = wording.sentence
    lines = [
        say("case", case=view.case_id),
        say("case_status", status=wording.word("status", view.status)),
        say("case_order", order=view.order_id) if view.order_id else say("case_no_order"),
    ]
    if view.office_id is not None and view.track is not None:
        office, track = wording.office(view.office_id), wording.word("track", view.track)
        lines.append(say("case_office", office=office, track=track))
    if view.route is not None:
        lines.append(route_in_words(view.route["rule_id"], view.route["reason"], wording))
        lines += choice_in_words(Choice.of(view.route), view.office_id, wording)
    lines += [_end(view, wording), _next(view, wording), *_held(view, wording)]
    if view.letters:
        lines.append(say("case_letters"))
        lines += [
            "  - "
            + say(
                "case_letter",
                reason=wording.word("dead_letter", letter.reason),
                number=letter.number,
            )
            for letter in view.letters
        ]
    lines += ["", say("case_log")]
    lines += [f"  - {_logged(fact, view, wording)}" for fact in view.log] or [
        f"  - {say('case_log_empty')}"
    ]
    lines += ["", say("case_proposals" if view.proposals else "case_no_proposals")]
    for proposal in view.proposals:
        lines += ["", *explain_proposal(proposal, wording)]
    return lines


def _end(view: CaseView, wording: Wording) -> str:
    if view.ended_at is None or view.end_reason is None:
        return wording.sentence("case_not_ended")
    reason = wording.word("end_reason", view.end_reason)
    return wording.sentence("case_end", day=wording.day(view.ended_at), reason=reason)


def _next(view: CaseView, wording: Wording) -> str:
    return next_check_in_words(view.next_check_at, view.next_reason, view.owner, wording)


def next_check_in_words(
    at: datetime | None, next_reason: str | None, owner: str | None, wording: Wording
) -> str:
    """Return when a case is looked at next, why then, and the role that it waits for."""
    if at is None:
        return wording.sentence("case_no_next")
    day = wording.day(at)
    if not next_reason or owner is None:
        return wording.sentence("case_next_only", day=day)
    reason = next_in_words(next_reason, wording)
    role = wording.word("role", owner)
    return wording.sentence("case_next", day=day, reason=reason, role=role)


def next_in_words(next_reason: str, wording: Wording) -> str:
    """Return why a case is looked at next: ``kind``, or ``kind:subject`` with a rule or guard."""
    kind, _, subject = next_reason.partition(":")
    if kind == "guard":
        return wording.sentence("next.guard", guard=wording.word("guard", subject))
    if not subject:
        return wording.sentence(f"next.{kind}")
    text = wording.rule(subject)
    if text is None:  # a rule of another policy: the case is about to be decided again
        return wording.sentence("next.situation")
    return wording.sentence(f"next.{kind}", text=text)


def _held(view: CaseView, wording: Wording) -> list[str]:
    if not view.held:
        return []
    lines = [wording.sentence("case_held_back")]
    for rule in view.held:
        text = wording.rule(rule.rule_id)
        if text is not None:
            name = wording.sentence("case_held_rule", text=text, level=rule.level)
            lines.append(f"  - {name}")
            lines += [
                f"      - {guard_in_words(held.guard, held.state, held.because, wording)}"
                for held in rule.by
            ]
    return lines


def _logged(fact: Fact, view: CaseView, wording: Wording) -> str:
    line = wording.sentence(
        "case_log_event",
        moment=wording.moment(fact.time),
        event=event_in_words(fact.event, wording),
        id=fact.event_id,
    )
    above = view.outranked.get(fact.event_id)
    if above is None:
        return line
    return f"{line}; {wording.sentence('case_log_outranked', source=above)}"
