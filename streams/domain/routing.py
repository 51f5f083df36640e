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

The directory may name several offices for a place, or several teams for a lodging: they are
equally proper. A case stays with the one that has it. Routed anew, it goes to the one with the
skills that it needs (a family coach, an interpreter), then to the one with room. Place and language
come first: room never brings a case to an office that the directory does not name for the place.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime
from typing import Final, NamedTuple, final

from schemas.codes import Language
from schemas.events import HouseholdKind, Lodging, OqtIssued
from schemas.outcomes import CaseRouted, RouteRef, Track
from streams.domain.clocks import Calendar
from streams.domain.directory.model import MOST_PLACES, Directory, Office
from streams.domain.loads import Loads, Need, best_of
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
    candidates: tuple[str, ...] = ()
    """The equally proper offices, this one included."""

    @property
    def need(self) -> Need:
        """Return what the case asks of its office."""
        return Need(self.track, self.interpreter_language)


_NO_OFFICE: Final = "no_office_open"
_TRACKS: Final = {
    HouseholdKind.FAMILY_WITH_MINORS: (Track.FAMILY, "family-coach"),
    HouseholdKind.UNACCOMPANIED_MINOR: (Track.MINOR, "unaccompanied-minor"),
}
"""Team and rule of households that no individual coach follows."""


@final
class Followed:
    """The office that held an interview or planned an appointment last, and when."""

    office_id: Final[str]
    since: Final[datetime]
    rule_id: Final[str]
    """``interview-office`` or ``appointment-office``."""

    def __init__(self, office_id: str, since: datetime, rule_id: str) -> None:
        self.office_id = office_id
        self.since = since
        self.rule_id = rule_id


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
    """Offices found for a postcode, with the rule and the facts. Without an office: triage."""

    offices: Final[tuple[Office, ...]]
    rule_id: Final[str]
    facts: Final[str]
    change: Final[str]
    """What changed since the case began; empty if nothing did."""
    today: Final[bool]
    """Whether the offices were looked up for today."""

    def __init__(
        self,
        offices: tuple[Office, ...],
        rule_id: str,
        facts: str,
        change: str = "",
        today: bool = False,
    ) -> None:
        self.offices = offices
        self.rule_id = rule_id
        self.facts = facts
        self.change = change
        self.today = today

    @property
    def reason(self) -> str:
        """Return the facts and the change."""
        facts, offices = self.facts, self.offices
        if len(offices) > 1:
            facts += _one_of([office.id for office in offices])
        return f"{facts}; {self.change}" if self.change else facts

    def changed(
        self, change: str, *, today: bool, offices: tuple[Office, ...] | None = None
    ) -> _Location:
        """Return the same location with what changed since the case began."""
        kept = self.offices if offices is None else offices
        return _Location(kept, self.rule_id, self.facts, change, today)


def _one_of(office_ids: Sequence[str]) -> str:
    return f", one of {'+'.join(office_ids)}" if len(office_ids) > 1 else ""


def find_route(
    place: Place,
    directory: Directory,
    calendar: Calendar,
    now: datetime,
    current: RouteRef | None = None,
    loads: Loads | None = None,
) -> Route:
    """Return the route of a case at ``now``. Every case with an order has a route.

    ``current`` is the route that was announced last. ``loads`` decides between equally proper
    offices if none of them has the case; without it the first one does. Asked again with its own
    answer as ``current``, with or without ``loads``, the function gives the same answer.
    """
    order, followed = place.order, place.followed
    teams = directory.teams.get(place.lodging)
    language = contact_language(order, place.residence_postcode, directory)
    interpreter = order.interpreter_language
    if teams is not None:
        names = tuple(team.office_id for team in teams)
        reason = f"lodging {place.lodging}{_one_of(names)}"
        proper = names
        if followed is not None and followed.office_id not in names:
            reason += f"; {followed.rule_id} {followed.office_id} {_OTHER_LODGING}"
        elif followed is not None and followed.since >= place.residence_since:
            proper = (followed.office_id,)
        track = teams[0].track
        return Route(
            _pick(proper, Need(track, interpreter), current, loads),
            track,
            language,
            interpreter,
            place.lodging.value.replace("_", "-"),
            reason,
            order.notified_at,
            candidates=proper,
        )
    day, today = calendar.local_date(place.residence_since), calendar.local_date(now)
    location, until = _located(place, directory, day, today)
    as_of = calendar.start_of(today) if location.today else place.residence_since
    offices, rule_id, reason = location.offices, location.rule_id, location.reason
    if followed is not None:
        following = directory.office_of(followed.office_id)
        refusal = _refusal(place, followed, following, directory, today)
        if following is not None and following in offices:
            if not refusal:
                offices = (following,)
        elif refusal:
            reason += f"; {followed.rule_id} {followed.office_id} {refusal}"
            if following is not None and today < following.span.since:
                until = min(until, following.span.since)
        elif following is not None:
            reason = _following(followed, following, location)
            rule_id, as_of = followed.rule_id, max(place.residence_since, followed.since)
            offices, until = (following,), following.span.until
    track, household_rule = _TRACKS.get(order.household.kind, (Track.INDIVIDUAL, rule_id))
    if len(offices) == 1:
        office_id = offices[0].id
        candidates: tuple[str, ...] = (office_id,)
    elif offices:
        candidates = tuple([office.id for office in offices])
        office_id = _pick(candidates, Need(track, interpreter), current, loads)
    else:
        candidates = ()
        office_id, track, household_rule = directory.triage_office, Track.TRIAGE, rule_id
    if place.residence_postcode is None:
        reason += _counter(place, directory, office_id, today)
    return Route(
        office_id,
        track,
        language,
        interpreter,
        household_rule,
        reason if household_rule == rule_id else f"{rule_id}: {reason}",
        as_of,
        None if until == date.max else calendar.start_of(until),
        candidates,
    )


def _pick(offices: Sequence[str], need: Need, current: RouteRef | None, loads: Loads | None) -> str:
    """Return the office of several equally proper ones that follows a case.

    The one that has the case keeps it, unless the case has come to need a skill that it lacks and
    another one has.
    """
    if len(offices) == 1:
        return offices[0]
    kept = None
    if current is not None and current.track is not Track.TRIAGE and current.office_id in offices:
        kept = current.office_id
        if loads is None or need == Need(current.track, current.interpreter_language):
            return kept
    if loads is None:
        return offices[0]
    best = best_of([loads.of(name, need) for name in offices])
    if kept is not None and len(loads.of(kept, need).skills_missing) <= len(best.skills_missing):
        return kept
    return best.office_id


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
        teams = {team.office_id for team in directory.all_teams}
        return _OTHER_LODGING if followed.office_id in teams else "not in the directory"
    if followed.since < place.residence_since:
        moved = place.residence_since > place.order.notified_at
        return "before the move" if moved else "before the order"
    return "" if following.span.includes(today) else "not open"


def _following(followed: Followed, office: Office, location: _Location) -> str:
    """Return the reason why an office follows a case, and which one would do so otherwise."""
    by = f", by {followed.office_id}" if followed.office_id != office.id else ""
    otherwise = f", covered by {_ids(location.offices)}" if location.offices else ""
    return f"{office.id} follows the case{by}; {location.facts}{otherwise}"


def _located(place: Place, directory: Directory, day: date, today: date) -> tuple[_Location, date]:
    """Return the location, and the first later day on which other offices cover the place."""
    first = directory.period_of(day)
    later = first if today <= day else directory.period_of(today)
    key = (place.postcode, place.residence_postcode is not None, first, later)
    located = directory.places.located
    found: tuple[_Location, date] | None = located.get(key)
    if found is None:
        location = _locate(place, directory, day, today)
        found = location, _until(place, directory, day, max(day, today), location.offices)
        if len(located) >= MOST_PLACES:
            located.clear()
        located[key] = found
    return found


def _until(
    place: Place, directory: Directory, day: date, today: date, offices: tuple[Office, ...]
) -> date:
    """Return the first day after ``today`` on which other offices cover the place."""
    for change in directory.changes_after(today):
        if _locate(place, directory, day, change).offices != offices:
            return change
    return date.max


def _ids(offices: Sequence[Office]) -> str:
    return "+".join(office.id for office in offices)


def _said(offices: Sequence[Office], change: str) -> str:
    return "; ".join(f"{office.id} {change}" for office in offices)


def _locate(place: Place, directory: Directory, day: date, today: date) -> _Location:
    """Return the location on ``today`` of a case that began on ``day``."""
    location = _locate_on(place, directory, day)
    if today <= day or not directory.changes_between(day, today):
        return location
    present = _locate_on(place, directory, today)
    before, after = location.offices, present.offices
    if before == after:
        return location
    if not before:
        return present.changed("none was open when notified", today=True)
    still = tuple(office for office in before if office.span.includes(today))
    if not still:
        return present.changed(_said(before, "has closed"), today=True)
    if not after:
        return location.changed("", today=False, offices=still)
    opened = [office for office in after if office.span.since > day and office not in before]
    if opened:
        return present.changed(_said(opened, "has opened"), today=True)
    if still == after:
        closed = [office for office in before if office not in still]
        return location.changed(_said(closed, "has closed"), today=False, offices=still)
    later = [office for office in after if office not in still]
    return location.changed(_said(later, "covers later cases"), today=False, offices=still)


def _locate_on(place: Place, directory: Directory, day: date) -> _Location:
    code, residence = place.postcode, place.residence_postcode is not None
    if code is None:
        return _Location((), "triage", "no_postcode")
    facts = f"{'residence' if residence else 'interception'} {code}"
    postcode = postcode_number(code)
    if postcode is None:
        return _Location((), "triage", f"postcode_foreign: {facts}")
    province = directory.province_of(postcode, day)
    if province is None:
        return _Location((), "triage", f"postcode_unknown: {facts}")
    by = "" if residence else "interception-"
    line = directory.line_for(postcode, province, day)
    if line is not None and line.ranges:
        offices = directory.offices_of(line, day)
        return _Location(offices, f"{by}commune", f"{facts}, postcodes {line.area}")
    if postcode in directory.german_postcodes:
        office = directory.offices[directory.german_office]
        if office.span.includes(day):
            return _Location((office,), "german-speaking", f"{facts}, German-speaking")
    rule_id = "province"
    if line is None:
        line = directory.line_for(postcode, province, day, fallback=True)
        rule_id = "fallback"
    if line is None:
        return _Location((), "triage", f"{_NO_OFFICE}: {facts} in {province}")
    offices = directory.offices_of(line, day)
    return _Location(offices, f"{by}{rule_id}", f"{facts} in {province}")


def _counter(place: Place, directory: Directory, office_id: str, day: date) -> str:
    """Return the counter to which a person without a known address comes, as a reason."""
    code = place.postcode
    postcode = None if code is None else postcode_number(code)
    counter = directory.counter_of(office_id, postcode, day)
    return "" if counter is None else f"; counter {counter.id} {counter.hours}"


_PLACE_IN: Final = re.compile(r"(?:residence|interception) [^,;]*? in ")
_PLACE: Final = re.compile(r"(?:: |^)?(?:residence|interception) [^,;]+(?:, )?")
_COUNTER: Final = re.compile(r"; counter [^;]*")


def reason_without_place(reason: str) -> str:
    """Return the reason of a route without the postcode, so that equal reasons can be counted."""
    return _PLACE.sub("", _PLACE_IN.sub("", _COUNTER.sub("", reason)))


def route_ref(announced: CaseRouted) -> RouteRef:
    """Return the route that a message announces, as the next decision refers to it."""
    return RouteRef(
        order_id=announced.order_id,
        office_id=announced.office_id,
        track=announced.track,
        language=announced.language,
        interpreter_language=announced.interpreter_language,
        rule_id=announced.rule_id,
    )


def contact_language(
    order: OqtIssued, residence_postcode: str | None, directory: Directory
) -> Language:
    """Return the language in which a person with this residence is contacted under an order."""
    code, language = residence_postcode or order.interception_postcode, order.language
    if code is None:
        return language
    languages = directory.places.languages
    found = languages.get((language, code))
    if found is None:
        found = _contact_language(language, code, directory)
        if len(languages) >= MOST_PLACES:
            languages.clear()
        languages[language, code] = found
    return found


def _contact_language(language: Language, code: str, directory: Directory) -> Language:
    postcode = postcode_number(code)
    if postcode is None:
        return language
    honoured = directory.facilities.get(postcode, frozenset())
    if postcode in directory.german_postcodes:
        return language if language in honoured else Language.DE
    territory = directory.territory_of(postcode)
    if territory is None:
        return language
    accepted = language in honoured or language in territory.honours
    return language if accepted else territory.language
