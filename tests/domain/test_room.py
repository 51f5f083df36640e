"""Among equally proper offices the one with the skills and with room follows a new case.

Ghent and Antwerp cover East Flanders together. No source says how offices share cases: inferred.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Annotated, Any

import pytest
from hypothesis import given as forall
from hypothesis import strategies as st

from schemas.codes import Language
from schemas.events import Lodging
from schemas.outcomes import CaseRouted, RouteRef, Track, body
from schemas.types import Message, fields_of, message_type
from streams.domain.case import Fact
from streams.domain.decide import decide
from streams.domain.decision import Announced, Decision
from streams.domain.directory.load import load_directory
from streams.domain.directory.model import Directory, Span
from streams.domain.loads import NO_CHOICE, Choice, Loads
from streams.domain.routing import Place, Route, find_route
from streams.domain.staffing import RampUp, Staffing, StaffLine
from streams.reference import Reference
from tests.domain.given import FAMILY, NOTIFIED, case, day, interview, order, ref, routed

TODAY = date(2026, 3, 2)
OWN = 'province = "BE-VOV"\noffice_id = "gent"'
SHARED = 'province = "BE-VOV"\noffice_ids = ["gent", "antwerpen"]'


def edited(*edits: tuple[str, str], more: str = "") -> Directory:
    text = ref().directory.body
    for old, new in edits:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return load_directory(text + more)


def under(directory: Directory) -> Reference:
    return replace(ref(), directory=directory)


def together() -> Reference:
    """Ghent and Antwerp cover East Flanders together."""
    return under(edited((OWN, SHARED)))


def staffing(*lines: StaffLine) -> Staffing:
    """Return a table in which each office has room for 100 single people, 10 families."""
    default = [
        StaffLine(office, track, capacity // 10, capacity)
        for office in ("gent", "antwerpen", "liege", "namur")
        for track, capacity in (("individual", 100), ("family", 10))
    ]
    named = {line.team for line in lines}
    kept = [line for line in default if line.team not in named]
    return Staffing("test", TODAY, (*kept, *lines), tracks=frozenset({"individual", "family"}))


def loads(*lines: StaffLine, **cases: int) -> Loads:
    """Return loads with so many single people at each office, on the day of the notification."""
    return Loads(
        {(office, "individual"): n for office, n in cases.items()}, staffing(*lines), TODAY
    )


def first_route(
    facts: Sequence[Fact],
    found: Loads | None,
    data: Reference,
    announced: Announced | None = None,
    on: Any = None,
) -> tuple[Decision, CaseRouted | None]:
    decision = decide(case(*facts), announced or Announced(), data.tables, on or day(1), found)
    return decision, routed(decision)


def office_of(facts: Sequence[Fact], found: Loads | None, data: Reference | None = None) -> str:
    return first_route(facts, found, data or together())[0].office_id


def speaks(office: str, *languages: str, track: str = "individual") -> StaffLine:
    return StaffLine(office, track, 10, 100, languages=frozenset(languages))


@pytest.mark.parametrize(
    ("found", "office"),
    [
        (loads(gent=0, antwerpen=0), "gent"),
        (loads(gent=50, antwerpen=49), "antwerpen"),
        (loads(gent=100, antwerpen=99), "antwerpen"),
        (loads(gent=120, antwerpen=110), "antwerpen"),
        (loads(StaffLine("gent", "individual", 90, 900), gent=100, antwerpen=50), "gent"),
        (None, "gent"),
    ],
)
def test_the_office_with_most_room_for_its_size_follows_a_new_case(
    found: Loads | None, office: str
) -> None:
    assert office_of([order()], found) == office


def test_an_office_of_unknown_capacity_comes_after_room_and_before_full_offices() -> None:
    shared = edited((OWN, 'province = "BE-VOV"\noffice_ids = ["hasselt", "gent"]'))
    assert office_of([order()], loads(gent=99), under(shared)) == "gent"
    assert office_of([order()], loads(gent=100), under(shared)) == "hasselt"


def test_a_family_goes_where_a_family_coach_is() -> None:
    none_in_ghent = StaffLine("gent", "family", 0, 0)
    found = loads(none_in_ghent, antwerpen=99)
    decision, message = first_route([order(household=FAMILY)], found, together())
    assert (decision.office_id, decision.track) == ("antwerpen", Track.FAMILY)
    assert message is not None
    assert [one.skills_missing for one in message.candidates] == [("family",), ()]
    assert message.skills_missing == ()


def test_an_interpreter_is_worth_more_than_room() -> None:
    facts = [order(interpreter_language="ti")]
    tigrinya = loads(speaks("gent", "ti"), speaks("antwerpen", "ar"), gent=99, antwerpen=0)
    assert office_of(facts, tigrinya) == "gent"
    assert office_of([order(interpreter_language="ar")], tigrinya) == "antwerpen"


def test_nobody_is_said_to_lack_an_interpreter_when_the_languages_are_not_known() -> None:
    decision, message = first_route([order(interpreter_language="ti")], loads(gent=50), ref())
    assert message is not None
    assert (message.skills_missing, decision.choice) == ((), NO_CHOICE)


def test_a_case_whose_skill_no_office_has_is_routed_and_flagged() -> None:
    found = loads(speaks("gent", "ar"), speaks("antwerpen", "ar"), gent=50, antwerpen=10)
    _, message = first_route([order(interpreter_language="ti")], found, together())
    assert message is not None
    assert message.office_id == "antwerpen"
    assert message.skills_missing == ("interpreter:ti",)


def test_a_full_office_is_routed_to_flagged_and_shown_with_its_load() -> None:
    _, message = first_route([order()], loads(gent=100, antwerpen=130), together())
    assert message is not None
    assert (message.office_id, message.office_full) == ("gent", True)
    assert [(one.office_id, one.open_cases, one.capacity) for one in message.candidates] == [
        ("gent", 100, 100),
        ("antwerpen", 130, 100),
    ]


def test_the_only_proper_office_is_flagged_when_it_is_full() -> None:
    _, message = first_route([order()], loads(gent=100), ref())
    assert message is not None
    assert (message.office_id, message.office_full) == ("gent", True)
    assert [one.office_id for one in message.candidates] == ["gent"]


@pytest.mark.parametrize(
    ("place", "full", "office", "language"),
    [
        ("4700", "liege", "liege", Language.DE),
        ("3790", "hasselt", "hasselt", Language.NL),
        ("7000", "namur", "namur", Language.FR),
        ("7500", "namur", "namur", Language.FR),
    ],
)
def test_room_never_brings_a_case_to_an_office_of_another_language_or_place(
    place: str, full: str, office: str, language: Language
) -> None:
    """Eupen, Voeren, Mons and Tournai: Namur and Liège share Liège's province, all are full."""
    shared = under(
        edited(
            (
                'province = "BE-WLG"\noffice_id = "liege"',
                'province = "BE-WLG"\noffice_ids = ["liege", "namur"]',
            )
        )
    )
    line = StaffLine(full, "individual", 1, 10)
    found = loads(line, **{full: 500}, gent=0, bruxelles=0)
    decision, message = first_route([order(residence_postcode=place)], found, shared)
    assert (decision.office_id, message and message.language) == (office, language)
    assert message is not None
    assert message.office_full


def test_an_office_of_another_language_may_not_share_a_place() -> None:
    with pytest.raises(
        Exception, match=r"BE-VOV to gent\+namur: namur serves other languages only"
    ):
        edited((OWN, 'province = "BE-VOV"\noffice_ids = ["gent", "namur"]'))


def test_a_case_stays_with_its_office_whatever_the_load_becomes() -> None:
    data = together()
    first, _ = first_route([order()], loads(gent=99, antwerpen=0), data)
    known = Announced().after(first)
    assert first.office_id == "antwerpen"
    for later in (None, loads(gent=0, antwerpen=500)):
        decision, message = first_route([order()], later, data, known, day(2))
        assert (decision.office_id, message) == ("antwerpen", None)
        assert decision.choice == first.choice


def test_a_case_that_needs_another_skill_moves_only_if_an_equal_office_has_it() -> None:
    data, single = together(), order()
    first, _ = first_route([single], loads(gent=0, antwerpen=50), data)
    family = order(household=FAMILY, time=day(2))
    known = Announced().after(first)
    both = loads(gent=99)
    no_coach = loads(StaffLine("gent", "family", 0, 0))
    nowhere = loads(StaffLine("gent", "family", 0, 0), StaffLine("antwerpen", "family", 0, 0))
    assert first.office_id == "gent"
    for found, office in ((both, "gent"), (no_coach, "antwerpen"), (nowhere, "gent")):
        decision, message = first_route([single, family], found, data, known, day(3))
        assert (decision.office_id, decision.track) == (office, Track.FAMILY)
        assert message is not None
        assert message.previous is not None


def test_the_office_of_an_interview_follows_the_case_though_the_other_has_room() -> None:
    facts = [order(), interview(office_id="antwerpen")]
    found = loads(gent=0, antwerpen=99)
    decision, _ = first_route(facts, found, together(), on=day(9))
    assert (decision.office_id, decision.route and decision.route.rule_id) == (
        "antwerpen",
        "province",
    )


def test_a_closed_office_hands_its_cases_to_the_other_one() -> None:
    data = under(
        edited((OWN, SHARED), ('\nid = "antwerpen"', '\nid = "antwerpen"\nvalid_to = 2026-03-12'))
    )
    first, _ = first_route([order()], loads(gent=99), data)
    assert first.office_id == "antwerpen"
    assert first.route is not None
    assert first.route.until == day(10).replace(hour=0)
    decision, message = first_route([order()], None, data, Announced().after(first), day(11))
    assert decision.office_id == "gent"
    assert message is not None
    assert message.reason == "residence 9000 in BE-VOV; antwerpen has closed"


def test_an_office_that_joins_takes_new_cases_and_no_old_ones() -> None:
    aalst = (
        '\n[[office]]\nid = "aalst"\nvalid_from = 2026-03-12\n'
        'name = { fr = "Alost", nl = "Aalst", de = "Aalst", en = "Aalst" }\n'
    )
    data = under(
        edited(
            (OWN, OWN.replace('office_id = "gent"', 'office_ids = ["gent", "aalst"]')), more=aalst
        )
    )
    line = StaffLine("aalst", "individual", 10, 100)
    old, _ = first_route([order()], loads(line, gent=50), data)
    assert old.office_id == "gent"
    known = Announced().after(old)
    assert first_route([order()], loads(line, gent=50), data, known, day(11))[1] is None
    new, message = first_route([order(notified_at=day(11))], loads(line, gent=50), data, on=day(12))
    assert new.office_id == "aalst"
    assert message is not None
    assert message.reason == "residence 9000 in BE-VOV, one of gent+aalst"


RETURN_HOUSE = '''lodging = "return_house"
office_id = "return-houses"
track = "return_house"'''


def test_teams_that_share_a_lodging_take_cases_by_room_too() -> None:
    second = (
        '\n[[team]]\nlodging = "return_house"\noffice_id = "return-houses-south"\n'
        'track = "return_house"\nshared = true\n'
        'name = { fr = "Sud", nl = "Zuid", de = "Süd", en = "South" }\n'
    )
    data = under(edited((RETURN_HOUSE, f"{RETURN_HOUSE}\nshared = true"), more=second))
    found = Loads(
        {("return-houses", "return_house"): 12},
        Staffing(
            "test",
            TODAY,
            (
                StaffLine("return-houses", "return_house", 1, 12),
                StaffLine("return-houses-south", "return_house", 1, 12),
            ),
            tracks=frozenset({"return_house"}),
        ),
        TODAY,
    )
    facts = [order(lodging=Lodging.RETURN_HOUSE, household=FAMILY)]
    decision, message = first_route(facts, found, data)
    assert (decision.office_id, decision.track) == ("return-houses-south", Track.RETURN_HOUSE)
    assert message is not None
    assert message.reason == "lodging return_house, one of return-houses+return-houses-south"
    assert first_route(facts, None, data, Announced().after(decision), day(2))[1] is None


def test_cases_of_one_batch_are_spread_because_each_one_counts_for_the_next() -> None:
    data, found = together(), loads(gent=90, antwerpen=90)
    offices = []
    for _ in range(10):
        decision, _ = first_route([order()], found, data)
        found = found.after([one.outcome for one in decision.messages])
        offices.append(decision.office_id)
    assert offices.count("gent") == offices.count("antwerpen") == 5
    assert found.open_cases["gent", "individual"] == 95


def test_a_reroute_frees_a_place_at_the_office_before() -> None:
    data = together()
    first, _ = first_route([order()], loads(gent=1, antwerpen=0), data)
    moved = order(residence_postcode="5000", residence_since=day(2), time=day(2))
    later, _ = first_route([order(), moved], None, data, Announced().after(first), day(3))
    found = loads(gent=1, antwerpen=5).after([one.outcome for one in later.messages])
    assert dict(found.open_cases) == {
        ("gent", "individual"): 1,
        ("antwerpen", "individual"): 4,
        ("namur", "individual"): 1,
    }


def test_a_team_ramps_up_from_its_first_day() -> None:
    opens = date(2026, 3, 2)
    line = StaffLine("aalst", "individual", 2, 120, Span(since=opens))
    table = Staffing("test", opens, (line,), RampUp(25, 90), frozenset({"individual"}))
    capacities = [
        table.capacity("aalst", "individual", opens + timedelta(days=days))
        for days in (-1, 0, 45, 89, 90, 400)
    ]
    assert capacities == [0, 30, 75, 119, 120, 120]


def test_a_later_line_of_the_same_team_does_not_ramp_up_again() -> None:
    grows = date(2026, 9, 1)
    lines = (
        StaffLine("gent", "individual", 8, 480, Span(until=grows)),
        StaffLine("gent", "individual", 10, 600, Span(since=grows)),
    )
    table = Staffing("test", TODAY, lines, RampUp(25, 90), frozenset({"individual"}))
    assert table.capacity("gent", "individual", grows - timedelta(days=1)) == 480
    assert table.capacity("gent", "individual", grows) == 600


def test_the_bytes_of_a_routing_without_a_flag_are_those_of_version_before() -> None:
    _, plain = first_route([order()], loads(gent=5), ref())
    _, flagged = first_route([order()], loads(gent=100), ref())
    assert plain is not None
    assert flagged is not None
    fields = [
        *("case_id", "order_id", "office_id", "track", "language", "interpreter_language"),
        *("rule_id", "reason", "as_of", "directory_version", "directory_digest", "previous"),
    ]
    assert [*CaseRouted.read_json(body(plain)).to_dict()] == fields
    assert b"office_full" not in body(plain)
    for message in (plain, flagged):
        assert body(message) == message.to_json()
        assert CaseRouted.read_json(body(message)) == message


def test_a_subscriber_of_the_version_before_reads_a_flagged_routing() -> None:
    _, flagged = first_route([order()], loads(gent=100), ref())
    assert flagged is not None
    known = {
        name: Annotated[field.annotation, field]
        for name, field in fields_of(CaseRouted).items()
        if name not in Choice._fields
    }
    earlier: type[Message] = message_type(
        type("CaseRouted", (Message,), {"__annotations__": known})
    )
    read = earlier.read_json(body(flagged))
    assert read.to_dict() == {
        name: value for name, value in flagged.to_dict().items() if name in known
    }


_PLACES = st.sampled_from(["9000", "9300", "2000", "4700", "5000", "8500", None])
_CASES = st.integers(0, 150)


@forall(_PLACES, st.booleans(), st.sampled_from([None, "ti", "ar"]), _CASES, _CASES, _CASES)
def test_asked_again_with_its_own_answer_the_route_stays_the_same(
    place: str | None, family: bool, interpreter: str | None, ghent: int, antwerp: int, later: int
) -> None:
    """So a projection that is rebuilt without loads is the same as the one that was written."""
    data = together()
    changed: dict[str, Any] = {"household": FAMILY} if family else {}
    event = order(residence_postcode=place, interpreter_language=interpreter, **changed).event
    at, calendar = Place.of(event), data.calendar  # type: ignore[arg-type]
    found = loads(speaks("gent", "ti"), gent=ghent, antwerpen=antwerp)
    first = find_route(at, data.directory, calendar, NOTIFIED, None, found)
    again = loads(speaks("antwerpen", "ar"), gent=later, antwerpen=0)
    for known in (None, again):
        assert find_route(at, data.directory, calendar, NOTIFIED, _ref(first), known) == first


def _ref(route: Route) -> RouteRef:
    return RouteRef(
        order_id="order-1",
        office_id=route.office_id,
        track=route.track,
        language=route.language,
        interpreter_language=route.interpreter_language,
        rule_id=route.rule_id,
    )
