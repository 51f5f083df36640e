"""The four facts that upstream systems publish about a case. Names and codes are the contract.

Times: every model speaks in instants with an offset. The CloudEvents ``time`` of the envelope, not
a field here, orders two versions of the same fact: the later one is a correction of the earlier.
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
    """Why the departure term is shorter than 30 days; below 30 the law asks for a reason."""

    ABSCONDING_RISK = "absconding_risk"
    PREVENTIVE_MEASURE_BROKEN = "preventive_measure_broken"
    PUBLIC_ORDER = "public_order"
    FRAUD = "fraud"
    REPEAT_ASYLUM_REQUEST = "repeat_asylum_request"
    NO_LONG_STAY_RIGHT = "no_long_stay_right"
    EARLIER_ORDER_NOT_FOLLOWED = "earlier_order_not_followed"


class Lodging(StrEnum):
    """Where the person lives, as a kind of place, never an address."""

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
    """What is known of the invitation reaching the person."""

    PROVEN = "proven"
    UNPROVEN = "unproven"
    FAILED = "failed"


class Justification(StrEnum):
    """Why an appointment was missed. Inferred list: no official one was found."""

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
    """Where a person's review of the justification stands."""

    NONE = "none"
    PENDING = "pending"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


class CoachRole(StrEnum):
    """Which kind of coach held the interview."""

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
    """Whether the circumstance starts or stops at ``effective_at``."""

    BEGINS = "begins"
    ENDS = "ends"


class Notification(Message):
    """How the order reached the person; it starts the departure and appeal terms."""

    channel: NotificationChannel
    """Who handed over or sent the order."""
    proven: bool
    """Whether the notification is proven; unproven blocks every escalation."""


class Household(Message):
    """Who the order concerns."""

    kind: HouseholdKind
    """Single person, family with minors, or unaccompanied minor."""
    minors: Annotated[int, Field(ge=0, le=20)] = 0
    """Number of minor children; for an unaccompanied minor, those besides the person."""

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
    """Reference of the appointment; a miss or an interview names it."""
    office_id: OfficeId
    """Office where the person is expected."""
    at: Instant
    """When the person is expected."""


@final
class OqtIssued(Message):
    """An order to leave the territory (OQT/BGV) was issued and notified.

    Published again under the same ``order_id`` it is a correction; under another ``order_id`` with
    a later ``notified_at`` it supersedes the earlier order.
    """

    order_id: Reference
    """Reference of the order. No public numbering scheme exists, so it is opaque."""
    annex: Annex
    """The form used."""
    notified_at: Instant
    """When the order was notified; the clocks of the procedure start here."""
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
    """First interview, when the order carries a fixed date; else only information was given."""

    @model_validator(mode="after")
    def _short_term_has_a_reason(self) -> Self:
        if self.departure_term_days < 30 and self.departure_term_reason is None:
            raise ValueError("a departure term below 30 days needs departure_term_reason")
        return self


class Invitation(Message):
    """How the person was invited to the missed appointment."""

    delivery: Delivery
    """What is known of the invitation reaching the person; only proven counts."""
    language: Language
    """Language of the invitation; another than the order's does not count as understandable."""


@final
class AppointmentMissed(Message):
    """The person did not come. Published again for the same appointment it is a correction."""

    order_id: Reference
    """Order under which the person was invited."""
    appointment_id: Reference
    """Appointment that was missed."""
    sequence: Annotated[int, Field(ge=1, le=999)]
    """Position of the appointment in the trajectory, as the office counts."""
    scheduled_at: Instant
    """When the person was expected."""
    office_id: OfficeId
    """Office where the person was expected."""
    invitation: Invitation
    """Delivery and language of the invitation."""
    justification: Justification
    """Reason given for the absence; NONE = none given, UNKNOWN = not asked yet."""
    review: Review
    """Where a person's review of that reason stands."""


@final
class InterviewCompleted(Message):
    """An interview took place. Published again for the same interview it is a correction."""

    order_id: Reference
    """Order that is followed up."""
    interview_id: Reference
    """Reference of the interview."""
    appointment_id: Reference | None = None
    """Appointment it was held under; null for a walk-in at the counter."""
    sequence: Annotated[int, Field(ge=1, le=999)]
    """Position of the interview in the trajectory, as the office counts."""
    held_at: Instant
    """When the interview was held."""
    office_id: OfficeId
    """Office where it was held."""
    coach_role: CoachRole
    """Kind of coach who held it."""
    conclusion: Conclusion
    """The coach's conclusion."""
    cooperation: Cooperation
    """Cooperation seen: a duty of effort, not of result."""
    vulnerability_reviewed: bool
    """Whether medical and other vulnerability was reviewed in this interview."""
    next_appointment: Appointment | None = None
    """Next planned interview, when one was fixed."""


@final
class CircumstanceChanged(Message):
    """A circumstance that blocks escalation begins or ends."""

    order_id: Reference | None = None
    """Order it belongs to; null when it concerns the person whatever the order."""
    circumstance: Guard
    """Which circumstance."""
    state: CircumstanceState
    """Begins or ends."""
    effective_at: Instant
    """From when."""
    reference: Reference
    """Reference of the procedure; the begin and the end of one procedure share it."""


Event = OqtIssued | AppointmentMissed | InterviewCompleted | CircumstanceChanged

EVENT_TYPES: dict[str, type[Event]] = {
    "icam.oqt-issued.v1": OqtIssued,
    "icam.appointment-missed.v1": AppointmentMissed,
    "icam.interview-completed.v1": InterviewCompleted,
    "icam.circumstance-changed.v1": CircumstanceChanged,
}
"""CloudEvents ``type`` to model. Each input topic carries one type and has its name."""

INPUT_TOPICS: tuple[str, ...] = tuple(EVENT_TYPES)
