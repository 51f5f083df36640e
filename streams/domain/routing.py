"""Find the office and the team that follow a case, with the rule that decided.

The rules apply in this order:

1. detained;
2. return house or open return place;
3. the office that held an interview or planned an appointment last, after the order was notified
   and after the person moved;
4. the postcode of the residence, or else of the interception: the office of the commune, a
   German-speaking postcode, then the office of the province, then the fallback office;
5. manual triage.

A family with minors goes to the family coach of the office found in step 3 or 4, an unaccompanied
minor to the person there who works with the guardianship service.

In step 4, place and office are looked up for the day on which the order was notified, or on which
the residence changed. They are looked up for today if no office was open then, if that office has
closed since, or if an office that opened since covers the place. If only the territories changed,
the case stays where it is. The reason of the route says which of these applies, and why an office
that an event names does not follow the case.

A person without a known address comes to a counter [DVZ-AMIF]: the reason names it with its hours.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Final, NamedTuple, final

from schemas.events import HouseholdKind, Lodging, OqtIssued
from schemas.outcomes import Track
from schemas.types import Language
from streams.domain.clocks import Calendar
from streams.domain.directory.model import Directory, Office
from streams.domain.orders import postcode_number


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


@final
class Place:
    """What a route depends on: the order, lodging and residence in force, who follows the case."""

    order: Final[OqtIssued]
    lodging: Final[Lodging]
    residence_postcode: Final[str | None]
    residence_since: Final[datetime]
    followed: Final[Followed | None]

    def __init__(
        self,
        order: OqtIssued,
        lodging: Lodging,
        residence_postcode: str | None,
        residence_since: datetime,
        followed: Followed | None = None,
    ) -> None:
        self.order = order
        self.lodging = lodging
        self.residence_postcode = residence_postcode
        self.residence_since = residence_since
        self.followed = followed

    @classmethod
    def of(cls, order: OqtIssued) -> Place:
        """Return the place of a case of which only the order is known."""
        since = max(order.residence_since or order.notified_at, order.notified_at)
        return cls(order, order.lodging, order.residence_postcode, since)

    @property
    def postcode(self) -> str | None:
        """Postcode of the residence, or else of the interception."""
        return self.residence_postcode or self.order.interception_postcode


@final
class _Location:
    """Office found for a postcode, with the rule and the facts. Without an office: triage."""

    office: Final[Office | None]
    rule_id: Final[str]
    facts: Final[str]
    change: Final[str]
    """What changed since the case began; empty if nothing did."""
    today: Final[bool]
    """Whether the office was looked up for today."""

    def __init__(
        self, office: Office | None, rule_id: str, facts: str, change: str = "", today: bool = False
    ) -> None:
        self.office = office
        self.rule_id = rule_id
        self.facts = facts
        self.change = change
        self.today = today

    @property
    def reason(self) -> str:
        """Return the facts and the change."""
        return f"{self.facts}; {self.change}" if self.change else self.facts

    def changed(self, change: str, *, today: bool) -> _Location:
        """Return the same location with what changed since the case began."""
        return _Location(self.office, self.rule_id, self.facts, change, today)


def find_route(place: Place, directory: Directory, calendar: Calendar, now: datetime) -> Route:
    """Return the route of a case at ``now``. Every case with an order has a route."""
    order, followed = place.order, place.followed
    team = directory.teams.get(place.lodging)
    language = contact_language(order, place.residence_postcode, directory)
    if team is not None:
        reason = f"lodging {place.lodging}"
        if followed is not None and followed.office_id != team.office_id:
            reason += f"; {followed.rule_id} {followed.office_id} {_OTHER_LODGING}"
        return Route(
            team.office_id,
            team.track,
            language,
            order.interpreter_language,
            place.lodging.value.replace("_", "-"),
            reason,
            order.notified_at,
        )
    day, today = calendar.local_date(place.residence_since), calendar.local_date(now)
    location = _locate(place, directory, day, today)
    as_of = calendar.start_of(today) if location.today else place.residence_since
    office, rule_id, reason = location.office, location.rule_id, location.reason
    until = _until(place, directory, day, max(day, today), office)
    if followed is not None:
        following = directory.office_of(followed.office_id)
        if following is None or following is not office:
            refusal = _refusal(place, followed, following, directory, today)
            if refusal:
                reason += f"; {followed.rule_id} {followed.office_id} {refusal}"
                if following is not None and today < following.span.since:
                    until = min(until, following.span.since)
            elif following is not None:
                reason = _following(followed, following, location)
                rule_id, as_of = followed.rule_id, max(place.residence_since, followed.since)
                office, until = following, following.span.until
    if place.residence_postcode is None:
        reason += _counter(place, directory, office, today)
    changes_at = None if until == date.max else calendar.start_of(until)
    if office is None:
        return Route(
            directory.triage_office,
            Track.TRIAGE,
            language,
            order.interpreter_language,
            rule_id,
            reason,
            as_of,
            changes_at,
        )
    track, household_rule = _TRACKS.get(order.household.kind, (Track.INDIVIDUAL, rule_id))
    return Route(
        office.id,
        track,
        language,
        order.interpreter_language,
        household_rule,
        reason if household_rule == rule_id else f"{rule_id}: {reason}",
        as_of,
        changes_at,
    )


_OTHER_LODGING: Final = "not for this lodging"


def _refusal(
    place: Place,
    followed: Followed,
    following: Office | None,
    directory: Directory,
    today: date,
) -> str:
    """Return why the office of an interview or appointment does not follow; empty if it does."""
    if following is None:
        teams = {team.office_id for team in directory.teams.values()}
        return _OTHER_LODGING if followed.office_id in teams else "not in the directory"
    if followed.since < place.residence_since:
        moved = place.residence_since > place.order.notified_at
        return "before the move" if moved else "before the order"
    return "" if following.span.includes(today) else "not open"


def _following(followed: Followed, office: Office, location: _Location) -> str:
    """Return the reason why an office follows a case, and which one would do so otherwise."""
    by = f", by {followed.office_id}" if followed.office_id != office.id else ""
    otherwise = f", covered by {location.office.id}" if location.office is not None else ""
    return f"{office.id} follows the case{by}; {location.facts}{otherwise}"


def _until(
    place: Place, directory: Directory, day: date, today: date, office: Office | None
) -> date:
    """Return the first day after ``today`` on which another office covers the place."""
    for change in directory.changes_after(today):
        if _locate(place, directory, day, change).office is not office:
            return change
    return date.max


def _locate(place: Place, directory: Directory, day: date, today: date) -> _Location:
    """Return the location on ``today`` of a case that began on ``day``."""
    location = _locate_on(place, directory, day)
    if today <= day or not directory.changes_between(day, today):
        return location
    present = _locate_on(place, directory, today)
    before, after = location.office, present.office
    if before is after:
        return location
    if before is None:
        return present.changed("none was open when notified", today=True)
    if not before.span.includes(today):
        return present.changed(f"{before.id} has closed", today=True)
    if after is None:
        return location
    if after.span.since > day:
        return present.changed(f"{after.id} has opened", today=True)
    return location.changed(f"{after.id} covers later cases", today=False)


def _locate_on(place: Place, directory: Directory, day: date) -> _Location:
    code, residence = place.postcode, place.residence_postcode is not None
    if code is None:
        return _Location(None, "triage", "no_postcode")
    facts = f"{'residence' if residence else 'interception'} {code}"
    postcode = postcode_number(code)
    if postcode is None:
        return _Location(None, "triage", f"postcode_foreign: {facts}")
    province = directory.province_of(postcode, day)
    if province is None:
        return _Location(None, "triage", f"postcode_unknown: {facts}")
    by = "" if residence else "interception-"
    line = directory.line_for(directory.coverage, postcode, province, day)
    if line is not None and line.ranges:
        office = directory.offices[line.office_id]
        return _Location(office, f"{by}commune", f"{facts}, postcodes {line.area}")
    if postcode in directory.german_postcodes:
        office = directory.offices[directory.german_office]
        if office.span.includes(day):
            return _Location(office, "german-speaking", f"{facts}, German-speaking")
    rule_id = "province"
    if line is None:
        line = directory.line_for(directory.fallback, postcode, province, day)
        rule_id = "fallback"
    if line is None:
        return _Location(None, "triage", f"{_NO_OFFICE}: {facts} in {province}")
    return _Location(directory.offices[line.office_id], f"{by}{rule_id}", f"{facts} in {province}")


def _counter(place: Place, directory: Directory, office: Office | None, day: date) -> str:
    """Return the counter to which a person without a known address comes, as a reason."""
    code = place.postcode
    office_id = directory.triage_office if office is None else office.id
    postcode = None if code is None else postcode_number(code)
    counter = directory.counter_of(office_id, postcode, day)
    return "" if counter is None else f"; counter {counter.id} {counter.hours}"


def contact_language(
    order: OqtIssued, residence_postcode: str | None, directory: Directory
) -> Language:
    """Return the language in which a person with this residence is contacted under an order."""
    code = residence_postcode or order.interception_postcode
    if code is None:
        return order.language
    postcode = postcode_number(code)
    if postcode is None:
        return order.language
    honoured = directory.facilities.get(postcode, frozenset())
    if postcode in directory.german_postcodes:
        return order.language if order.language in honoured else Language.DE
    territory = directory.territory_of(postcode)
    if territory is None:
        return order.language
    return order.language if order.language in honoured | territory.honours else territory.language
