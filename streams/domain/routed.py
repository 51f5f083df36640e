"""Say whether the route of a case must be announced, and announce it.

Only what routes and explains may read the language and the interpreter of a person.
"""

from __future__ import annotations

from typing import Final

from schemas.outcomes import CaseRouted, RouteRef
from schemas.types import unvalidated
from streams.domain.case import Case
from streams.domain.decision import Announced, Announcement
from streams.domain.directory.model import Directory
from streams.domain.identity import name_id
from streams.domain.loads import NO_CHOICE, Choice, Loads, choice_of
from streams.domain.routing import Followed, Route
from streams.domain.situation import Situation

_routed: Final = unvalidated(CaseRouted)


def followed(situation: Situation) -> Followed | None:
    """Return the office that held an interview or planned an appointment last."""
    found: Followed | None = None
    if situation.interviews:
        event = situation.interviews[-1].event
        found = Followed(event.office_id, event.held_at, "interview-office")
    for one in situation.appointments.known:
        planned_at = one.fact.time
        newer = found is None or planned_at > found.since
        if newer and one.takes_place and planned_at <= situation.now:
            found = Followed(one.office_id, planned_at, "appointment-office")
    return found


def differs(route: Route, order_id: str, previous: RouteRef | None) -> bool:
    """Return whether a route must be announced. Another rule with the same result need not."""
    return previous is None or not (
        previous.order_id == order_id
        and previous.office_id == route.office_id
        and previous.track == route.track
        and previous.language == route.language
        and previous.interpreter_language == route.interpreter_language
    )


def choice_for(route: Route, loads: Loads | None) -> Choice:
    """Return what a route was chosen by; nothing if there was only one office, or no loads."""
    if loads is None or not route.candidates:
        return NO_CHOICE
    return choice_of(route.office_id, route.candidates, route.need, loads)


def announce_route(
    case: Case,
    order_id: str,
    route: Route,
    announced: Announced,
    directory: Directory,
    choice: Choice,
) -> Announcement:
    """Announce the office and track of a case, and by what they were chosen."""
    outcome = _routed(
        case_id=case.case_id,
        order_id=order_id,
        office_id=route.office_id,
        track=route.track,
        language=route.language,
        interpreter_language=route.interpreter_language,
        rule_id=route.rule_id,
        reason=route.reason,
        as_of=route.as_of,
        directory_version=directory.version,
        directory_digest=directory.digest,
        previous=announced.route,
        office_full=choice.office_full,
        skills_missing=choice.skills_missing,
        candidates=choice.candidates,
    )
    return Announcement(name_id(f"{case.case_id}|routed|{announced.routings + 1}"), outcome)
