"""Builders for events with default values, dated in days before ``NOW``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from schemas.codes import Guard, Language
from schemas.events import (
    Annex,
    Answer,
    AnswererRole,
    AnswerReason,
    AppointmentMissed,
    CircumstanceChanged,
    CircumstanceOutcome,
    CircumstanceState,
    CoachRole,
    Conclusion,
    Cooperation,
    Delivery,
    EndReason,
    FollowUpEnded,
    FollowUpState,
    Household,
    HouseholdKind,
    InterviewCompleted,
    Invitation,
    Justification,
    Lodging,
    Notification,
    NotificationChannel,
    OqtIssued,
    ProposalAnswered,
    Review,
)
from tests.domain.given import WEDNESDAY

NOW = WEDNESDAY.astimezone(UTC)


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def order(order_id: str = "O-1001", *, proven: bool = True, **changes: Any) -> OqtIssued:
    values: dict[str, Any] = {
        "order_id": order_id,
        "annex": Annex.A13,
        "notified_at": ago(60),
        "notification": Notification(channel=NotificationChannel.COMMUNE, proven=proven),
        "departure_term_days": 30,
        "repeat_order": False,
        "residence_postcode": "9000",
        "lodging": Lodging.HOME,
        "household": Household(kind=HouseholdKind.SINGLE),
        "language": Language.NL,
    }
    return OqtIssued(**{**values, **changes})


def minor() -> OqtIssued:
    return order(household=Household(kind=HouseholdKind.UNACCOMPANIED_MINOR))


def miss(*, days_ago: float = 12, justification: Justification = Justification.NONE) -> Any:
    return AppointmentMissed(
        order_id="O-1001",
        appointment_id="A-0001",
        sequence=1,
        scheduled_at=ago(days_ago),
        office_id="office-gent",
        invitation=Invitation(delivery=Delivery.PROVEN, language=Language.NL),
        justification=justification,
        review=Review.NONE,
    )


def interview(*, reviewed: bool, days_ago: float = 10) -> InterviewCompleted:
    return InterviewCompleted(
        order_id="O-1001",
        interview_id="I-0001",
        sequence=1,
        held_at=ago(days_ago),
        office_id="office-gent",
        coach_role=CoachRole.INDIVIDUAL,
        conclusion=Conclusion.UNDECIDED,
        cooperation=Cooperation.PARTIAL,
        vulnerability_reviewed=reviewed,
    )


def begins(guard: Guard, *, days_ago: float = 20) -> CircumstanceChanged:
    return _circumstance(guard, CircumstanceState.BEGINS, days_ago)


def ends(
    guard: Guard,
    *,
    days_ago: float = 15,
    outcome: CircumstanceOutcome | None = CircumstanceOutcome.REFUSED,
) -> CircumstanceChanged:
    return _circumstance(guard, CircumstanceState.ENDS, days_ago, outcome)


def _circumstance(
    guard: Guard,
    state: CircumstanceState,
    days_ago: float,
    outcome: CircumstanceOutcome | None = None,
) -> CircumstanceChanged:
    return CircumstanceChanged(
        circumstance=guard,
        state=state,
        effective_at=ago(days_ago),
        reference="P-0001",
        outcome=outcome,
    )


def ended(
    order_id: str | None = None,
    *,
    reason: EndReason = EndReason.LEFT_VOLUNTARILY,
    state: FollowUpState = FollowUpState.ENDED,
    days_ago: float = 4,
) -> FollowUpEnded:
    return FollowUpEnded(order_id=order_id, state=state, reason=reason, effective_at=ago(days_ago))


def answered(
    escalation_id: UUID,
    answer: Answer = Answer.DONE,
    *,
    reason: AnswerReason = AnswerReason.PERSON_CONTACTED,
    number: int = 2,
    days_ago: float = 6,
    role: AnswererRole = AnswererRole.COACH,
) -> ProposalAnswered:
    return ProposalAnswered(
        escalation_id=str(escalation_id),
        round=number,
        answer=answer,
        postponed_until=ago(-9) if answer is Answer.POSTPONED else None,
        reason=reason,
        role=role,
        answered_at=ago(days_ago),
    )
