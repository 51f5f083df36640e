"""Beginnings of cases from which tests walk through the years."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from schemas.codes import Guard, Language
from schemas.events import (
    CircumstanceOutcome,
    Conclusion,
    Household,
    HouseholdKind,
    Lodging,
    Notification,
    NotificationChannel,
    ReviewDecision,
)
from streams.domain.case import Fact
from tests.domain.given import (
    FAMILY,
    appointment,
    checked,
    circumstance,
    interview,
    miss,
    order,
    planned,
    reviewed,
)
from tests.domain.life.history import on

ASYLUM, IDENTITY = Guard.ASYLUM_REQUEST_PENDING, Guard.IDENTITY_DOUBT
HANDED_OVER = reviewed(ReviewDecision.HANDED_TO_IMMIGRATION_OFFICE, on("3 April"))
THREE = [order(), *checked(), miss(1), miss(2), miss(3)]
UNPROVEN = Notification(channel=NotificationChannel.REGISTERED_POST, proven=False)


def _asylum(outcome: CircumstanceOutcome | None) -> list[Fact]:
    return [
        circumstance(ASYLUM, effective_at=on("2 March")),
        circumstance(ASYLUM, ends=True, effective_at=on("9 March"), outcome=outcome),
    ]


BEGINNINGS: Mapping[str, Sequence[Fact]] = {
    "an order and nothing else": [order()],
    "a date that nobody reported": [order(first_appointment=appointment(on("10 March")))],
    "one interview": [order(), interview()],
    "one absence": [order(), miss(1)],
    "three absences": THREE,
    "three absences that call for a measure": [
        *THREE,
        reviewed(ReviewDecision.LESS_COERCIVE_MEASURE, on("3 April")),
    ],
    "three absences that call for an address check": [
        *THREE,
        reviewed(ReviewDecision.ADDRESS_CHECK, on("3 April")),
    ],
    "a return accepted": [order(), interview(conclusion=Conclusion.VOLUNTARY_RETURN_ACCEPTED)],
    "a return refused": [
        order(),
        *checked(),
        interview(conclusion=Conclusion.VOLUNTARY_RETURN_REFUSED),
    ],
    "a residence prospect": [order(), interview(conclusion=Conclusion.RESIDENCE_PROSPECT)],
    "in detention": [order(lodging=Lodging.DETAINED)],
    "released": [
        order(lodging=Lodging.DETAINED),
        order(lodging_since=on("30 March"), time=on("30 March")),
    ],
    "a minor": [order(household=Household(kind=HouseholdKind.UNACCOMPANIED_MINOR))],
    "a detained family": [order(household=FAMILY, lodging=Lodging.DETAINED)],
    "an asylum request": [order(), circumstance(ASYLUM, effective_at=on("2 March"))],
    "a decision that nobody reported": [order(), *_asylum(None)],
    "a residence right": [order(), *_asylum(CircumstanceOutcome.GRANTED)],
    "a contradiction": [
        order(),
        circumstance(IDENTITY, effective_at=on("10 March")),
        circumstance(IDENTITY, ends=True, effective_at=on("9 March")),
    ],
    "no order": [miss(1)],
    "a notification in the future": [order(notified_at=on("1 December"), time=on("2 March"))],
    "a notification without proof": [order(notification=UNPROVEN)],
    "handed over": [*THREE, HANDED_OVER],
    "an impossible date": [order(), planned(on("1 March 2029"), time=on("3 March"))],
    "an appointment in ten weeks": [order(), planned(on("11 May"), time=on("3 March"))],
    "a return accepted without proof of notification": [
        order(notification=UNPROVEN),
        interview(conclusion=Conclusion.VOLUNTARY_RETURN_ACCEPTED),
    ],
    "no address": [order(residence_postcode=None, lodging=Lodging.NONE)],
    "an invitation in another language": [order(), miss(1, language=Language.FR)],
}
"""Facts of a case up to the spring of 2026, by what they tell."""
