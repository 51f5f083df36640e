"""Return the explanation of a decision as data for machines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from schemas.events import EVENT_TYPES
from schemas.outcomes import ClockStep
from streams.domain.case import Fact
from streams.domain.explain.decision import Explanation
from streams.domain.policy.rules import Rule


def decision_as_data(one: Explanation) -> dict[str, Any]:
    """Return an explanation as codes, instants and ids.

    ``nearest``, ``from`` and ``change`` are None where the explanation has none. ``proposals`` have
    the fields of ``EscalationRaised``, evidence included.
    """
    decision, policy = one.decision, one.decision.policy
    end, nearest, coming, change = decision.end, one.nearest, one.coming, one.change
    return {
        "case_id": one.case_id,
        "at": one.at,
        "known": one.known,
        "policy": {"version": policy.version, "digest": policy.digest},
        "policies": [
            {"version": applied.version, "digest": applied.digest, "since": since}
            for applied, since in one.applied
        ],
        "status": decision.status,
        "order_id": decision.order_id,
        "office_id": decision.office_id,
        "track": decision.track,
        "routed_by": {
            "office_full": decision.choice.office_full,
            "skills_missing": decision.choice.skills_missing,
            "candidates": [load.to_dict() for load in decision.choice.candidates],
        },
        "next_check_at": decision.next_check,
        "next_reason": decision.next_reason,
        "owner": decision.owner,
        "ended_at": end.effective_at if end is not None else None,
        "end_reason": end.reason if end is not None else None,
        "proposals": [raised.to_dict() for raised in one.proposals],
        "recorded": [
            {
                "escalation_id": standing.escalation_id,
                "round": standing.round,
                "rule_id": standing.rule_id,
                "level": standing.level,
                "policy_digest": standing.policy_digest,
                "raised_at": standing.raised_at,
            }
            for standing in one.recorded
        ],
        "held_back": one.held_back,
        "stopped": one.stopped,
        "settled": [
            {
                "rule_id": settled.rule.id,
                "escalation_id": settled.escalation_id,
                "answer": settled.settlement.event.answer,
                "reason": settled.settlement.event.reason,
                "until": settled.settlement.until,
            }
            for settled in one.settled
        ],
        "blocked": [
            {
                "rule_id": held.rule.id,
                "level": held.rule.level,
                "by": [
                    {"guard": guard, "state": status.state, "because": status.because}
                    for guard, status in held.by
                ],
            }
            for held in decision.blocked
        ],
        "guards": [check.to_dict() for check in one.guards],
        "nearest": None
        if nearest is None
        else {
            "rule_id": nearest.rule.id,
            "level": nearest.rule.level,
            "because": list(nearest.because),
            "clocks": _clocks(nearest.clocks),
        },
        "from": None if coming is None else {"at": coming.at, "rules": _ids(coming.rules)},
        "change": None
        if change is None
        else {
            "fact": _fact(change.fact),
            "begin": _ids(change.begin),
            "end": _ids(change.end),
        },
        "events": [{"event_id": fact.event_id, **_fact(fact)} for fact in one.facts],
    }


def _clocks(clocks: Sequence[ClockStep]) -> list[dict[str, Any]]:
    return [step.to_dict() for step in clocks]


def _ids(rules: Sequence[Rule]) -> list[str]:
    return [rule.id for rule in rules]


_TYPE_OF: Final = {model: name for name, model in EVENT_TYPES.items()}


def _fact(fact: Fact) -> dict[str, Any]:
    return {
        "type": _TYPE_OF[type(fact.event)],
        "time": fact.time,
        "content": fact.event.to_dict(),
    }
