"""The code lists of the messages: each value that a field may take, as the contract spells it.

A module of its own, so that the image compiles it with the domain: reading a member of an
enumeration then costs a tenth (docs/decisions/0010).
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import TypeVar

T = TypeVar("T")


def _described(text: str) -> Callable[[type[T]], type[T]]:
    """Describe a code list in the exported schemas. mypyc compiles no docstring of it."""

    def described(codes: type[T]) -> type[T]:
        codes.__doc__ = text
        return codes

    return described


@_described("Language of the procedure: one of the three official languages.")
class Language(StrEnum):
    NL = "nl"
    FR = "fr"
    DE = "de"


@_described(
    "A circumstance that blocks escalation while it is active. Unknown counts as active.\n"
    "\n"
    "Source: the list is inferred from the law and from criticism of practice; see docs/domain.md."
)
class Guard(StrEnum):
    APPEAL_SUSPENSIVE_PENDING = "appeal_suspensive_pending"
    APPEAL_TERM_RUNNING = "appeal_term_running"
    DEPARTURE_TERM_RUNNING = "departure_term_running"
    NEW_RESIDENCE_PROCEDURE = "new_residence_procedure"
    ASYLUM_REQUEST_PENDING = "asylum_request_pending"
    MARRIAGE_OR_COHABITATION_PENDING = "marriage_or_cohabitation_pending"
    UNACCOMPANIED_MINOR = "unaccompanied_minor"
    SCHOOL_TERM_SUSPENSION = "school_term_suspension"
    FAMILY_WITH_MINORS = "family_with_minors"
    MEDICAL_OR_VULNERABLE_UNREVIEWED = "medical_or_vulnerable_unreviewed"
    NOTIFICATION_NOT_PROVEN = "notification_not_proven"
    JUSTIFIED_ABSENCE_PENDING = "justified_absence_pending"
    NON_REFOULEMENT_CHECK_MISSING = "non_refoulement_check_missing"
    VOLUNTARY_RETURN_IN_PROGRESS = "voluntary_return_in_progress"
    EXTENSION_GRANTED = "extension_granted"
    WRONG_LANGUAGE_INVITATION = "wrong_language_invitation"
    IDENTITY_DOUBT = "identity_doubt"
    URGENT_APPEAL_TERM_RUNNING = "urgent_appeal_term_running"


@_described(
    "The form on which the order was served (annexes to the Royal Decree of 8 October 1981)."
)
class Annex(StrEnum):
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


@_described("Who handed over or sent the order.")
class NotificationChannel(StrEnum):
    REGISTERED_POST = "registered_post"
    COMMUNE = "commune"
    POLICE = "police"
    RECEPTION = "reception"
    IMMIGRATION_OFFICE = "immigration_office"


@_described("Why the departure term is shorter than 30 days. The law requires a reason below 30.")
class TermReason(StrEnum):
    ABSCONDING_RISK = "absconding_risk"
    PREVENTIVE_MEASURE_BROKEN = "preventive_measure_broken"
    PUBLIC_ORDER = "public_order"
    FRAUD = "fraud"
    REPEAT_ASYLUM_REQUEST = "repeat_asylum_request"
    NO_LONG_STAY_RIGHT = "no_long_stay_right"
    EARLIER_ORDER_NOT_FOLLOWED = "earlier_order_not_followed"


@_described("Kind of place where the person lives, never an address.")
class Lodging(StrEnum):
    HOME = "home"
    RECEPTION = "reception"
    RETURN_HOUSE = "return_house"
    OPEN_RETURN_PLACE = "open_return_place"
    DETAINED = "detained"
    NONE = "none"


@_described("Who the order concerns.")
class HouseholdKind(StrEnum):
    SINGLE = "single"
    FAMILY_WITH_MINORS = "family_with_minors"
    UNACCOMPANIED_MINOR = "unaccompanied_minor"


@_described("Whether the invitation is known to have reached the person.")
class Delivery(StrEnum):
    PROVEN = "proven"
    UNPROVEN = "unproven"
    FAILED = "failed"


@_described(
    "Reason given for a missed appointment. The list is inferred; no official list was found."
)
class Justification(StrEnum):
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


@_described("State of an official's review of the justification.")
class Review(StrEnum):
    NONE = "none"
    PENDING = "pending"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


@_described("Kind of coach who held the interview.")
class CoachRole(StrEnum):
    INDIVIDUAL = "individual"
    FAMILY = "family"
    OPEN_RETURN_PLACE = "open_return_place"
    RETURN_HOUSE = "return_house"


@_described("The coach's conclusion at the end of an interview.")
class Conclusion(StrEnum):
    RESIDENCE_PROSPECT = "residence_prospect"
    VOLUNTARY_RETURN_ACCEPTED = "voluntary_return_accepted"
    VOLUNTARY_RETURN_REFUSED = "voluntary_return_refused"
    UNDECIDED = "undecided"


@_described("Cooperation seen at the interview: a duty of effort, not of result.")
class Cooperation(StrEnum):
    COOPERATING = "cooperating"
    PARTIAL = "partial"
    NOT_COOPERATING = "not_cooperating"
    NOT_ASSESSED = "not_assessed"


@_described("How a procedure ended. ``unknown`` means that nobody knows yet; it is not a refusal.")
class CircumstanceOutcome(StrEnum):
    GRANTED = "granted"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    LAPSED = "lapsed"
    UNKNOWN = "unknown"


@_described("Whether the appointment is to take place. A moved one takes place at its new time.")
class AppointmentState(StrEnum):
    PLANNED = "planned"
    MOVED = "moved"
    CANCELLED_BY_OFFICE = "cancelled_by_office"
    CANCELLED_BY_PERSON = "cancelled_by_person"


@_described("What the appointment is for.")
class AppointmentPurpose(StrEnum):
    FIRST = "first"
    FOLLOW_UP = "follow_up"


@_described("What a person at the office did with a proposal.")
class Answer(StrEnum):
    TAKEN_UP = "taken_up"
    DONE = "done"
    POSTPONED = "postponed"
    NOT_APPLICABLE = "not_applicable"


@_described(
    "Why a proposal was answered as it was. The list is inferred; no official list was found."
)
class AnswerReason(StrEnum):
    PERSON_INVITED = "person_invited"
    PERSON_CONTACTED = "person_contacted"
    PERSON_NOT_REACHED = "person_not_reached"
    DELIVERY_CHECKED = "delivery_checked"
    REFERRED = "referred"
    FILE_REVIEWED = "file_reviewed"
    AWAITING_DOCUMENTS = "awaiting_documents"
    AWAITING_DECISION = "awaiting_decision"
    STILL_HOLDS = "still_holds"
    NO_LONGER_HOLDS = "no_longer_holds"
    FACT_TO_CORRECT = "fact_to_correct"
    ALREADY_HANDLED = "already_handled"
    OTHER = "other"


@_described("Role of the person who answered. Never an identity.")
class AnswererRole(StrEnum):
    COACH = "coach"
    TEAM_LEAD = "team_lead"
    OFFICIAL = "official"


@_described("What an official decided in a review of the file.")
class ReviewDecision(StrEnum):
    CONTINUE_FOLLOW_UP = "continue_follow_up"
    LESS_COERCIVE_MEASURE = "less_coercive_measure"
    ADDRESS_CHECK = "address_check"
    HANDED_TO_IMMIGRATION_OFFICE = "handed_to_immigration_office"


@_described("Whether the follow-up ended or was reopened.")
class FollowUpState(StrEnum):
    ENDED = "ended"
    REOPENED = "reopened"


@_described("Why the follow-up ended. The list is inferred from the outcomes in docs/domain.md.")
class EndReason(StrEnum):
    LEFT_VOLUNTARILY = "left_voluntarily"
    LEFT_ON_OWN = "left_on_own"
    REMOVED = "removed"
    RESIDENCE_GRANTED = "residence_granted"
    ORDER_ANNULLED = "order_annulled"
    ORDER_WITHDRAWN = "order_withdrawn"
    TRANSFERRED_TO_ANOTHER_STATE = "transferred_to_another_state"
    DECEASED = "deceased"
    WHEREABOUTS_UNKNOWN = "whereabouts_unknown"
    OPENED_IN_ERROR = "opened_in_error"


@_described("Whether the circumstance begins or ends at ``effective_at``.")
class CircumstanceState(StrEnum):
    BEGINS = "begins"
    ENDS = "ends"


@_described("Team that follows the case.")
class Track(StrEnum):
    INDIVIDUAL = "individual"
    FAMILY = "family"
    RETURN_HOUSE = "return_house"
    OPEN_RETURN_PLACE = "open_return_place"
    DETAINED = "detained"
    TRIAGE = "triage"
    MINOR = "minor"


@_described("Action that an official is asked to consider. No coercive act is in the list.")
class Action(StrEnum):
    CHECK_DELIVERY = "check_delivery"
    REINVITE = "reinvite"
    OUTREACH = "outreach"
    CONTACT_REVIEW = "contact_review"
    HUMAN_REVIEW = "human_review"
    ADDRESS_CHECK_REFERRAL = "address_check_referral"
    GIVE_DATE = "give_date"
    REPORT_OUTCOME = "report_outcome"
    PROVE_NOTIFICATION = "prove_notification"
    REFER_RETURN = "refer_return"
    FOLLOW_DEPARTURE = "follow_departure"
    SUPPORT_APPLICATION = "support_application"
    INFORM_GUARDIANSHIP = "inform_guardianship"
    CHECK_DETENTION = "check_detention"
    FIND_ORDER = "find_order"
    CONFIRM_CIRCUMSTANCE = "confirm_circumstance"
    REPORT_DECISION = "report_decision"
    RECORD_END = "record_end"
    CHECK_DATES = "check_dates"
    CHECK_ORDER = "check_order"
    LESS_COERCIVE_MEASURE_REFERRAL = "less_coercive_measure_referral"


@_described(
    "State of a guard. Only ``clear``, or a waiver of the rule, lets an escalation through.\n"
    "\n"
    "``clear`` means that nothing blocks; ``GuardReport`` says whether somebody checked."
)
class GuardState(StrEnum):
    CLEAR = "clear"
    ACTIVE = "active"
    UNKNOWN = "unknown"
    WAIVED = "waived"
    NOT_REPORTED = "not_reported"
    """Clear by all that is known, but the rule requires that it was reported clear."""


@_described("What was reported about a guard. Without a report, nobody is known to have checked.")
class GuardReport(StrEnum):
    CLEAR = "clear"
    ACTIVE = "active"
    NONE = "none"


@_described("Why an escalation no longer stands.")
class WithdrawalReason(StrEnum):
    NO_LONGER_HOLDS = "no_longer_holds"
    SUPERSEDED = "superseded"
    GUARD = "guard"
    OPEN_DEAD_LETTER = "open_dead_letter"
    ORDER_SUPERSEDED = "order_superseded"
    REROUTED = "rerouted"
    POLICY_CHANGED = "policy_changed"
    ANSWERED = "answered"
    ENDED = "ended"
    REMINDED = "reminded"
