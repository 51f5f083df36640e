"""A case is routed to an office and a team by a recorded rule."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from schemas.codes import Language
from schemas.events import Lodging, OqtIssued
from schemas.outcomes import Track
from streams.domain.directory.load import load_directory
from streams.domain.directory.model import Directory
from streams.domain.routing import Place, Route, find_route
from tests.domain.given import BRUSSELS, FAMILY, LATER, NOTIFIED, order, ref

BEFORE_2025 = datetime(2024, 12, 31, 23, 59, tzinfo=BRUSSELS)
BEFORE_ANY_OFFICE = datetime(2021, 6, 1, 9, tzinfo=BRUSSELS)
IN_2025 = datetime(2025, 1, 1, 0, 0, tzinfo=BRUSSELS)
CHARLEROI = """
[[office]]
id = "charleroi"
name = { fr = "Charleroi", nl = "Charleroi", de = "Charleroi", en = "Charleroi" }
valid_from = 2026-03-02

[[coverage]]
province = "BE-WHT"
office_id = "charleroi"
"""


def edited(*edits: tuple[str, str], more: str = "") -> Directory:
    text = ref().directory.body
    for old, new in edits:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return load_directory(text + more)


def routed(now: datetime = LATER, directory: Directory | None = None, /, **changed: Any) -> Route:
    event = order(**changed).event
    assert isinstance(event, OqtIssued)
    return find_route(Place.of(event), directory or ref().directory, ref().calendar, now)


@pytest.mark.parametrize(
    ("changed", "office", "track", "rule", "reason"),
    [
        (
            {"lodging": Lodging.DETAINED, "household": FAMILY},
            "detention-queue",
            Track.DETAINED,
            "detained",
            "lodging detained",
        ),
        (
            {"lodging": Lodging.RETURN_HOUSE, "household": FAMILY},
            "return-houses",
            Track.RETURN_HOUSE,
            "return-house",
            "lodging return_house",
        ),
        (
            {"lodging": Lodging.OPEN_RETURN_PLACE},
            "open-return-places",
            Track.OPEN_RETURN_PLACE,
            "open-return-place",
            "lodging open_return_place",
        ),
        (
            {"household": FAMILY},
            "gent",
            Track.FAMILY,
            "family-coach",
            "province: residence 9000 in BE-VOV",
        ),
        (
            {"residence_postcode": "8500", "household": FAMILY},
            "gent",
            Track.FAMILY,
            "family-coach",
            "fallback: residence 8500 in BE-VWV",
        ),
        (
            {"residence_postcode": "4700"},
            "liege",
            Track.INDIVIDUAL,
            "german-speaking",
            "residence 4700, German-speaking",
        ),
        (
            {"residence_postcode": "4700", "notified_at": BEFORE_ANY_OFFICE},
            "liege",
            Track.INDIVIDUAL,
            "german-speaking",
            "residence 4700, German-speaking; none was open when notified",
        ),
        (
            {"residence_postcode": None, "interception_postcode": "2000", "lodging": Lodging.NONE},
            "antwerpen",
            Track.INDIVIDUAL,
            "interception-province",
            "interception 2000 in BE-VAN; counter antwerpen-counter wed 09:00-12:00",
        ),
        (
            {"residence_postcode": None, "interception_postcode": "8400", "lodging": Lodging.NONE},
            "gent",
            Track.INDIVIDUAL,
            "interception-fallback",
            "interception 8400 in BE-VWV; counter gent-counter wed 09:00-12:00",
        ),
        (
            {"residence_postcode": "9000", "interception_postcode": "1000"},
            "gent",
            Track.INDIVIDUAL,
            "province",
            "residence 9000 in BE-VOV",
        ),
        (
            {"residence_postcode": None, "interception_postcode": None},
            "bruxelles",
            Track.TRIAGE,
            "triage",
            "no_postcode; counter bruxelles-counter wed 09:00-12:00",
        ),
        (
            {"residence_postcode": None, "household": FAMILY},
            "bruxelles",
            Track.TRIAGE,
            "triage",
            "no_postcode; counter bruxelles-counter wed 09:00-12:00",
        ),
        (
            {"notified_at": BEFORE_ANY_OFFICE},
            "gent",
            Track.INDIVIDUAL,
            "province",
            "residence 9000 in BE-VOV; none was open when notified",
        ),
    ],
)
def test_a_case_is_routed_with_the_rule_and_reason_recorded(
    changed: dict[str, Any], office: str, track: Track, rule: str, reason: str
) -> None:
    result = routed(**changed)
    assert (result.office_id, result.track, result.rule_id) == (office, track, rule)
    assert result.reason == reason
    looked_up_today = "none was open" in reason
    assert result.as_of == (
        LATER.replace(hour=0) if looked_up_today else changed.get("notified_at", NOTIFIED)
    )


@pytest.mark.parametrize(
    ("postcode", "province", "office", "rule", "language"),
    [
        ("1000", "BE-BRU", "bruxelles", "province", "nl"),
        ("1299", "BE-BRU", "bruxelles", "province", "nl"),
        ("1300", "BE-WBR", "bruxelles", "fallback", "fr"),
        ("1499", "BE-WBR", "bruxelles", "fallback", "fr"),
        ("1500", "BE-VBR", "bruxelles", "fallback", "nl"),
        ("1999", "BE-VBR", "bruxelles", "fallback", "nl"),
        ("2000", "BE-VAN", "antwerpen", "province", "nl"),
        ("2999", "BE-VAN", "antwerpen", "province", "nl"),
        ("3000", "BE-VBR", "bruxelles", "fallback", "nl"),
        ("3499", "BE-VBR", "bruxelles", "fallback", "nl"),
        ("3500", "BE-VLI", "hasselt", "province", "nl"),
        ("3999", "BE-VLI", "hasselt", "province", "nl"),
        ("4000", "BE-WLG", "liege", "province", "fr"),
        ("4999", "BE-WLG", "liege", "province", "fr"),
        ("5000", "BE-WNA", "namur", "province", "fr"),
        ("6000", "BE-WHT", "namur", "fallback", "fr"),
        ("6599", "BE-WHT", "namur", "fallback", "fr"),
        ("6600", "BE-WLX", "neufchateau", "province", "fr"),
        ("7000", "BE-WHT", "namur", "fallback", "fr"),
        ("7999", "BE-WHT", "namur", "fallback", "fr"),
        ("8000", "BE-VWV", "gent", "fallback", "nl"),
        ("9000", "BE-VOV", "gent", "province", "nl"),
        ("9999", "BE-VOV", "gent", "province", "nl"),
    ],
)
def test_a_postcode_is_routed_to_the_office_of_its_province(
    postcode: str, province: str, office: str, rule: str, language: str
) -> None:
    result = routed(residence_postcode=postcode)
    assert (result.office_id, result.rule_id, result.language) == (office, rule, language)
    assert result.reason == f"residence {postcode} in {province}"


def test_every_belgian_postcode_has_a_province() -> None:
    day = NOTIFIED.date()
    assert all(ref().directory.province_of(code, day) for code in range(1000, 10_000))


@pytest.mark.parametrize(
    ("notified_at", "office", "reason"),
    [
        (BEFORE_2025, "antwerpen", "residence 2070 in BE-VAN; gent covers later cases"),
        (IN_2025, "gent", "residence 2070 in BE-VOV"),
    ],
)
def test_zwijndrecht_belongs_to_another_province_from_2025(
    notified_at: datetime, office: str, reason: str
) -> None:
    result = routed(residence_postcode="2070", notified_at=notified_at)
    assert (result.office_id, result.reason) == (office, reason)


@pytest.mark.parametrize(
    ("postcode", "speaks", "language"),
    [
        ("4700", "de", "de"),
        ("4700", "fr", "fr"),  # facilities
        ("4700", "nl", "de"),
        ("4950", "de", "de"),  # Waimes, French with German facilities
        ("4950", "nl", "fr"),
        ("1620", "fr", "fr"),  # Drogenbos, Dutch with French facilities
        ("1600", "fr", "nl"),  # Sint-Pieters-Leeuw, without
        ("7700", "nl", "nl"),  # Mouscron, French with Dutch facilities
        ("7500", "nl", "fr"),  # Tournai, without
        ("1000", "fr", "fr"),
        ("1000", "nl", "nl"),
        ("1000", "de", "fr"),
        ("9000", "nl", "nl"),
        ("2070", "fr", "nl"),
    ],
)
def test_the_contact_language_is_that_of_the_postcode_unless_facilities_apply(
    postcode: str, speaks: str, language: str
) -> None:
    assert routed(residence_postcode=postcode, language=Language(speaks)).language == language


@pytest.mark.parametrize("speaks", list(Language))
def test_without_a_postcode_the_contact_language_is_that_of_the_order(speaks: Language) -> None:
    assert routed(residence_postcode=None, language=speaks).language is speaks


def test_the_route_contains_the_interpreter_language() -> None:
    assert routed(interpreter_language="ti").interpreter_language == "ti"


def test_a_postcode_in_no_territory_goes_to_triage() -> None:
    incomplete = edited(
        ("[[1500, 1999], [3000, 3499]]", "[[1500, 1989], [3000, 3499]]"),
        ("[1000, 1999],", "[1000, 1989],"),
    )
    result = routed(LATER, incomplete, residence_postcode="1999")
    assert (result.track, result.reason) == (Track.TRIAGE, "postcode_unknown: residence 1999")
    assert result.language is Language.NL


def test_a_new_office_in_the_data_takes_over_from_its_opening_day() -> None:
    opened = edited(more=CHARLEROI)
    on_the_day = routed(LATER, opened, residence_postcode="6000")
    assert (on_the_day.office_id, on_the_day.rule_id) == ("charleroi", "province")
    day_before = NOTIFIED.replace(day=1)
    before = routed(day_before, opened, residence_postcode="6000", notified_at=day_before)
    assert (before.office_id, before.rule_id) == ("namur", "fallback")
    assert before.until == NOTIFIED.replace(hour=0)
    since = routed(NOTIFIED, opened, residence_postcode="6000", notified_at=day_before)
    assert (since.office_id, since.rule_id) == ("charleroi", "province")
    assert since.reason == "residence 6000 in BE-WHT; charleroi has opened"


CLOSING = (
    '\nid = "hasselt"',
    '\nid = "hasselt"\nvalid_to = 2026-04-01',
)
FROM_HASSELT = """
[[fallback]]
province = "BE-VLI"
office_id = "antwerpen"
"""


@pytest.mark.parametrize(
    ("now", "office", "rule", "reason"),
    [
        (
            datetime(2026, 3, 31, 23, 59, tzinfo=BRUSSELS),
            "hasselt",
            "province",
            "residence 3500 in BE-VLI",
        ),
        (
            datetime(2026, 4, 1, tzinfo=BRUSSELS),
            "antwerpen",
            "fallback",
            "residence 3500 in BE-VLI; hasselt has closed",
        ),
    ],
)
def test_the_cases_of_a_closed_office_are_rerouted_on_the_closing_day(
    now: datetime, office: str, rule: str, reason: str
) -> None:
    result = routed(now, edited(CLOSING, more=FROM_HASSELT), residence_postcode="3500")
    assert (result.office_id, result.rule_id, result.reason) == (office, rule, reason)


def test_a_case_is_checked_again_when_its_office_closes() -> None:
    result = routed(NOTIFIED, edited(CLOSING), residence_postcode="3500")
    assert result.until == datetime(2026, 4, 1, tzinfo=BRUSSELS)


def test_a_case_without_an_open_office_is_checked_again_when_one_opens() -> None:
    reopens = '\n[[office]]\nid = "genk"\nvalid_from = 2026-09-01\nname = '
    names = '{ fr = "Genk", nl = "Genk", de = "Genk", en = "Genk" }\n'
    line = '[[coverage]]\nprovince = "BE-VLI"\noffice_id = "genk"\nvalid_from = 2026-09-01\n'
    own = '[[coverage]]\nprovince = "BE-VLI"\noffice_id = "hasselt"'
    directory = edited(CLOSING, (own, f"{own}\nvalid_to = 2026-04-01"), more=reopens + names + line)
    waiting = routed(LATER, directory, residence_postcode="3500")
    opening = datetime(2026, 9, 1, tzinfo=BRUSSELS)
    assert (waiting.track, waiting.until) == (Track.TRIAGE, opening)
    assert waiting.reason == "no_office_open: residence 3500 in BE-VLI; hasselt has closed"
    assert routed(opening, directory, residence_postcode="3500").office_id == "genk"


def test_time_alone_changes_a_route_only_on_a_date_in_the_directory() -> None:
    directory = ref().directory
    spans = [office.span for office in directory.offices.values()]
    spans += [line.span for line in (*directory.coverage, *directory.fallback)]
    spans += [transfer.span for transfer in directory.transfers]
    dates = {day for span in spans for day in (span.since, span.until)}
    for code in range(1000, 10_000, 37):
        until = routed(residence_postcode=str(code)).until
        assert until is None or ref().calendar.local_date(until) in dates


def test_every_office_and_team_has_a_display_name_in_each_language() -> None:
    directory = ref().directory
    named = [*directory.offices, *(team.office_id for team in directory.all_teams)]
    for office in named:
        assert all(directory.name(office, language) for language in ("fr", "nl", "de", "en"))


def test_a_case_goes_to_triage_while_no_office_is_open() -> None:
    waiting = routed(BEFORE_ANY_OFFICE, notified_at=BEFORE_ANY_OFFICE)

    assert (waiting.office_id, waiting.track) == ("bruxelles", Track.TRIAGE)
    assert waiting.reason == "no_office_open: residence 9000 in BE-VOV"
