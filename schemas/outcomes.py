"""What the pipeline announces: where a case is routed, which escalations stand, which no longer do.

Every escalation is a proposal. Forced return and detention are not in the list of actions: no
message of this system can express them.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal, final

import orjson
from pydantic import BaseModel, Field

from schemas.types import (
    CaseId,
    Guard,
    Instant,
    Language,
    LanguageTag,
    Message,
    OfficeId,
    Reference,
)


class Track(StrEnum):
    """Which team follows the case."""

    INDIVIDUAL = "individual"
    FAMILY = "family"
    RETURN_HOUSE = "return_house"
    OPEN_RETURN_PLACE = "open_return_place"
    DETAINED = "detained"
    TRIAGE = "triage"


class Action(StrEnum):
    """What an official is asked to consider. The list ends before any coercive act."""

    CHECK_DELIVERY = "check_delivery"
    REINVITE = "reinvite"
    OUTREACH = "outreach"
    CONTACT_REVIEW = "contact_review"
    HUMAN_REVIEW = "human_review"
    ADDRESS_CHECK_REFERRAL = "address_check_referral"


class GuardState(StrEnum):
    """What is known of a guard. Only ``clear`` lets an escalation through."""

    CLEAR = "clear"
    ACTIVE = "active"
    UNKNOWN = "unknown"
    WAIVED = "waived"


class RouteRef(Message):
    """Where a case was before."""

    order_id: Reference
    """The order it was routed on."""
    office_id: OfficeId
    """Office or special queue."""
    track: Track
    """Team."""
    language: Language
    """Language of the contact."""
    interpreter_language: LanguageTag | None
    """Language for an interpreter, when one is needed."""
    rule_id: str
    """Rule that had decided."""


@final
class CaseRouted(Message):
    """A case is assigned to an office and team, with the rule that decided."""

    case_id: CaseId
    """The case."""
    order_id: Reference
    """The order it was routed on."""
    office_id: OfficeId
    """Office or special queue that takes the case."""
    track: Track
    """Team that follows the case."""
    language: Language
    """Language of the contact."""
    interpreter_language: LanguageTag | None
    """Language for an interpreter, when one is needed."""
    rule_id: str
    """Routing rule that decided."""
    reason: str
    """What the rule saw, in codes: ``postcode 9000 in BE-VOV``."""
    as_of: Instant
    """Instant for which territories and offices were read."""
    directory_version: str
    """Version of the office directory used."""
    directory_digest: str
    """SHA-256 of the directory, hexadecimal."""
    previous: RouteRef | None
    """Where the case was before; null the first time."""


class GuardCheck(Message):
    """One guard as it was read for this escalation."""

    guard: Guard
    """Which guard."""
    state: GuardState
    """What was known."""
    because: str
    """Why, in codes and dates."""


class FactCheck(Message):
    """One condition that held, with the value found."""

    fact: str
    """The fact tested: ``counted_misses`` ..."""
    found: str
    """Its value."""
    test: str
    """How it was tested: ``at_least``, ``is``, ``one_of`` or ``none_of``."""
    wanted: str
    """What it was tested against."""


class ClockStep(Message):
    """One step of the deadline arithmetic."""

    clock: str
    """What was counted from: ``term_end``, ``last_contact`` ..."""
    start: Instant
    """Where the count starts."""
    working_days: Annotated[int, Field(ge=0)]
    """Working days added."""
    due: Instant
    """Where it ends."""


class NearMiss(Message):
    """The nearest harsher rule that did not match, and why."""

    rule_id: str
    """The rule."""
    level: int
    """Its level."""
    because: tuple[str, ...]
    """Conditions that did not hold."""


class Evidence(Message):
    """Everything needed to check an escalation by hand."""

    event_ids: tuple[str, ...]
    """Events it rests on."""
    facts: tuple[FactCheck, ...]
    """Conditions that held, with the values found."""
    clocks: tuple[ClockStep, ...]
    """Deadline arithmetic."""
    guards: tuple[GuardCheck, ...]
    """Every guard, as read."""
    nearest: NearMiss | None
    """The nearest harsher rule that did not match."""


@final
class EscalationRaised(Message):
    """A proposal to an official, with its evidence. A person decides."""

    kind: Literal["raised"] = "raised"
    """Tells the two messages of the topic apart."""
    escalation_id: str
    """UUID version 5 of case, rule and occasion: the same cause gives the same id."""
    round: Annotated[int, Field(ge=1)]
    """1 the first time; one more each time it stands again after a withdrawal."""
    case_id: CaseId
    """The case."""
    order_id: Reference
    """The order it concerns."""
    occasion: str
    """What set it off: the appointment, interview or deadline."""
    level: Annotated[int, Field(ge=1, le=5)]
    """Step of the ladder, 1 to 5."""
    action: Action
    """What an official is asked to consider."""
    rule_id: str
    """Rule that matched."""
    policy_version: str
    """Version of the rule table."""
    policy_digest: str
    """SHA-256 of the rule table, hexadecimal."""
    office_id: OfficeId
    """Office that is asked."""
    track: Track
    """Team that is asked."""
    due_at: Instant
    """When the cause was complete."""
    detected_at: Instant
    """When the pipeline saw it."""
    decided_by: Literal["human"] = "human"
    """Always a person: the system proposes."""
    evidence: Evidence
    """Everything needed to check it by hand."""


class WithdrawalReason(StrEnum):
    """Why an escalation no longer stands."""

    NO_LONGER_HOLDS = "no_longer_holds"
    SUPERSEDED = "superseded"
    GUARD = "guard"
    OPEN_DEAD_LETTER = "open_dead_letter"
    ORDER_SUPERSEDED = "order_superseded"
    REROUTED = "rerouted"
    POLICY_CHANGED = "policy_changed"


@final
class EscalationWithdrawn(Message):
    """An escalation that was raised no longer stands."""

    kind: Literal["withdrawn"] = "withdrawn"
    """Tells the two messages of the topic apart."""
    escalation_id: str
    """The escalation."""
    round: Annotated[int, Field(ge=1)]
    """The round that ends."""
    case_id: CaseId
    """The case."""
    rule_id: str
    """Rule that had matched."""
    level: Annotated[int, Field(ge=1, le=5)]
    """Its level."""
    office_id: OfficeId
    """Office that had been asked."""
    reason: WithdrawalReason
    """Why it no longer stands."""
    because: tuple[str, ...]
    """What changed, in codes and dates."""
    withdrawn_at: Instant
    """When the pipeline saw it."""


Outcome = CaseRouted | EscalationRaised | EscalationWithdrawn

CASE_ROUTED_TOPIC = "icam.case-routed.v1"
ESCALATION_TOPIC = "icam.escalation.v1"

OUTCOME_TYPES: dict[str, tuple[str, type[Outcome]]] = {
    "icam.case-routed.v1": (CASE_ROUTED_TOPIC, CaseRouted),
    "icam.escalation-raised.v1": (ESCALATION_TOPIC, EscalationRaised),
    "icam.escalation-withdrawn.v1": (ESCALATION_TOPIC, EscalationWithdrawn),
}
"""CloudEvents ``type`` to the topic it is published on and its model."""

OUTPUT_TOPICS: tuple[str, ...] = (CASE_ROUTED_TOPIC, ESCALATION_TOPIC)


def body(outcome: Outcome) -> bytes:
    """Return the record value of an outcome: the bytes of ``model_dump_json``, in half its time."""
    return orjson.dumps(outcome.__dict__, default=_fields, option=orjson.OPT_UTC_Z)


def _fields(value: object) -> dict[str, Any]:
    if isinstance(value, BaseModel):
        return value.__dict__
    raise TypeError(type(value).__name__)
