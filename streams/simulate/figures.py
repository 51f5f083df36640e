"""The figures of ``figures.toml`` as frozen values. What each one means is said in that file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from schemas.events import (
    Annex,
    HouseholdKind,
    Justification,
    Lodging,
    NotificationChannel,
    TermReason,
)
from schemas.types import Guard, Language
from streams.simulate.dice import Weighted
from streams.simulate.reading import Provenance


class Ending(StrEnum):
    """How the counselling of a person who came at least once ends."""

    VOLUNTARY_RETURN = "voluntary_return"
    RESIDENCE_PROCEDURE = "residence_procedure"
    APPEAL = "appeal"
    REFUSAL = "refusal"
    OUT_OF_CONTACT = "out_of_contact"
    OTHER = "other"


class Group(StrEnum):
    """Where the person is met: it decides channel, annex, term and lodging."""

    POLICE = "police"
    COMMUNE = "commune"
    RECEPTION = "reception"


class Story(StrEnum):
    """What lies behind a missed appointment, known at once or after a review."""

    UNDELIVERED = "undelivered"
    JUSTIFIED = "justified"
    WRONG_LANGUAGE = "wrong_language"
    REASON_REFUSED = "reason_refused"
    NEVER_ASKED = "never_asked"
    ASKED_LATER = "asked_later"
    NO_REASON = "no_reason"


@dataclass(frozen=True, slots=True)
class Volumes:
    """Orders a working day at scale 1, and how cases come back."""

    orders_per_working_day: float
    closed_day_factor: float
    repeat_share: float
    reorder_share: float
    reorder_median_days: float
    reorder_sigma: float
    order_after_facts: float


@dataclass(frozen=True, slots=True)
class People:
    """Households and the languages that interpreters are needed for."""

    household: Weighted[HouseholdKind]
    minors: Weighted[int]
    interpreter_share: float
    interpreter: Weighted[str]


@dataclass(frozen=True, slots=True)
class Service:
    """How orders of one group are served. Terms in days."""

    channel: Weighted[NotificationChannel]
    proven: float
    annex: Weighted[Annex]
    term: Weighted[int]
    address_known: float
    lodging: Weighted[Lodging]
    lodging_no_address: Weighted[Lodging]


@dataclass(frozen=True, slots=True)
class TermFigures:
    """Reasons for terms of no days and of fewer than 30."""

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
    """First appointments in days from the notification, follow-ups from the last attempt."""

    share_of_orders: float
    share_when_possible: float
    median_days: float
    sigma: float
    follow_up_median_days: float
    walk_in_share: float


@dataclass(frozen=True, slots=True)
class NoShow:
    """Chances of not coming; ``odds_factor`` multiplies the odds of every one of them."""

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
    """What becomes of a missed appointment. ``review_days``: from first report to correction."""

    story: Weighted[Story]
    delivery_failed: float
    delivery_reviewed: float
    language_reported: float
    accepted_at_once: float
    pending_first: float
    taken_back: float
    reasons: Weighted[Justification]
    review_days: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Interviews:
    """Interviews of a case that came at least once, and how they end."""

    count: Weighted[int]
    ending: Weighted[Ending]
    vulnerability_reviewed: float


@dataclass(frozen=True, slots=True)
class Corrections:
    """Corrections of orders, in days from the notification."""

    address_changed: float
    same_province: float
    address_found: float
    released: float
    within_days: tuple[int, int]


@dataclass(frozen=True, slots=True)
class CircumstanceFigures:
    """One kind of circumstance: how often, when it begins and how long it lasts, in days."""

    guard: Guard
    feed: str
    share: float
    begins: tuple[int, int]
    ends_share: float
    lasts: tuple[int, int]
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
    circumstances: tuple[CircumstanceFigures, ...]
    provenance: tuple[Provenance, ...]
