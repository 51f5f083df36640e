"""Which office follows a case, and why: histories that a caseworker can check.

Where no source is named, the rule is inferred: no page found says how a case moves between offices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import pytest

from schemas.events import (
    AppointmentState,
    Household,
    HouseholdKind,
    Lodging,
)
from schemas.outcomes import Track
from streams.domain.case import Fact
from streams.domain.decide import Announced
from streams.domain.directory.load import load_directory
from streams.reference import Reference
from tests.domain.given import (
    FAMILY,
    applied,
    day,
    decide,
    interview,
    order,
    planned,
    ref,
    routed,
)

MINOR = Household(kind=HouseholdKind.UNACCOMPANIED_MINOR)


def directory(*lines: str) -> Reference:
    """Return reference data with more lines in the office directory."""
    text = "\n".join([ref().directory.body, *lines])
    return replace(ref(), directory=load_directory(text))


def coverage(postcodes: str, office: str, *more: str) -> str:
    lines = [f"postcodes = {postcodes}", f'office_id = "{office}"', *more]
    return "\n".join(["[[coverage]]", *lines])


@dataclass(frozen=True)
class History:
    """What is known on day ``on``, and the office, team and rule that follow the case then."""

    title: str
    facts: Sequence[Fact]
    office: str
    rule: str
    track: Track = Track.INDIVIDUAL
    reason: str = ""
    on: datetime = field(default_factory=lambda: day(20))
    under: Any = ref


HISTORIES = [
    History("lives in Ghent", [order()], "gent", "province"),
    History(
        "a family lives in Ghent", [order(household=FAMILY)], "gent", "family-coach", Track.FAMILY
    ),
    History(
        "a minor alone has no ordinary coach [VR-38]",
        [order(household=MINOR)],
        "gent",
        "unaccompanied-minor",
        Track.MINOR,
    ),
    History(
        "lives abroad: a person decides",
        [order(residence_postcode="75011")],
        "bruxelles",
        "triage",
        Track.TRIAGE,
        "postcode_foreign: residence 75011",
    ),
    History(
        "a foreign code with letters",
        [order(residence_postcode="NL-1012 AB")],
        "bruxelles",
        "triage",
        Track.TRIAGE,
        "postcode_foreign: residence NL-1012 AB",
    ),
    History(
        "a code that no commune has",
        [order(residence_postcode="0999")],
        "bruxelles",
        "triage",
        Track.TRIAGE,
        "postcode_foreign",
    ),
    History(
        "no address, intercepted in Ghent: a counter of that office [DVZ-AMIF]",
        [order(residence_postcode=None, interception_postcode="9000")],
        "gent",
        "interception-province",
        reason="counter gent-counter",
    ),
    History(
        "an interview was held in Hasselt",
        [order(), interview(office_id="hasselt")],
        "hasselt",
        "interview-office",
        reason="hasselt follows the case; residence 9000 in BE-VOV",
    ),
    History(
        "the interview was held at the office of the residence",
        [order(), interview(office_id="gent")],
        "gent",
        "province",
    ),
    History(
        "an appointment is planned in Namur",
        [order(), planned(day(25), office_id="namur", time=day(9))],
        "namur",
        "appointment-office",
    ),
    History(
        "that appointment was cancelled",
        [
            order(),
            planned(
                day(25), office_id="namur", state=AppointmentState.CANCELLED_BY_OFFICE, time=day(9)
            ),
        ],
        "gent",
        "province",
    ),
    History(
        "an appointment in Namur, then an interview in Hasselt",
        [
            order(),
            planned(day(12), office_id="namur", time=day(9)),
            interview(held_at=day(15), office_id="hasselt"),
        ],
        "hasselt",
        "interview-office",
    ),
    History(
        "moved to Antwerp after an interview in Hasselt",
        [
            order(),
            interview(held_at=day(5), office_id="hasselt"),
            order(residence_postcode="2000", residence_since=day(8), time=day(9)),
        ],
        "antwerpen",
        "province",
        reason="residence 2000 in BE-VAN",
    ),
    History(
        "moved to Antwerp before the interview in Hasselt",
        [
            order(),
            order(residence_postcode="2000", residence_since=day(3), time=day(9)),
            interview(held_at=day(5), office_id="hasselt"),
        ],
        "hasselt",
        "interview-office",
    ),
    History(
        "moves to Antwerp only next month",
        [order(), order(residence_postcode="2000", residence_since=day(50), time=day(9))],
        "gent",
        "province",
    ),
    History(
        "has moved to Antwerp, as told a month before",
        [order(), order(residence_postcode="2000", residence_since=day(50), time=day(9))],
        "antwerpen",
        "province",
        on=day(50),
    ),
    History(
        "an interview at an office that the directory does not know",
        [order(), interview(office_id="paris")],
        "gent",
        "province",
        reason="interview-office paris not in the directory",
    ),
    History(
        "detained: the interview at an office does not move the case",
        [order(lodging=Lodging.DETAINED), interview(office_id="hasselt")],
        "detention-queue",
        "detained",
        Track.DETAINED,
    ),
    History(
        "an interview was held in the return house's team",
        [order(), interview(office_id="return-houses")],
        "gent",
        "province",
    ),
    History(
        "a family keeps its family coach at the office that follows it",
        [order(household=FAMILY), interview(office_id="hasselt")],
        "hasselt",
        "family-coach",
        Track.FAMILY,
        "interview-office: hasselt follows the case",
    ),
    History(
        "Aalst has an office of its own since day 10: the finer line wins",
        [order(residence_postcode="9300", notified_at=day(15), time=day(15))],
        "antwerpen",
        "province",
        under=lambda: directory(coverage("[[9300, 9320]]", "antwerpen")),
    ),
    History(
        "the rest of the province stays where it was",
        [order(residence_postcode="9000")],
        "gent",
        "province",
        under=lambda: directory(coverage("[[9300, 9320]]", "antwerpen")),
    ),
    History(
        "the finer line is not valid yet",
        [order(residence_postcode="9300")],
        "gent",
        "province",
        under=lambda: directory(coverage("[[9300, 9320]]", "antwerpen", "valid_from = 2027-01-01")),
    ),
]


@pytest.mark.parametrize("history", HISTORIES, ids=lambda history: history.title)
def test_an_office_follows_the_case_by_a_rule_with_a_reason(history: History) -> None:
    route = decide(history.facts, history.on, under=history.under()).route

    assert route is not None
    assert (route.office_id, route.track, route.rule_id) == (
        history.office,
        history.track,
        history.rule,
    )
    assert history.reason in route.reason


def test_a_case_that_moves_with_an_interview_is_announced_with_its_previous_office() -> None:
    announced = applied(Announced(), decide([order()], day(1)))

    moved = routed(decide([order(), interview(office_id="hasselt")], day(5), announced))

    assert moved is not None
    assert moved.previous is not None
    assert (moved.previous.office_id, moved.office_id) == ("gent", "hasselt")
    assert moved.rule_id == "interview-office"


def test_two_finer_lines_for_one_postcode_on_one_day_are_refused() -> None:
    with pytest.raises(Exception, match="two offices on the same day"):
        directory(coverage("[[9300, 9320]]", "gent"), coverage("[[9310, 9330]]", "antwerpen"))
