"""Second implementation of what answers settle: proposals, and circumstances that are over."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID

from schemas.codes import Guard
from schemas.events import Answer, AnswererRole, AnswerReason, CircumstanceChanged, ProposalAnswered
from streams.audit import identity
from streams.audit.policies import AuditedPolicy
from streams.audit.refold import Facts

_FINAL: Final = (Answer.DONE, Answer.NOT_APPLICABLE)
_DAY: Final = timedelta(days=1)


def settled_for_good(
    facts: Facts, at: datetime, roles: Collection[AnswererRole] = frozenset(AnswererRole)
) -> Mapping[UUID, ProposalAnswered]:
    """Return the final answers of ``roles`` given up to ``at``, by escalation id.

    The newest answer of these roles counts.
    """
    newest = {}
    ordered = sorted(
        (event.round, version.time, version.event_id, event)
        for version in facts.values()
        if isinstance(event := version.event, ProposalAnswered)
        and event.answered_at <= at
        and event.role in roles
    )
    for *_, event in ordered:
        newest[UUID(event.escalation_id)] = event
    return {name: event for name, event in newest.items() if event.answer in _FINAL}


def circumstance_ends(
    case_id: str, facts: Facts, policy: AuditedPolicy | None, at: datetime
) -> Mapping[tuple[Guard, str], datetime]:
    """Return the circumstances that a person answered no longer hold, and when they answered.

    The answer names an escalation only by its id, so the ids of all questions that the policy can
    ask about a circumstance are computed. A question about its age contains a day.
    """
    answers = {
        name: event.answered_at
        for name, event in settled_for_good(facts, at).items()
        if event.reason is AnswerReason.NO_LONGER_HOLDS
    }
    if not answers or policy is None:
        return {}
    first = min(version.time for version in facts.values()).date()
    found: dict[tuple[Guard, str], datetime] = {}
    for version in facts.values():
        event = version.event
        if isinstance(event, CircumstanceChanged):
            start = min(first, event.effective_at.date()) - _DAY
            for occasion in _occasions(event, start, max(answers.values()).date() + _DAY):
                for rule_id in policy.asking:
                    answered = answers.get(identity.escalation(case_id, rule_id, occasion))
                    if answered is not None:
                        found[event.circumstance, event.reference] = answered
    return found


def _occasions(event: CircumstanceChanged, first: date, last: date) -> Iterator[str]:
    name = f"{event.circumstance}/{event.reference}"
    yield f"decision/{name}"
    for days in range((last - first).days + 1):
        yield f"circumstance/{name}/{(first + days * _DAY).isoformat()}"
