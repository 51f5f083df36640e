"""The event types that upstream systems publish about a case.

Field names and codes are part of the contract. Every time is an instant with a UTC offset. Two
versions of one fact are ordered by the CloudEvents ``time`` of the envelope, not by a field here:
the later version corrects the earlier one.
"""

from __future__ import annotations

from typing import Annotated, Self, final

from pydantic import Field, model_validator

from schemas.codes import (
    Annex,
    Answer,
    AnswererRole,
    AnswerReason,
    AppointmentPurpose,
    AppointmentState,
    CircumstanceOutcome,
    CircumstanceState,
    CoachRole,
    Conclusion,
    Cooperation,
    Delivery,
    EndReason,
    FollowUpState,
    Guard,
    HouseholdKind,
    Justification,
    Language,
    Lodging,
    NotificationChannel,
    Review,
    ReviewDecision,
    TermReason,
)
from schemas.types import (
    EscalationId,
    Instant,
    LanguageTag,
    Message,
    OfficeId,
    Postcode,
    Reference,
    broken_rule,
    message_type,
    rules,
    when,
)


@message_type
class Notification(Message):
    """How the order was notified. Notification starts the departure and appeal terms."""

    channel: NotificationChannel
    """Who handed over or sent the order. Shown in explanations; no rule tests it."""
    proven: bool
    """Whether the notification is proven. An unproven one blocks every rule without a waiver."""


@message_type
class Household(Message):
    """Who the order concerns."""

    __pydantic_config__ = rules(
        when("kind", {"const": "family_with_minors"}, minors={"minimum": 1}),
        when("kind", {"const": "single"}, optional=True, minors={"const": 0}),
    )

    kind: HouseholdKind
    """Single person, family with minors, or unaccompanied minor."""
    minors: Annotated[int, Field(ge=0, le=20)] = 0
    """Number of minor children. An unaccompanied minor does not count themselves."""

    @model_validator(mode="after")
    def _minors_fit_the_kind(self) -> Self:
        if self.kind is HouseholdKind.FAMILY_WITH_MINORS and self.minors == 0:
            raise broken_rule(
                "family_without_minors", "a family with minors has at least one minor"
            )
        if self.kind is HouseholdKind.SINGLE and self.minors != 0:
            raise broken_rule(
                "single_with_minors", "a single person has no minors in the household"
            )
        return self


@message_type
class Appointment(Message):
    """A planned interview."""

    appointment_id: Reference
    """Reference of the appointment, quoted by a missed appointment or an interview."""
    office_id: OfficeId
    """Office where the person is expected."""
    at: Instant
    """When the person is expected."""


@final
@message_type
class OqtIssued(Message):
    """An order to leave the territory (OQT/BGV) was issued and notified.

    A second event with the same ``order_id`` is a correction. An event with another ``order_id``
    and a later ``notified_at`` supersedes the earlier order from that instant.
    """

    __pydantic_config__ = rules(
        when(
            "departure_term_days", {"maximum": 29}, departure_term_reason={"not": {"type": "null"}}
        )
    )

    order_id: Reference
    """Reference of the order. No public numbering scheme exists, so it is opaque."""
    annex: Annex
    """The form on which the order was served. Kept in the log; no rule tests it."""
    notified_at: Instant
    """When the order was notified. The terms of the procedure start here."""
    notification: Notification
    """Channel and proof of the notification."""
    departure_term_days: Annotated[int, Field(ge=0, le=30)]
    """Term for voluntary departure in calendar days from notification, 0 to 30.

    A term below the minimum for its reason is accepted, and an official is asked to check it."""
    departure_term_reason: TermReason | None = None
    """Required when the term is below 30 days."""
    repeat_order: bool
    """Whether the person had an earlier order."""
    residence_postcode: Postcode | None = None
    """Postcode of the known residence; null when no address is known.

    The order is accepted with a postcode of another country; a person then assigns the case."""
    interception_postcode: Postcode | None = None
    """Postcode of the place of interception or of the notifying commune."""
    residence_since: Instant | None = None
    """Since when the residence is the one named here; null if since notification or unknown."""
    lodging: Lodging
    """Kind of place where the person lives."""
    lodging_since: Instant | None = None
    """Since when the person lives there. Without it, a changed lodging counts from this event."""
    household: Household
    """Who the order concerns."""
    language: Language
    """Language of the procedure, in which invitations must be written."""
    interpreter_language: LanguageTag | None = None
    """Language for an interpreter, when one is needed."""
    first_appointment: Appointment | None = None
    """First interview, if the order sets its date; null if the person only got information."""

    @model_validator(mode="after")
    def _short_term_has_a_reason(self) -> Self:
        if self.departure_term_days < 30 and self.departure_term_reason is None:
            raise broken_rule(
                "short_term_without_reason",
                "a departure term below 30 days needs departure_term_reason",
            )
        return self


@message_type
class Invitation(Message):
    """How the person was invited to the missed appointment."""

    # Described in Field: a message that inherits a field does not inherit its docstring.
    delivery: Annotated[
        Delivery,
        Field(
            description="Whether the invitation reached the person. A miss counts only if delivery"
            " is proven."
        ),
    ]
    language: Annotated[
        Language,
        Field(
            description="Language of the invitation. A miss counts only if it equals the order's"
            " language."
        ),
    ]


@final
@message_type
class AppointmentMissed(Message):
    """The person missed an appointment. A second event for the same appointment is a correction."""

    order_id: Reference
    """Order under which the person was invited."""
    appointment_id: Reference
    """The missed appointment."""
    sequence: Annotated[int, Field(ge=1, le=999)]
    """Number of the appointment in the trajectory, counted by the office."""
    scheduled_at: Instant
    """When the person was expected."""
    office_id: OfficeId
    """Office where the person was expected."""
    invitation: Invitation
    """Delivery and language of the invitation."""
    justification: Justification
    """Reason given for the absence. NONE: no reason was given; UNKNOWN: not asked yet."""
    review: Review
    """State of an official's review of that reason."""


@final
@message_type
class InterviewCompleted(Message):
    """An interview took place. A second event for the same interview is a correction."""

    order_id: Reference
    """Order that the interview follows up."""
    interview_id: Reference
    """Reference of the interview."""
    appointment_id: Reference | None = None
    """Appointment of the interview; null for a walk-in at the counter."""
    sequence: Annotated[int, Field(ge=1, le=999)]
    """Number of the interview in the trajectory, counted by the office."""
    held_at: Instant
    """When the interview was held."""
    office_id: OfficeId
    """Office where the interview was held."""
    coach_role: CoachRole
    """Kind of coach who held the interview."""
    conclusion: Conclusion
    """The coach's conclusion."""
    cooperation: Cooperation
    """Cooperation seen at the interview: a duty of effort, not of result. No rule tests it."""
    vulnerability_reviewed: bool
    """Whether medical and other vulnerability was reviewed. False is a report: it was not."""
    next_appointment: Appointment | None = None
    """Next planned interview, if a date was set."""


@final
@message_type
class CircumstanceChanged(Message):
    """A circumstance that blocks escalation begins or ends."""

    __pydantic_config__ = rules(when("outcome", {"not": {"type": "null"}}, state={"const": "ends"}))

    order_id: Reference | None = None
    """Order that the circumstance belongs to; null if it applies to the person under any order."""
    circumstance: Guard
    """The circumstance, as a guard code."""
    state: CircumstanceState
    """Whether the circumstance begins or ends."""
    effective_at: Instant
    """When the circumstance begins or ends."""
    reference: Reference
    """Reference of the procedure. Its begin and its end have the same reference."""
    outcome: CircumstanceOutcome | None = None
    """How a procedure ended; null at its begin. Without it, an ended procedure goes on blocking."""

    @model_validator(mode="after")
    def _only_an_end_has_an_outcome(self) -> Self:
        if self.outcome is not None and self.state is not CircumstanceState.ENDS:
            raise broken_rule("outcome_without_end", "only a circumstance that ends has an outcome")
        return self


@message_type
class SentInvitation(Invitation):
    """How the person was invited to a planned appointment."""

    sent_at: Instant
    """When the invitation was sent or handed over."""


@final
@message_type
class AppointmentPlanned(Message):
    """An appointment was planned, moved or cancelled. The newest event of an appointment holds.

    ``first_appointment`` of an order and ``next_appointment`` of an interview plan one too.
    """

    order_id: Reference
    """Order that the appointment follows up."""
    appointment_id: Reference
    """Reference of the appointment, quoted by a missed appointment or an interview."""
    office_id: OfficeId
    """Office where the person is expected."""
    at: Instant
    """When the person is expected; the new time if it was moved."""
    state: AppointmentState
    """Planned, moved, or cancelled and by whom."""
    purpose: AppointmentPurpose
    """First interview or follow-up."""
    invitation: SentInvitation | None = None
    """Delivery, language and date of the invitation; null until one was sent."""


@final
@message_type
class ProposalAnswered(Message):
    """A person answered a proposal of this system. The newest answer to a round holds.

    It may arrive before the proposal that it names is known here.
    """

    __pydantic_config__ = rules(
        when("answer", {"const": "postponed"}, postponed_until={"not": {"type": "null"}}),
        when("postponed_until", {"not": {"type": "null"}}, answer={"const": "postponed"}),
        when("decision", {"not": {"type": "null"}}, answer={"const": "done"}),
    )

    escalation_id: EscalationId
    """The proposal."""
    round: Annotated[int, Field(ge=1)]
    """Round of the proposal that was answered."""
    answer: Answer
    """What was done with it."""
    postponed_until: Instant | None = None
    """When the proposal is to come back; required with ``postponed`` and only there."""
    reason: AnswerReason
    """Why, from a closed list."""
    role: AnswererRole
    """Role of the person who answered. Never an identity."""
    decision: ReviewDecision | None = None
    """Decision of a review, if the proposal asked for one and the answer is ``done``."""
    answered_at: Instant
    """When it was answered."""

    @model_validator(mode="after")
    def _fields_fit_the_answer(self) -> Self:
        if (self.answer is Answer.POSTPONED) != (self.postponed_until is not None):
            raise broken_rule(
                "postponed_until_does_not_fit_the_answer",
                "postponed_until belongs to the answer postponed, and only there",
            )
        if self.decision is not None and self.answer is not Answer.DONE:
            raise broken_rule("decision_without_done", "only the answer done has a decision")
        return self


@final
@message_type
class FollowUpEnded(Message):
    """The follow-up of an order or of the whole case ended, or was reopened."""

    order_id: Reference | None = None
    """Order whose follow-up ended; null for the whole case."""
    state: FollowUpState = FollowUpState.ENDED
    """Ended, or reopened after an end."""
    reason: EndReason
    """Why it ended. A later event may correct the reason."""
    effective_at: Instant
    """When it ended or was reopened."""


Event = (
    OqtIssued
    | AppointmentMissed
    | InterviewCompleted
    | CircumstanceChanged
    | AppointmentPlanned
    | ProposalAnswered
    | FollowUpEnded
)

EVENT_TYPES: dict[str, type[Event]] = {
    "icam.oqt-issued.v1": OqtIssued,
    "icam.appointment-missed.v1": AppointmentMissed,
    "icam.interview-completed.v1": InterviewCompleted,
    "icam.circumstance-changed.v1": CircumstanceChanged,
    "icam.appointment-planned.v1": AppointmentPlanned,
    "icam.proposal-answered.v1": ProposalAnswered,
    "icam.follow-up-ended.v1": FollowUpEnded,
}
"""CloudEvents ``type`` to model. Each input topic carries one type and is named after it."""

INPUT_TOPICS: tuple[str, ...] = tuple(EVENT_TYPES)
