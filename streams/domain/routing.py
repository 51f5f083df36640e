"""Find the office and the team that follow a case, with the rule that decided.

The rules apply in this order:

1. detained;
2. return house or open return place;
3. the postcode of the residence, or else of the interception: a German-speaking postcode, then the
   office of the province, then the fallback office of the province;
4. manual triage.

A family with minors goes to the family coach of the office found in step 3, an unaccompanied minor
to the person there who works with the guardianship service.

Province and office are looked up for the day on which the order was notified. If no office was open
then, or that office has closed since, they are looked up for today, and the reason of the route
says so.
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
    """Route of a case and its reason. Time alone may change the route at ``until``."""

    office_id: str
    track: Track
    language: Language
    interpreter_language: str | None
    rule_id: str
    reason: str
    as_of: datetime
    until: datetime | None = None


_NO_OFFICE: Final = "no_office_open"
_TRACKS: Final = {
    HouseholdKind.FAMILY_WITH_MINORS: (Track.FAMILY, "family-coach"),
    HouseholdKind.UNACCOMPANIED_MINOR: (Track.MINOR, "unaccompanied-minor"),
}
"""Team and rule of households that no individual coach follows."""


class _Location(NamedTuple):
    """Office found for a postcode, with the rule and the reason. Without an office: triage."""

    office: Office | None
    rule_id: str
    reason: str


def find_route(order: OqtIssued, directory: Directory, calendar: Calendar, now: datetime) -> Route:
    """Return the route of a case under its current order. Every order has a route."""
    team = directory.teams.get(order.lodging)
    language = contact_language(order, directory)
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
    location = _locate(order, directory, day)
    today = calendar.local_date(now)
    until = directory.next_change(day) if location.office is None else location.office.span.until
    if today > day and (until <= today or location.reason.startswith(_NO_OFFICE)):
        change = (
            f"{location.office.id} has closed" if location.office else "none was open when notified"
        )
        relocated = _locate(order, directory, today)
        if relocated.office is not None or location.office is not None:
            location = _Location(
                relocated.office, relocated.rule_id, f"{relocated.reason}; {change}"
            )
            as_of = calendar.start_of(today)
        until = directory.next_change(today)
    office = location.office
    changes_at = None if until == date.max else calendar.start_of(until)
    if office is None:
        return Route(
            directory.triage_office,
            Track.TRIAGE,
            language,
            order.interpreter_language,
            location.rule_id,
            location.reason,
            as_of,
            changes_at,
        )
    track, rule_id = _TRACKS.get(order.household.kind, (Track.INDIVIDUAL, location.rule_id))
    by_household = rule_id != location.rule_id
    return Route(
        office.id,
        track,
        language,
        order.interpreter_language,
        rule_id,
        f"{location.rule_id}: {location.reason}" if by_household else location.reason,
        as_of,
        changes_at,
    )


def _locate(order: OqtIssued, directory: Directory, day: date) -> _Location:
    residence, interception = order.residence_postcode, order.interception_postcode
    source = "residence" if residence else "interception"
    code = residence or interception
    if code is None:
        return _Location(None, "triage", "no_postcode")
    postcode = int(code)
    if postcode in directory.german_postcodes:
        office = directory.offices[directory.german_office]
        if office.span.includes(day):
            return _Location(office, "german-speaking", f"{source} {code}, German-speaking")
    province = directory.province_of(postcode, day)
    if province is None:
        return _Location(None, "triage", f"postcode_unknown: {source} {code}")
    for rule_id, lines in (("province", directory.coverage), ("fallback", directory.fallback)):
        covering = directory.open_office(lines, province, day)
        if covering is not None:
            rule = rule_id if residence else f"interception-{rule_id}"
            return _Location(covering, rule, f"{source} {code} in {province}")
    return _Location(None, "triage", f"{_NO_OFFICE}: {source} {code} in {province}")


def contact_language(order: OqtIssued, directory: Directory) -> Language:
    """Return the language in which the person is contacted under an order."""
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
