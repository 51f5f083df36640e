"""Frozen types for the figures of ``figures.toml``, which documents each figure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from schemas.codes import Guard, Language
from schemas.events import (
    Annex,
    Answer,
    AnswererRole,
    AppointmentState,
    CircumstanceOutcome,
    EndReason,
    HouseholdKind,
    Justification,
    Lodging,
    NotificationChannel,
    ReviewDecision,
    TermReason,
)
from schemas.outcomes import Action
from streams.simulate.dice import Weighted
from streams.simulate.reading import Provenance


class Ending(StrEnum):
    """Ending of a counselling with at least one interview."""

    VOLUNTARY_RETURN = "voluntary_return"
    RESIDENCE_PROCEDURE = "residence_procedure"
    APPEAL = "appeal"
    REFUSAL = "refusal"
    OUT_OF_CONTACT = "out_of_contact"
    OTHER = "other"


class Group(StrEnum):
    """Authority that serves the order. Channel, annex, term and lodging depend on it."""

    POLICE = "police"
    COMMUNE = "commune"
    RECEPTION = "reception"


class MissCause(StrEnum):
    """Cause of a missed appointment, known at once or only after a review."""

    UNDELIVERED = "undelivered"
    JUSTIFIED = "justified"
    WRONG_LANGUAGE = "wrong_language"
    REASON_REFUSED = "reason_refused"
    NEVER_ASKED = "never_asked"
    ASKED_LATER = "asked_later"
    NO_REASON = "no_reason"


@dataclass(frozen=True, slots=True)
class Volumes:
    """Orders per working day at scale 1, and how often cases get a further order."""

    orders_per_working_day: float
    closed_day_factor: float
    repeat_share: float
    reorder_share: float
    reorder_median_days: float
    reorder_sigma: float
    order_after_facts: float


@dataclass(frozen=True, slots=True)
class People:
    """Households, and the languages that need an interpreter."""

    household: Weighted[HouseholdKind]
    minors: Weighted[int]
    interpreter_share: float
    interpreter: Weighted[str]


@dataclass(frozen=True, slots=True)
class Service:
    """How one group of authorities serves orders. Terms are in days."""

    channel: Weighted[NotificationChannel]
    proven: float
    annex: Weighted[Annex]
    term: Weighted[int]
    address_known: float
    lodging: Weighted[Lodging]
    lodging_no_address: Weighted[Lodging]


@dataclass(frozen=True, slots=True)
class TermFigures:
    """Reasons for a term of 0 days and for a term of 1 to 29 days."""

    repeat_reason_share: float
    reason_none: Weighted[TermReason]
    reason_short: Weighted[TermReason]


@dataclass(frozen=True, slots=True)
class Province:
    """Postcodes, languages and office of one province (ISO 3166-2 code).

    ``postcodes`` are equally likely; ``special`` ones make up ``special_share`` of the province.
    """

    id: str
    postcodes: tuple[str, ...]
    language: Weighted[Language]
    office: str
    special: tuple[str, ...]
    special_share: float
    special_language: Language | None


@dataclass(frozen=True, slots=True)
class Appointments:
    """Appointments: first ones in days from the notification, follow-ups from the last attempt."""

    share_of_orders: float
    share_when_possible: float
    median_days: float
    sigma: float
    follow_up_median_days: float
    walk_in_share: float
    change: Weighted[AppointmentState]
    """``planned`` if the appointment takes place as it was planned."""
    planned_again: float
    planned_again_engaged: float
    reinvited_within_days: tuple[int, int]
    delivery_unproven: float


@dataclass(frozen=True, slots=True)
class NoShow:
    """Shares of missed appointments; ``odds_factor`` multiplies the odds of each."""

    overall_show_up: float
    odds_factor: float
    base: float
    family: float
    reception: float
    police: float
    follow_up: float
    housed: float
    reinvited: float
    reinvited_engaged: float
    most_in_a_row: int


@dataclass(frozen=True, slots=True)
class Misses:
    """Reports of missed appointments. ``review_days``: from first report to correction."""

    cause: Weighted[MissCause]
    delivery_failed: float
    delivery_reviewed: float
    language_reported: float
    accepted_at_once: float
    pending_first: float
    reported_by_mistake: float
    reasons: Weighted[Justification]
    review_days: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Interviews:
    """Number of interviews once a first one was held, and the ending of the counselling."""

    count: Weighted[int]
    ending: Weighted[Ending]
    vulnerability_reviewed: float


@dataclass(frozen=True, slots=True)
class Corrections:
    """Shares of corrected orders; ``within_days`` are days from the notification."""

    address_changed: float
    same_province: float
    address_found: float
    released: float
    released_after_days: tuple[int, int]
    detained: float
    since_reported: float
    within_days: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Checks:
    """Checks that an official reports clear; ``after_days`` are days from the notification."""

    non_refoulement_clear: float
    after_days: tuple[int, int]


@dataclass(frozen=True, slots=True)
class StrayAnswers:
    """Answers to proposals that this system does not know, in days from the notification."""

    unknown_proposal: float
    after_days: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Ends:
    """Reasons for the end of the follow-up, and days until it is reported."""

    after: Mapping[Ending, Weighted[EndReason]]
    never_seen: Weighted[EndReason]
    never_seen_ends: float
    settled_days: tuple[int, int]
    silent_days: tuple[int, int]
    opened_in_error: float
    error_days: tuple[int, int]
    names_order: float
    reopened: float
    reopened_after_days: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Answering:
    """How offices answer proposals: shares, and days until an answer."""

    overlooked: float
    answer: Weighted[Answer]
    done_working_days: tuple[int, int]
    postponed_days: tuple[int, int]
    without_address: float
    wait_median_days: float
    decision: Weighted[ReviewDecision]
    proof_found: float
    still_holds: float
    unreported: float
    delay: Mapping[AnswererRole, Weighted[int]]
    """Working days from a proposal to its answer."""
    gives_up: Mapping[Action, float]
    """Share in which the office ends the follow-up of a person it did not reach."""
    invited: Mapping[Action, float]
    """Share in which the office plans an appointment, by what was proposed."""


@dataclass(frozen=True, slots=True)
class CircumstanceFigures:
    """One kind of circumstance: its share of orders, its begin and its length in days."""

    guard: Guard
    feed: str
    share: float
    begins: tuple[int, int]
    ends_share: float
    lasts: tuple[int, int]
    outcome: Weighted[CircumstanceOutcome | None] | None
    """What its end reports; the item None is an end without an outcome. None for a check."""
    household: HouseholdKind | None
    months: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Figures:
    """All figures, and the provenance of each."""

    volumes: Volumes
    people: People
    group: Weighted[Group]
    service: Mapping[Group, Service]
    terms: TermFigures
    return_house_share: float
    return_house: Weighted[str]
    province: Weighted[Province]
    appointments: Appointments
    no_show: NoShow
    misses: Misses
    interviews: Interviews
    corrections: Corrections
    checks: Checks
    answers: StrayAnswers
    ends: Ends
    answering: Answering
    circumstances: tuple[CircumstanceFigures, ...]
    provenance: tuple[Provenance, ...]
