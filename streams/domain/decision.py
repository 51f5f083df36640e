"""What a decision starts from and ends in: what was announced, and what is decided."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple, assert_never
from uuid import UUID

from schemas.events import AnswererRole
from schemas.outcomes import (
    CaseEnded,
    CaseReopened,
    CaseRouted,
    EscalationRaised,
    EscalationWithdrawn,
    Outcome,
    RouteRef,
    Track,
)
from streams.domain.directory.model import Directory
from streams.domain.endings import End
from streams.domain.judge import Blocked
from streams.domain.letters import OpenLetters
from streams.domain.loads import NO_CHOICE, Choice
from streams.domain.policy.rules import Policy
from streams.domain.policy.versions import Move
from streams.domain.routing import Route, route_ref


class StandingEscalation(NamedTuple):
    """An escalation that was announced and has not been withdrawn."""

    escalation_id: UUID
    round: int
    rule_id: str
    level: int
    order_id: str
    office_id: str
    track: str
    policy_digest: str
    raised_at: datetime
    """When this round was announced."""
    reminder: int = 0
    """How often the unanswered proposal was announced again."""

    @classmethod
    def of(cls, raised: EscalationRaised) -> StandingEscalation:
        """Return the standing escalation that a message announces."""
        return cls(
            UUID(raised.escalation_id),
            raised.round,
            raised.rule_id,
            raised.level,
            raised.order_id,
            raised.office_id,
            raised.track,
            raised.policy_digest,
            raised.detected_at,
            raised.reminder,
        )


_NO_ROUNDS: Final[Mapping[UUID, int]] = {}


class Announced(NamedTuple):
    """Everything already announced about a case, and its open dead letters."""

    route: RouteRef | None = None
    routings: int = 0
    standing: tuple[StandingEscalation, ...] = ()
    rounds: Mapping[UUID, int] = _NO_ROUNDS
    """Last round of each escalation. If it is raised again, it gets the next round."""
    open_dead_letters: OpenLetters | None = None
    endings: int = 0
    """Number of ends and reopenings announced; an odd number means that the case has ended."""
    known_since: datetime | None = None
    """When the pipeline first decided the case; None means at its first event."""
    moves: tuple[Move, ...] = ()
    """Versions of the policy that officials moved the case to."""
    choice: Choice = NO_CHOICE
    """What the route was chosen by."""

    def with_standing(
        self, standing: tuple[StandingEscalation, ...], rounds: Mapping[UUID, int]
    ) -> Announced:
        """Return the same with other escalations."""
        # By position: a replacement by name costs four times as much.
        return Announced(
            self.route,
            self.routings,
            standing,
            rounds,
            self.open_dead_letters,
            self.endings,
            self.known_since,
            self.moves,
            self.choice,
        )

    def after(self, decision: Decision) -> Announced:
        """Return what is announced once the messages of a decision are published."""
        route, choice = self.route, self.choice
        standing = {s.escalation_id: s for s in self.standing}
        rounds = dict(self.rounds)
        for _, outcome in decision.messages:
            if type(outcome) is CaseRouted:
                route = route_ref(outcome)
                choice = Choice(outcome.candidates, outcome.office_full, outcome.skills_missing)
            elif type(outcome) is EscalationRaised:
                escalation = StandingEscalation.of(outcome)
                rounds[escalation.escalation_id] = outcome.round
                standing[escalation.escalation_id] = escalation
            elif type(outcome) is EscalationWithdrawn:
                standing.pop(UUID(outcome.escalation_id), None)
            elif type(outcome) is not CaseEnded and type(outcome) is not CaseReopened:
                assert_never(outcome)
        return self._replace(
            route=route,
            routings=decision.routings,
            standing=tuple(standing.values()),
            rounds=rounds,
            endings=decision.endings,
            choice=choice,
        )


class Announcement(NamedTuple):
    """An outcome and its message id, which stays the same when the outcome is published again."""

    message_id: UUID
    outcome: Outcome


class Decision(NamedTuple):
    """The messages to announce, and the new content of the case's projection."""

    messages: tuple[Announcement, ...]
    status: str
    order_id: str | None
    route: Route | None
    routings: int
    level: int
    blocked: tuple[Blocked, ...]
    next_check: datetime | None
    """When the case is looked at next; None only for a case that has ended."""
    next_reason: str
    """Why then, as a code; empty for a case that has ended."""
    owner: AnswererRole
    """Role that the case waits for."""
    office_id: str
    """Office that the case belongs to; the triage office while no order is known."""
    track: Track
    end: End | None
    endings: int
    policy: Policy
    """Version that applies to the case now."""
    directory: Directory
    """Version in force now."""
    choice: Choice = NO_CHOICE
    """What the route was chosen by when it was announced."""
