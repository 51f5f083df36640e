"""Which office follows a case, and why: histories that a caseworker can check.

Where no source is named, the rule is inferred: no page found says how a case moves between offices.
That a nearer office takes over when it opens follows from the seed: follow-up close to the person.
The order is notified on 2 March 2026, day 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import pytest

from schemas.codes import Language
from schemas.events import (
    AppointmentState,
    Household,
    HouseholdKind,
    Lodging,
)
from schemas.outcomes import Track
from streams.domain.case import Fact
from streams.domain.decision import Announced
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


def changed(old: str, new: str, *lines: str) -> Reference:
    """Return reference data with one place of the office directory changed, and more lines."""
    body = ref().directory.body
    assert body.count(old) == 1, old
    text = "\n".join([body.replace(old, new), *lines])
    return replace(ref(), directory=load_directory(text))


def office(name: str, *more: str) -> str:
    names = f'{{ fr = "{name}", nl = "{name}", de = "{name}", en = "{name}" }}'
    return "\n".join(["[[office]]", f'id = "{name}"', f"name = {names}", *more])


def province(code: str, office: str) -> str:
    return f'[[coverage]]\nprovince = "{code}"\noffice_id = "{office}"'


def counter(name: str, office: str, postcodes: str, *more: str) -> str:
    lines = [f'id = "{name}"', f'office_id = "{office}"', f"postcodes = {postcodes}"]
    hours = ["weekdays = [1, 4]", "opens = 13:00:00", "closes = 16:30:00"]
    return "\n".join(["[[counter]]", *lines, *hours, *more])


def charleroi_opens() -> Reference:
    """Charleroi opens on day 10 for Hainaut, where Namur stands in until then."""
    opens = "valid_from = 2026-03-12"
    return directory(office("charleroi", opens), province("BE-WHT", "charleroi"))


def ghent_closes() -> Reference:
    """Ghent closes on day 10; Antwerp stands in for East Flanders."""
    stands_in = '[[fallback]]\nprovince = "BE-VOV"\noffice_id = "antwerpen"'
    return changed('\nid = "gent"', '\nid = "gent"\nvalid_to = 2026-03-12', stands_in)


def hasselt_passes_to_liege() -> Reference:
    """From day 10 on, the existing office of Liège covers Limburg."""
    own = 'province = "BE-VLI"\noffice_id = "hasselt"'
    later = '[[coverage]]\nprovince = "BE-VLI"\noffice_id = "liege"\nvalid_from = 2026-03-12'
    return changed(own, f"{own}\nvalid_to = 2026-03-12", later)


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
        "interviewed in Hasselt at the time of the move to Antwerp",
        [
            order(),
            order(residence_postcode="2000", residence_since=day(5), time=day(9)),
            interview(held_at=day(5), office_id="hasselt"),
        ],
        "hasselt",
        "interview-office",
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
        "an appointment in Namur told at the time of the interview in Hasselt",
        [
            order(),
            interview(held_at=day(5), office_id="hasselt"),
            planned(day(12), office_id="namur", time=day(5)),
        ],
        "hasselt",
        "interview-office",
    ),
    History(
        "an appointment in Namur told this moment",
        [order(), planned(day(12), office_id="namur", time=day(5))],
        "namur",
        "appointment-office",
        on=day(5),
    ),
    *[
        History(
            f"detained, and to be released to Ghent on day 30: {whose} on day {number}",
            [
                order(lodging=Lodging.DETAINED),
                order(lodging=Lodging.HOME, lodging_since=day(30), time=day(9)),
            ],
            office,
            rule,
            team,
            on=day(number),
        )
        for number, whose, office, rule, team in (
            (29, "the team for detained persons", "detention-queue", "detained", Track.DETAINED),
            (30, "the office", "gent", "province", Track.INDIVIDUAL),
        )
    ],
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
        "another office covers the commune of Aalst: the finer line wins",
        [order(residence_postcode="9300")],
        "antwerpen",
        "commune",
        reason="residence 9300, postcodes 9300-9320",
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
    History(
        "the finer line names single communes and ranges",
        [order(residence_postcode="9420")],
        "antwerpen",
        "commune",
        reason="residence 9420, postcodes 9300-9320+9420",
        under=lambda: directory(coverage("[[9300, 9320], 9420]", "antwerpen")),
    ),
    History(
        "intercepted in a commune with a finer line",
        [order(residence_postcode=None, interception_postcode="9300")],
        "antwerpen",
        "interception-commune",
        under=lambda: directory(coverage("[9300]", "antwerpen")),
    ),
    History(
        "an office in Eupen: the finer line wins over the German-speaking rule too",
        [order(residence_postcode="4700")],
        "eupen",
        "commune",
        under=lambda: directory(office("eupen"), coverage("[[4700, 4799]]", "eupen")),
    ),
    History(
        "a finer line that stands in where no office covers the province",
        [order(residence_postcode="8500")],
        "antwerpen",
        "fallback",
        under=lambda: directory(coverage("[8500]", "antwerpen").replace("coverage", "fallback")),
    ),
    History(
        "lives in Charleroi before the office there opens: Namur stands in",
        [order(residence_postcode="6000")],
        "namur",
        "fallback",
        on=day(9),
        under=charleroi_opens,
    ),
    History(
        "the office of Charleroi has opened: it takes over the case (seed: close to the person)",
        [order(residence_postcode="6000")],
        "charleroi",
        "province",
        reason="residence 6000 in BE-WHT; charleroi has opened",
        under=charleroi_opens,
    ),
    History(
        "Charleroi has opened, but Namur has held an interview: it keeps the case",
        [order(residence_postcode="6000"), interview(office_id="namur")],
        "namur",
        "interview-office",
        reason="namur follows the case; residence 6000 in BE-WHT, covered by charleroi",
        under=charleroi_opens,
    ),
    History(
        "the territory passed to an office that existed before: the case stays",
        [order(residence_postcode="3500")],
        "hasselt",
        "province",
        reason="residence 3500 in BE-VLI; liege covers later cases",
        under=hasselt_passes_to_liege,
    ),
    History(
        "the office of the case has closed",
        [order()],
        "antwerpen",
        "fallback",
        reason="residence 9000 in BE-VOV; gent has closed",
        under=ghent_closes,
    ),
    History(
        "the office that held the interview has closed",
        [order(residence_postcode="3500"), interview(office_id="gent")],
        "hasselt",
        "province",
        reason="residence 3500 in BE-VLI; interview-office gent not open",
        under=ghent_closes,
    ),
    History(
        "an appointment at an office that opens later",
        [order(), planned(day(12), office_id="charleroi", time=day(3))],
        "gent",
        "province",
        reason="residence 9000 in BE-VOV; appointment-office charleroi not open",
        on=day(9),
        under=charleroi_opens,
    ),
    History(
        "the same appointment, once that office is open",
        [order(), planned(day(12), office_id="charleroi", time=day(3))],
        "charleroi",
        "appointment-office",
        on=day(10),
        under=charleroi_opens,
    ),
    History(
        "an appointment at an office that the directory does not know",
        [order(), planned(day(25), office_id="paris", time=day(9))],
        "gent",
        "province",
        reason="appointment-office paris not in the directory",
    ),
    History(
        "walked in at a counter of Namur: the office of the counter follows",
        [order(), interview(office_id="dinant-counter")],
        "namur",
        "interview-office",
        reason="namur follows the case, by dinant-counter; residence 9000 in BE-VOV",
        under=lambda: directory(counter("dinant-counter", "namur", "[[5500, 5504]]")),
    ),
    History(
        "walked in at the counter of the own office: nothing changes",
        [order(), interview(office_id="gent-counter")],
        "gent",
        "province",
    ),
    History(
        "no address, intercepted in Ghent: when the counter is open [DVZ-FAQ]",
        [order(residence_postcode=None, interception_postcode="9000")],
        "gent",
        "interception-province",
        reason="interception 9000 in BE-VOV; counter gent-counter wed 09:00-12:00",
    ),
    History(
        "no address, intercepted in a commune with a counter of its own (seed)",
        [order(residence_postcode=None, interception_postcode="9300")],
        "gent",
        "interception-province",
        reason="counter aalst-counter mon+thu 13:00-16:30",
        under=lambda: changed(
            "[8000, 9999],", "[8000, 9299],", counter("aalst-counter", "gent", "[9300]")
        ),
    ),
    History(
        "that counter is not open yet",
        [order(residence_postcode=None, interception_postcode="9300")],
        "gent",
        "interception-province",
        reason="counter gent-counter wed 09:00-12:00",
        under=lambda: changed(
            "[8000, 9999],",
            "[8000, 9299],",
            counter("aalst-counter", "gent", "[9300]", "valid_from = 2027-01-01"),
        ),
    ),
    History(
        "neither address nor place: a person assigns the case, and a counter is open",
        [order(residence_postcode=None)],
        "bruxelles",
        "triage",
        Track.TRIAGE,
        "no_postcode; counter bruxelles-counter wed 09:00-12:00",
    ),
    History(
        "neither address nor place, then walked in at Ghent",
        [order(residence_postcode=None), interview(office_id="gent")],
        "gent",
        "interview-office",
        reason="gent follows the case; no_postcode",
    ),
    History(
        "lives abroad, and comes to interviews in Hasselt",
        [order(residence_postcode="NL-6211"), interview(office_id="hasselt")],
        "hasselt",
        "interview-office",
        reason="hasselt follows the case; postcode_foreign: residence NL-6211",
    ),
    History(
        "a minor alone, interviewed in Hasselt",
        [order(household=MINOR), interview(office_id="hasselt")],
        "hasselt",
        "unaccompanied-minor",
        Track.MINOR,
        "interview-office: hasselt follows the case",
    ),
    History(
        "detained: the reason says why the office of the interview does not follow",
        [order(lodging=Lodging.DETAINED), interview(office_id="hasselt")],
        "detention-queue",
        "detained",
        Track.DETAINED,
        "lodging detained; interview-office hasselt not for this lodging",
    ),
    History(
        "lives in a return house: its team wins over the office of the interview",
        [order(lodging=Lodging.RETURN_HOUSE, household=FAMILY), interview(office_id="hasselt")],
        "return-houses",
        "return-house",
        Track.RETURN_HOUSE,
    ),
    History(
        "lives in an open return place: its team wins over a planned appointment",
        [
            order(lodging=Lodging.OPEN_RETURN_PLACE),
            planned(day(25), office_id="hasselt", time=day(9)),
        ],
        "open-return-places",
        "open-return-place",
        Track.OPEN_RETURN_PLACE,
    ),
    History(
        "released and living at home: the office of the residence",
        [
            order(lodging=Lodging.DETAINED),
            order(lodging=Lodging.HOME, lodging_since=day(8), time=day(9)),
        ],
        "gent",
        "province",
    ),
    History(
        "left the return house after an interview there: the office of the residence",
        [
            order(lodging=Lodging.RETURN_HOUSE),
            interview(held_at=day(4), office_id="return-houses"),
            order(lodging=Lodging.HOME, lodging_since=day(8), time=day(9)),
        ],
        "gent",
        "province",
        reason="residence 9000 in BE-VOV; interview-office return-houses not for this lodging",
    ),
    History(
        "moved after the interview in Hasselt: the reason says so",
        [
            order(),
            interview(held_at=day(5), office_id="hasselt"),
            order(residence_postcode="2000", residence_since=day(8), time=day(9)),
        ],
        "antwerpen",
        "province",
        reason="residence 2000 in BE-VAN; interview-office hasselt before the move",
    ),
    History(
        "interviewed in Hasselt under an earlier order, lives in Ghent under this one",
        [
            order(order_id="order-0", notified_at=day(-60), time=day(-60)),
            interview(order_id="order-0", held_at=day(-30), office_id="hasselt"),
            order(repeat_order=True),
        ],
        "gent",
        "province",
        reason="residence 9000 in BE-VOV; interview-office hasselt before the order",
    ),
    History(
        "living in Antwerp for years: the day of the notification counts",
        [order(residence_postcode="2000", residence_since=day(-3000))],
        "antwerpen",
        "province",
        reason="residence 2000 in BE-VAN",
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


def test_a_case_is_looked_at_again_on_the_day_on_which_its_office_changes() -> None:
    opening = day(10, hour=0)
    lives_there = decide([order(residence_postcode="6000")], day(1), under=charleroi_opens())
    invited_there = [order(), planned(day(12), office_id="charleroi", time=day(1))]
    invited = decide(invited_there, day(2), under=charleroi_opens())
    closing = decide([order()], day(1), under=ghent_closes())
    elsewhere = decide([order()], day(1), under=charleroi_opens())

    assert [d.route and d.route.until for d in (lives_there, invited, closing)] == [opening] * 3
    assert elsewhere.route is not None
    assert elsewhere.route.until is None


def test_the_route_is_dated_by_what_decided_it() -> None:
    def as_of(*facts: Fact, under: Reference | None = None) -> datetime | None:
        route = decide(facts, day(20), under=under).route
        return route and route.as_of

    moved = order(residence_postcode="2000", residence_since=day(8), time=day(9))
    held = interview(held_at=day(9), office_id="hasselt")
    to_come = planned(day(25), office_id="namur", time=day(11))

    assert as_of(order()) == day(0)
    assert as_of(order(), moved) == day(8)
    assert as_of(order(), held) == day(9)
    assert as_of(order(), to_come) == day(11)
    assert as_of(order(residence_postcode="6000"), under=charleroi_opens()) == day(20, hour=0)


def test_the_shortest_reason_of_a_route_stays_the_place() -> None:
    """Nothing happened elsewhere: the reason is the place alone, exactly."""
    route = decide([order(), interview(office_id="gent")], day(20)).route

    assert route is not None
    assert route.reason == "residence 9000 in BE-VOV"


def test_two_finer_lines_for_one_postcode_on_one_day_are_refused() -> None:
    with pytest.raises(Exception, match="two offices on the same day"):
        directory(coverage("[[9300, 9320]]", "gent"), coverage("[[9310, 9330]]", "antwerpen"))


def test_the_language_of_the_contact_changes_with_the_move_not_with_its_report() -> None:
    facts = [order(), order(residence_postcode="7000", residence_since=day(8), time=day(5))]
    routes = [decide(facts, day(number)).route for number in (7, 8)]

    assert [route and route.language for route in routes] == [Language.NL, Language.FR]
