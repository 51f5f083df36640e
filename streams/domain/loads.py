"""How many cases each team follows and could follow, and which skills it has: one reading.

Handed in like the clock. It matters only when a case is routed anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Final, NamedTuple, final

from schemas.canary import is_canary
from schemas.outcomes import CaseRouted, OfficeLoad, Outcome, Track
from schemas.types import unvalidated
from streams.domain.staffing import Staffing, TeamKey

INTERPRETER: Final = "interpreter:"
"""Prefix of the skill to interpret into a language."""
_office_load: Final = unvalidated(OfficeLoad)


class Need(NamedTuple):
    """What a case asks of an office: a team, and an interpreter if a language is given."""

    track: Track
    interpreter_language: str | None


class Choice(NamedTuple):
    """What a route was chosen by when it was announced. Empty without a choice or a flag."""

    candidates: tuple[OfficeLoad, ...] = ()
    office_full: bool = False
    skills_missing: tuple[str, ...] = ()

    @classmethod
    def of(cls, routing: Mapping[str, Any] | None) -> Choice:
        """Return what a stored or announced route says, as decoded JSON."""
        if routing is None or routing.keys().isdisjoint(cls._fields):
            return NO_CHOICE
        return cls(
            tuple(
                _office_load(**{**one, "skills_missing": tuple(one["skills_missing"])})
                for one in routing.get("candidates", ())
            ),
            routing.get("office_full", False),
            tuple(routing.get("skills_missing", ())),
        )


NO_CHOICE: Final = Choice()


@final
class Loads:
    """Open cases by team at an instant, and the staffing of that day."""

    open_cases: Final[Mapping[TeamKey, int]]
    staffing: Final[Staffing]
    day: Final[date]

    def __init__(self, open_cases: Mapping[TeamKey, int], staffing: Staffing, day: date) -> None:
        self.open_cases = open_cases
        self.staffing = staffing
        self.day = day

    def after(self, outcomes: Iterable[Outcome]) -> Loads:
        """Return the loads once these announcements are published; canary cases do not count."""
        moved: dict[TeamKey, int] | None = None
        for outcome in outcomes:
            if type(outcome) is CaseRouted and not is_canary(outcome.case_id):
                moved = {**self.open_cases} if moved is None else moved
                team = (outcome.office_id, outcome.track)
                moved[team] = moved.get(team, 0) + 1
                if outcome.previous is not None:
                    team = (outcome.previous.office_id, outcome.previous.track)
                    moved[team] = max(0, moved.get(team, 0) - 1)
        return self if moved is None else Loads(moved, self.staffing, self.day)

    def of(self, office_id: str, need: Need) -> OfficeLoad:
        """Return the load of the team that a case needs, and the skills that the office lacks."""
        return _office_load(
            office_id=office_id,
            open_cases=self.open_cases.get((office_id, need.track), 0),
            capacity=self.staffing.capacity(office_id, need.track, self.day),
            skills_missing=self._missing(office_id, need),
        )

    def _missing(self, office_id: str, need: Need) -> tuple[str, ...]:
        staffing, day, language = self.staffing, self.day, need.interpreter_language
        missing: tuple[str, ...] = ()
        if staffing.has_team(office_id, need.track, day) is False:
            missing = (need.track.value,)
        if language is not None:
            line = staffing.line(office_id, need.track, day)
            if line is not None and line.interprets(language) is False:
                missing = (*missing, f"{INTERPRETER}{language}")
        return missing


def best_of(offices: Sequence[OfficeLoad]) -> OfficeLoad:
    """Return the office for a case: first skills, then room, then the least load.

    An office whose capacity is not known comes after those with room and before the full ones. Of
    equal offices the first one is returned.
    """
    return min(offices, key=_rank)


def is_full(load: OfficeLoad) -> bool:
    """Return whether a team has no room left; False if its capacity is not known."""
    return load.capacity is not None and load.open_cases >= load.capacity


def _rank(load: OfficeLoad) -> tuple[int, int, float]:
    if load.capacity is None:
        return len(load.skills_missing), 1, float(load.open_cases)
    ratio = load.open_cases / load.capacity if load.capacity else float("inf")
    return len(load.skills_missing), 2 if is_full(load) else 0, ratio


def choice_of(office_id: str, candidates: Sequence[str], need: Need, loads: Loads) -> Choice:
    """Return what to announce with a route to one of these offices."""
    found = [loads.of(name, need) for name in candidates]
    chosen = next(load for load in found if load.office_id == office_id)
    full = is_full(chosen)
    if len(found) < 2 and not full and not chosen.skills_missing:
        return NO_CHOICE
    return Choice(tuple(found), full, chosen.skills_missing)
