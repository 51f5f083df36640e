"""The four event types that upstream systems publish about a case.

Field names and codes are part of the contract. Every time is an instant with a UTC offset. Two
versions of one fact are ordered by the CloudEvents ``time`` of the envelope, not by a field here:
the later version corrects the earlier one.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self, final

from pydantic import Field, model_validator

from schemas.types import (
    Guard,
    Instant,
    Language,
    LanguageTag,
    Message,
    OfficeId,
    Postcode,
    Reference,
)


class Annex(StrEnum):
    """The form on which the order was served (annexes to the Royal Decree of 8 October 1981)."""

    A12 = "12"
    A13 = "13"
    A13BIS = "13bis"
    A13QUINQUIES = "13quinquies"
    A13SEXIES = "13sexies"
    A13SEPTIES = "13septies"
    A20 = "20"
    A21 = "21"
    A25QUATER = "25quater"
    A26QUATER = "26quater"
    A38 = "38"


class NotificationChannel(StrEnum):
    """Who handed over or sent the order."""

    REGISTERED_POST = "registered_post"
    COMMUNE = "commune"
    POLICE = "police"
    RECEPTION = "reception"
    IMMIGRATION_OFFICE = "immigration_office"


class TermReason(StrEnum):
    """Why the departure term is shorter than 30 days. The law requires a reason below 30."""

    ABSCONDING_RISK = "absconding_risk"
    PREVENTIVE_MEASURE_BROKEN = "preventive_measure_broken"
    PUBLIC_ORDER = "public_order"
    FRAUD = "fraud"
    REPEAT_ASYLUM_REQUEST = "repeat_asylum_request"
    NO_LONG_STAY_RIGHT = "no_long_stay_right"
    EARLIER_ORDER_NOT_FOLLOWED = "earlier_order_not_followed"


class Lodging(StrEnum):
    """Kind of place where the person lives, never an address."""

    HOME = "home"
    RECEPTION = "reception"
    RETURN_HOUSE = "return_house"
    OPEN_RETURN_PLACE = "open_return_place"
    DETAINED = "detained"
    NONE = "none"


class HouseholdKind(StrEnum):
    """Who the order concerns."""

    SINGLE = "single"
    FAMILY_WITH_MINORS = "family_with_minors"
    UNACCOMPANIED_MINOR = "unaccompanied_minor"


class Delivery(StrEnum):
    """Whether the invitation is known to have reached the person."""

    PROVEN = "proven"
    UNPROVEN = "unproven"
    FAILED = "failed"


class Justification(StrEnum):
    """Reason given for a missed appointment. The list is inferred; no official list was found."""

    MEDICAL = "MEDICAL"
    CHILDCARE = "CHILDCARE"
    TRANSPORT_STRIKE = "TRANSPORT_STRIKE"
    DETAINED = "DETAINED"
    NOT_DELIVERED = "NOT_DELIVERED"
    WRONG_LANGUAGE = "WRONG_LANGUAGE"
    LEGAL_APPOINTMENT = "LEGAL_APPOINTMENT"
    FORCE_MAJEURE = "FORCE_MAJEURE"
    OTHER_ACCEPTED = "OTHER_ACCEPTED"
    NONE = "NONE"
    UNKNOWN = "UNKNOWN"


class Review(StrEnum):
    """State of an official's review of the justification."""

    NONE = "none"
    PENDING = "pending"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


class CoachRole(StrEnum):
    """Kind of coach who held the interview."""

    INDIVIDUAL = "individual"
    FAMILY = "family"
    OPEN_RETURN_PLACE = "open_return_place"
    RETURN_HOUSE = "return_house"


class Conclusion(StrEnum):
    """The coach's conclusion at the end of an interview."""

    RESIDENCE_PROSPECT = "residence_prospect"
    VOLUNTARY_RETURN_ACCEPTED = "voluntary_return_accepted"
    VOLUNTARY_RETURN_REFUSED = "voluntary_return_refused"
    UNDECIDED = "undecided"


class Cooperation(StrEnum):
    """Cooperation seen at the interview: a duty of effort, not of result."""

    COOPERATING = "cooperating"
    PARTIAL = "partial"
    NOT_COOPERATING = "not_cooperating"
    NOT_ASSESSED = "not_assessed"


class CircumstanceState(StrEnum):
    """Whether the circumstance begins or ends at ``effective_at``."""

    BEGINS = "begins"
    ENDS = "ends"


class Notification(Message):
    """How the order was notified. Notification starts the departure and appeal terms."""

    channel: NotificationChannel
    """Who handed over or sent the order."""
    proven: bool
    """Whether the notification is proven. An unproven one blocks every rule without a waiver."""


class Household(Message):
    """Who the order concerns."""

    kind: HouseholdKind
    """Single person, family with minors, or unaccompanied minor."""
    minors: Annotated[int, Field(ge=0, le=20)] = 0
    """Number of minor children. An unaccompanied minor does not count themselves."""

    @model_validator(mode="after")
    def _minors_fit_the_kind(self) -> Self:
        if self.kind is HouseholdKind.FAMILY_WITH_MINORS and self.minors == 0:
            raise ValueError("a family with minors has at least one minor")
        if self.kind is HouseholdKind.SINGLE and self.minors != 0:
            raise ValueError("a single person has no minors in the household")
        return self


class Appointment(Message):
    """A planned interview."""

    appointment_id: Reference
    """Reference of the appointment, quoted by a missed appointment or an interview."""
    office_id: OfficeId
    """Office where the person is expected."""
    at: Instant
    """When the person is expected."""


@final
class OqtIssued(Message):
    """An order to leave the territory (OQT/BGV) was issued and notified.

    A second event with the same ``order_id`` is a correction. An event with another ``order_id``
    and a later ``notified_at`` supersedes the earlier order.
    """

    order_id: Reference
    """Reference of the order. No public numbering scheme exists, so it is opaque."""
    annex: Annex
    """The form on which the order was served."""
    notified_at: Instant
    """When the order was notified. The terms of the procedure start here."""
    notification: Notification
    """Channel and proof of the notification."""
    departure_term_days: Annotated[int, Field(ge=0, le=30)]
    """Term for voluntary departure in calendar days from notification, 0 to 30."""
    departure_term_reason: TermReason | None = None
    """Required when the term is below 30 days."""
    repeat_order: bool
    """Whether the person had an earlier order."""
    residence_postcode: Postcode | None = None
    """Postcode of the known residence; null when no address is known."""
    interception_postcode: Postcode | None = None
    """Postcode of the place of interception or of the notifying commune."""
    lodging: Lodging
    """Kind of place where the person lives."""
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
            raise ValueError("a departure term below 30 days needs departure_term_reason")
        return self


class Invitation(Message):
    """How the person was invited to the missed appointment."""

    delivery: Delivery
    """Whether the invitation reached the person. A miss counts only if delivery is proven."""
    language: Language
    """Language of the invitation. A miss counts only if it equals the order's language."""


@final
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
    """Cooperation seen at the interview: a duty of effort, not of result."""
    vulnerability_reviewed: bool
    """Whether medical and other vulnerability was reviewed in this interview."""
    next_appointment: Appointment | None = None
    """Next planned interview, if a date was set."""


@final
class CircumstanceChanged(Message):
    """A circumstance that blocks escalation begins or ends."""

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


Event = OqtIssued | AppointmentMissed | InterviewCompleted | CircumstanceChanged

EVENT_TYPES: dict[str, type[Event]] = {
    "icam.oqt-issued.v1": OqtIssued,
    "icam.appointment-missed.v1": AppointmentMissed,
    "icam.interview-completed.v1": InterviewCompleted,
    "icam.circumstance-changed.v1": CircumstanceChanged,
}
"""CloudEvents ``type`` to model. Each input topic carries one type and is named after it."""

INPUT_TOPICS: tuple[str, ...] = tuple(EVENT_TYPES)
