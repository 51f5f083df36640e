"""Say in words which office follows a case, by which rule, and the facts behind it."""

from __future__ import annotations

import re
from typing import Final

from schemas.outcomes import OfficeLoad
from streams.domain.explain.wording import Wording
from streams.domain.loads import INTERPRETER, Choice

_FOUND_AT: Final = re.compile(r"(?P<source>residence|interception) (?P<postcode>[^,]+)")
_IN_PROVINCE: Final = re.compile(r"(?P<postcode>.+) in (?P<province>BE-[A-Z]{3})")
_COVERED: Final = re.compile(r"(?P<place>.+), covered by (?P<office>\S+)")
_ONE_OF: Final = re.compile(r"(?P<place>.+?), one of (?P<offices>\S+)")
_CHANGED: Final = re.compile(
    r"(?P<office>\S+) (?P<change>has closed|has opened|covers later cases)"
)
_REFUSED: Final = re.compile(
    r"(?P<rule>interview-office|appointment-office) (?P<office>\S+) (?P<why>.+)"
)
_COUNTER: Final = re.compile(
    r"counter \S+ (?P<days>[a-z+]+) (?P<opens>[0-9:]{5})-(?P<closes>[0-9:]{5})"
)
_OPENED_LATER: Final = "none was open when notified"


def route_in_words(rule_id: str, reason: str, wording: Wording) -> str:
    """Return the rule of a route and its recorded reason as a sentence.

    A part of the reason that the rule says itself, or that has no words, is left out.
    """
    rule = wording.word("route", rule_id) if wording.has_word("route", rule_id) else rule_id
    parts = [said for part in re.split("; |: ", reason) if (said := _part(part, wording))]
    if not parts:
        return wording.sentence("case_route", rule=rule)
    return wording.sentence("case_route_because", rule=rule, because="; ".join(parts))


def choice_in_words(choice: Choice, office_id: str | None, wording: Wording) -> list[str]:
    """Return between which offices a case had the choice, and what the chosen one lacked."""
    say, lines = wording.sentence, list[str]()
    if len(choice.candidates) > 1:
        offices = "; ".join(_load(one, wording) for one in choice.candidates)
        lines.append(say("route_choice", offices=offices))
    chosen = next((one for one in choice.candidates if one.office_id == office_id), None)
    if chosen is None:
        return lines
    office = wording.office(chosen.office_id)
    if choice.office_full:
        cases, capacity = chosen.open_cases, chosen.capacity
        lines.append(say("route_office_full", office=office, cases=cases, capacity=capacity))
    if choice.skills_missing:
        skills = wording.all_of(_skill(one, wording) for one in choice.skills_missing)
        lines.append(say("route_skills_missing", office=office, skills=skills))
    return lines


def _load(load: OfficeLoad, wording: Wording) -> str:
    office, cases = wording.office(load.office_id), load.open_cases
    if load.capacity is None:
        said = wording.sentence("route_load_unknown", office=office, cases=cases)
    else:
        said = wording.sentence("route_load", office=office, cases=cases, capacity=load.capacity)
    if not load.skills_missing:
        return said
    skills = wording.all_of(_skill(one, wording) for one in load.skills_missing)
    return wording.sentence("route_load_lacks", load=said, skills=skills)


def _skill(skill: str, wording: Wording) -> str:
    if skill.startswith(INTERPRETER):
        return wording.sentence("skill.interpreter", language=skill.removeprefix(INTERPRETER))
    return wording.sentence("skill.team", track=wording.word("track", skill))


def _offices(names: str, wording: Wording) -> list[str]:
    return [wording.office(name) for name in names.split("+")]


def _part(part: str, wording: Wording) -> str | None:
    if part in wording.words["route_because"]:
        return wording.sentence(f"route_because.{part}")
    if part == _OPENED_LATER:
        return wording.sentence("route_because.opened_later")
    if wording.has_word("route", part):
        return wording.word("route", part)
    if shape := _CHANGED.fullmatch(part):
        office = wording.office(shape["office"])
        return wording.sentence(f"route_change.{_code(shape['change'])}", office=office)
    if shape := _REFUSED.fullmatch(part):
        office = wording.office(shape["office"])
        meeting = wording.sentence(f"meeting_at.{shape['rule']}", office=office)
        return wording.sentence(f"route_refused.{_code(shape['why'])}", meeting=meeting)
    if shape := _COUNTER.fullmatch(part):
        days = wording.all_of(wording.word("weekday", day) for day in shape["days"].split("+"))
        return wording.sentence(
            "counter_open", days=days, opens=shape["opens"], closes=shape["closes"]
        )
    if shape := _COVERED.fullmatch(part):
        office = wording.any_of(_offices(shape["office"], wording))
        otherwise = wording.sentence("route_because.otherwise", office=office)
        return "; ".join(filter(None, (_part(shape["place"], wording), otherwise)))
    if shape := _ONE_OF.fullmatch(part):
        offices = wording.any_of(_offices(shape["offices"], wording))
        one_of = wording.sentence("route_because.one_of", offices=offices)
        return "; ".join(filter(None, (_part(shape["place"], wording), one_of)))
    if shape := _FOUND_AT.match(part):
        place = shape["postcode"]
        if province := _IN_PROVINCE.fullmatch(place):
            place = wording.sentence(
                "at_province",
                postcode=province["postcode"],
                province=wording.word("province", province["province"]),
            )
        return wording.sentence(f"found_at.{shape['source']}", place=place)
    return None


def _code(words: str) -> str:
    return words.replace(" ", "_")
