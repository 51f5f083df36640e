"""Say an event in words: its kind and date first, then what it reports."""

from __future__ import annotations

from typing import assert_never

from schemas.events import (
    AppointmentMissed,
    AppointmentPlanned,
    CircumstanceChanged,
    CircumstanceState,
    Event,
    FollowUpEnded,
    FollowUpState,
    InterviewCompleted,
    Invitation,
    Justification,
    OqtIssued,
    ProposalAnswered,
    Review,
)
from streams.domain.explain.wording import Wording


def event_in_words(event: Event, wording: Wording) -> str:
    """Return an event as one phrase: ``absence of 5 March 2026, invited in Dutch, …``."""
    if isinstance(event, OqtIssued):
        parts = _order(event, wording)
    elif isinstance(event, AppointmentMissed):
        parts = _miss(event, wording)
    elif isinstance(event, InterviewCompleted):
        parts = _interview(event, wording)
    elif isinstance(event, CircumstanceChanged):
        parts = _circumstance(event, wording)
    elif isinstance(event, AppointmentPlanned):
        parts = _appointment(event, wording)
    elif isinstance(event, ProposalAnswered):
        parts = _answer(event, wording)
    elif isinstance(event, FollowUpEnded):
        parts = _end(event, wording)
    else:
        assert_never(event)
    return ", ".join(parts)


def _order(event: OqtIssued, wording: Wording) -> list[str]:
    say, word = wording.sentence, wording.word
    channel = word("channel", event.notification.channel)
    proven = "true" if event.notification.proven else "false"
    parts = [
        say("event_text.order", day=wording.day(event.notified_at), channel=channel),
        word("proof", proven),
        say("event_text.annex", annex=event.annex),
        say("event_text.term", days=event.departure_term_days),
    ]
    if event.departure_term_reason is not None:
        reason = word("term_reason", event.departure_term_reason)
        parts.append(say("event_text.term_reason", reason=reason))
    lodging = word("lodging", event.lodging)
    if event.lodging_since is None:
        parts.append(say("event_text.lodging", lodging=lodging))
    else:
        since = wording.day(event.lodging_since)
        parts.append(say("event_text.lodging_since", lodging=lodging, day=since))
    if event.first_appointment is not None:
        moment = wording.moment(event.first_appointment.at)
        parts.append(say("event_text.first_appointment", moment=moment))
    return parts


def _miss(event: AppointmentMissed, wording: Wording) -> list[str]:
    word = wording.word
    parts = [wording.sentence("event_text.miss", day=wording.day(event.scheduled_at))]
    parts += _invitation(event.invitation, wording)
    parts.append(word("justification", event.justification))
    if event.justification not in (Justification.NONE, Justification.UNKNOWN) or (
        event.review is not Review.NONE
    ):
        parts.append(word("review", event.review))
    return parts


def _invitation(invitation: Invitation, wording: Wording) -> list[str]:
    return [
        wording.word("invited", invitation.language),
        wording.word("delivery", invitation.delivery),
    ]


def _interview(event: InterviewCompleted, wording: Wording) -> list[str]:
    say, word = wording.sentence, wording.word
    parts = [
        say("event_text.interview", day=wording.day(event.held_at)),
        say("event_text.conclusion", conclusion=word("value", event.conclusion)),
        word("vulnerability", "true" if event.vulnerability_reviewed else "false"),
    ]
    if event.next_appointment is not None:
        moment = wording.moment(event.next_appointment.at)
        parts.append(say("event_text.next_appointment", moment=moment))
    return parts


def _circumstance(event: CircumstanceChanged, wording: Wording) -> list[str]:
    name = "begins" if event.state is CircumstanceState.BEGINS else "ends"
    guard, day = wording.word("guard", event.circumstance), wording.day(event.effective_at)
    parts = [wording.sentence(f"event_text.{name}", guard=guard, day=day)]
    if event.outcome is not None:
        outcome = wording.word("outcome", event.outcome)
        parts.append(wording.sentence("event_text.outcome", outcome=outcome))
    return parts


def _appointment(event: AppointmentPlanned, wording: Wording) -> list[str]:
    say, word = wording.sentence, wording.word
    parts = [
        say(f"event_text.{event.state}", moment=wording.moment(event.at)),
        word("purpose", event.purpose),
        say("event_text.at_office", office=wording.office(event.office_id)),
    ]
    if event.invitation is not None:
        parts += _invitation(event.invitation, wording)
        parts.append(say("event_text.sent", day=wording.day(event.invitation.sent_at)))
    return parts


def _answer(event: ProposalAnswered, wording: Wording) -> list[str]:
    say, word = wording.sentence, wording.word
    day, role = wording.day(event.answered_at), word("role", event.role)
    parts = [say("event_text.answer", day=day, role=role, answer=word("answer", event.answer))]
    if event.postponed_until is not None:
        parts.append(say("event_text.until", day=wording.day(event.postponed_until)))
    parts.append(word("answer_reason", event.reason))
    if event.decision is not None:
        parts.append(say("event_text.decision", decision=word("decision", event.decision)))
    return parts


def _end(event: FollowUpEnded, wording: Wording) -> list[str]:
    say, day = wording.sentence, wording.day(event.effective_at)
    if event.state is FollowUpState.REOPENED:
        parts = [say("event_text.reopened", day=day)]
    else:
        reason = wording.word("end_reason", event.reason)
        parts = [say("event_text.ended", day=day, reason=reason)]
    if event.order_id is not None:
        parts.append(say("event_text.order_only"))
    return parts
