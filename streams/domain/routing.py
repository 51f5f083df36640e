"""Which office and team follow a case, with the rule that decided.

The order of the rules: detained; return house or open return place; then the place - residence,
else interception - and on it: German-speaking postcode, office of the province, fallback of the
province; last, manual triage. A family with minors goes to the family coach of the office so found.

Province and office are read on the day the order was notified. When no office was open then, or
the one that was has closed since, they are read on the present day: visibly, as another route.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Final, NamedTuple

from schemas.events import HouseholdKind, OqtIssued
from schemas.outcomes import Track
from schemas.types import Language
from streams.domain.clocks import Calendar
from streams.domain.directory.model import Directory, Office


class Route(NamedTuple):
    """Where a case goes and why. ``until`` is when time alone may change it."""

    office_id: str
    track: Track
    language: Language
    interpreter_language: str | None
    rule_id: str
    reason: str
    as_of: datetime
    until: datetime | None = None


_NO_OFFICE: Final = "no_office_open"


class _Place(NamedTuple):
    office: Office | None
    rule_id: str
    reason: str


def route(order: OqtIssued, directory: Directory, calendar: Calendar, now: datetime) -> Route:
    """Return the route of a case under its current order; every order has one."""
    team = directory.teams.get(order.lodging)
    language = _language(order, directory)
    if team is not None:
        return Route(
            team.office_id,
            team.track,
            language,
            order.interpreter_language,
            order.lodging.value.replace("_", "-"),
            f"lodging {order.lodging}",
            order.notified_at,
        )
    day, as_of = calendar.local_date(order.notified_at), order.notified_at
    place = _locate(order, directory, day)
    today = calendar.local_date(now)
    until = directory.next_change(day) if place.office is None else place.office.span.until
    if today > day and (until <= today or place.reason.startswith(_NO_OFFICE)):
        was = f"{place.office.id} has closed" if place.office else "none was open when notified"
        again = _locate(order, directory, today)
        if again.office is not None or place.office is not None:
            place = _Place(again.office, again.rule_id, f"{again.reason}; {was}")
            as_of = calendar.start_of(today)
        until = directory.next_change(today)
    office = place.office
    look_again = None if until == date.max else calendar.start_of(until)
    if office is None:
        return Route(
            directory.triage_office,
            Track.TRIAGE,
            language,
            order.interpreter_language,
            place.rule_id,
            place.reason,
            as_of,
            look_again,
        )
    family = order.household.kind is HouseholdKind.FAMILY_WITH_MINORS
    return Route(
        office.id,
        Track.FAMILY if family else Track.INDIVIDUAL,
        language,
        order.interpreter_language,
        "family-coach" if family else place.rule_id,
        f"{place.rule_id}: {place.reason}" if family else place.reason,
        as_of,
        look_again,
    )


def _locate(order: OqtIssued, directory: Directory, day: date) -> _Place:
    residence, interception = order.residence_postcode, order.interception_postcode
    source = "residence" if residence else "interception"
    code = residence or interception
    if code is None:
        return _Place(None, "triage", "no_postcode")
    postcode = int(code)
    if postcode in directory.german_postcodes:
        office = directory.offices[directory.german_office]
        if office.span.holds(day):
            return _Place(office, "german-speaking", f"{source} {code}, German-speaking")
    province = directory.province_of(postcode, day)
    if province is None:
        return _Place(None, "triage", f"postcode_unknown: {source} {code}")
    for rule_id, lines in (("province", directory.coverage), ("fallback", directory.fallback)):
        found = directory.open_office(lines, province, day)
        if found is not None:
            rule = rule_id if residence else f"interception-{rule_id}"
            return _Place(found, rule, f"{source} {code} in {province}")
    return _Place(None, "triage", f"{_NO_OFFICE}: {source} {code} in {province}")


def _language(order: OqtIssued, directory: Directory) -> Language:
    code = order.residence_postcode or order.interception_postcode
    if code is None:
        return order.language
    postcode = int(code)
    honoured = directory.facilities.get(postcode, frozenset())
    if postcode in directory.german_postcodes:
        return order.language if order.language in honoured else Language.DE
    territory = directory.territory_of(postcode)
    if territory is None:
        return order.language
    return order.language if order.language in honoured | territory.honours else territory.language
