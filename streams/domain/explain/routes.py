"""Say in words which office follows a case, by which rule, and the facts behind it."""

from __future__ import annotations

import re
from typing import Final

from streams.domain.explain.wording import Wording

_FOUND_AT: Final = re.compile(r"(?P<source>residence|interception) (?P<postcode>[^,]+)")
_IN_PROVINCE: Final = re.compile(r"(?P<postcode>.+) in (?P<province>BE-[A-Z]{3})")
_CLOSED: Final = re.compile(r"(?P<office>\S+) has closed")
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


def _part(part: str, wording: Wording) -> str | None:
    if part in wording.words["route_because"]:
        return wording.sentence(f"route_because.{part}")
    if part == _OPENED_LATER:
        return wording.sentence("route_because.opened_later")
    if wording.has_word("route", part):
        return wording.word("route", part)
    if shape := _CLOSED.fullmatch(part):
        office = wording.office(shape["office"])
        return wording.sentence("route_because.closed", office=office)
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
