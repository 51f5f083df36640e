"""Find the office and the team that follow a case, with the rule that decided.

The rules apply in this order:

1. detained;
2. return house or open return place;
3. the postcode of the residence, or else of the interception: a German-speaking postcode, then the
   office of the province, then the fallback office of the province;
4. manual triage.

A family with minors goes to the family coach of the office found in step 3, an unaccompanied minor
to the person there who works with the guardianship service.

Province and office are looked up for the day on which the order was notified, or on which the
residence changed. If no office was open then, or that office has closed since, they are looked up
for today, and the reason of the route says so.

An interview held or an appointment planned at another office after that day moves the case there:
that office follows the person. If it is not in the directory or not open, the route says why not.
"""

from __future__ import annotations

import re
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


class Followed(NamedTuple):
    """The office that held an interview or planned an appointment last, and when."""

    office_id: str
    since: datetime
    rule_id: str
    """``interview-office`` or ``appointment-office``."""


class Place(NamedTuple):
    """What a route depends on: the order, the residence and since when, who follows the case."""

    order: OqtIssued
    residence_postcode: str | None
    residence_since: datetime
    followed: Followed | None = None

    @classmethod
    def of(cls, order: OqtIssued) -> Place:
        """Return the place of a case of which only the order is known."""
        since = order.residence_since or order.notified_at
        return cls(order, order.residence_postcode, since)


_BELGIAN: Final = re.compile(r"[1-9][0-9]{3}")


def _number(code: str) -> int | None:
    """Return a Belgian postcode as a number, or None for a foreign one."""
    return int(code) if _BELGIAN.fullmatch(code) else None


class _Location(NamedTuple):
    """Office found for a postcode, with the rule and the reason. Without an office: triage."""

    office: Office | None
    rule_id: str
    reason: str


def find_route(place: Place, directory: Directory, calendar: Calendar, now: datetime) -> Route:
    """Return the route of a case under its current order. Every order has a route."""
    order = place.order
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
    day, as_of = calendar.local_date(place.residence_since), place.residence_since
    location = _locate(place, directory, day)
    today = calendar.local_date(now)
    until = directory.next_change(day) if location.office is None else location.office.span.until
    if today > day and (until <= today or location.reason.startswith(_NO_OFFICE)):
        change = (
            f"{location.office.id} has closed" if location.office else "none was open when notified"
        )
        relocated = _locate(place, directory, today)
        if relocated.office is not None or location.office is not None:
            location = _Location(
                relocated.office, relocated.rule_id, f"{relocated.reason}; {change}"
            )
            as_of = calendar.start_of(today)
        until = directory.next_change(today)
    if place.followed is not None and place.followed.since >= place.residence_since:
        location, until = _follow(place.followed, location, directory, today, until)
        as_of = max(as_of, place.followed.since) if _follows(location) else as_of
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


_FOLLOWING: Final = ("interview-office", "appointment-office")


def _follows(location: _Location) -> bool:
    return location.rule_id in _FOLLOWING


def _follow(
    followed: Followed, location: _Location, directory: Directory, today: date, until: date
) -> tuple[_Location, date]:
    """Return the office that follows the person, or the same location with the reason why not."""
    name = followed.office_id
    if location.office is not None and location.office.id == name:
        return location, until
    if name in {team.office_id for team in directory.teams.values()}:
        return location, until
    office = directory.offices.get(name)
    if office is None:
        why = f"{followed.rule_id} {name} not in the directory"
    elif not office.span.includes(today):
        why = f"{followed.rule_id} {name} not open"
    else:
        reason = f"{name} follows the case; {location.reason}"
        return _Location(office, followed.rule_id, reason), office.span.until
    return location._replace(reason=f"{location.reason}; {why}"), until


def _locate(place: Place, directory: Directory, day: date) -> _Location:
    residence, interception = place.residence_postcode, place.order.interception_postcode
    source = "residence" if residence else "interception"
    code = residence or interception
    if code is None:
        return _Location(None, "triage", "no_postcode")
    postcode = _number(code)
    if postcode is None:
        return _Location(None, "triage", f"postcode_foreign: {source} {code}")
    if postcode in directory.german_postcodes:
        office = directory.offices[directory.german_office]
        if office.span.includes(day):
            return _Location(office, "german-speaking", f"{source} {code}, German-speaking")
    province = directory.province_of(postcode, day)
    if province is None:
        return _Location(None, "triage", f"postcode_unknown: {source} {code}")
    for rule_id, lines in (("province", directory.coverage), ("fallback", directory.fallback)):
        covering = directory.open_office(lines, province, day, postcode)
        if covering is not None:
            rule = rule_id if residence else f"interception-{rule_id}"
            reason = f"{source} {code} in {province}"
            counters = () if residence else directory.counters_of(covering.id, postcode, day)
            if counters:  # without a known address the person comes to a counter
                reason += f"; counter {counters[0].id}"
            return _Location(covering, rule, reason)
    return _Location(None, "triage", f"{_NO_OFFICE}: {source} {code} in {province}")


def contact_language(order: OqtIssued, directory: Directory) -> Language:
    """Return the language in which the person is contacted under an order."""
    code = order.residence_postcode or order.interception_postcode
    if code is None:
        return order.language
    postcode = _number(code)
    if postcode is None:
        return order.language
    honoured = directory.facilities.get(postcode, frozenset())
    if postcode in directory.german_postcodes:
        return order.language if order.language in honoured else Language.DE
    territory = directory.territory_of(postcode)
    if territory is None:
        return order.language
    return order.language if order.language in honoured | territory.honours else territory.language
