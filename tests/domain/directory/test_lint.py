"""An office directory with faults is refused, and the error names every fault."""

from __future__ import annotations

from datetime import date

import pytest

from streams.domain.directory.load import DirectoryError, load_directory
from tests.domain.given import ref

TEXT = ref().directory.body
LIEGE = """id = "liege"
name = { fr = "Liège", nl = "Luik", de = "Lüttich", en = "Liège" }
valid_from = 2021-11-01"""
VWV = """province = "BE-VWV"
office_id = "gent" # 40 km
valid_from = 2021-11-01"""
TRANSFER = """postcodes = [2070]
province = "BE-VOV"
valid_from = 2025-01-01"""
DETENTION_TEAM = TEXT[TEXT.index("[[team]]") : TEXT.index('[[team]]\nlodging = "return_house"')]


def edit(old: str, new: str, within: str = TEXT) -> str:
    assert within.count(old) == 1, old
    return within.replace(old, new)


def liege(old: str, new: str) -> str:
    return edit(LIEGE, edit(old, new, LIEGE))


def transfer(old: str, new: str) -> str:
    return edit(TRANSFER, edit(old, new, TRANSFER))


COUNTER = TEXT[TEXT.index('id = "gent-counter"') :].partition("\n\n")[0]


def counter(old: str, new: str) -> str:
    return edit(COUNTER, edit(old, new, COUNTER))


SHARED_HOUSES = edit('track = "return_house"', 'track = "return_house"\nshared = true')


def team(*more: str) -> str:
    """Return one more team for return houses, of another track."""
    names = '{ fr = "Sud", nl = "Zuid", de = "Süd", en = "South" }'
    lines = ['lodging = "return_house"', 'office_id = "return-south"', 'track = "family"']
    return "\n".join(["[[team]]", *lines, f"name = {names}", *more])


FAULTS = [
    (edit(VWV, VWV.replace("valid_from", "valid_form")), "unknown key 'valid_form'"),
    (liege("valid_from", "valid_until"), "office liege: unknown key 'valid_until'"),
    (edit("[triage]", "[traige]"), "unknown key 'traige', did you mean 'triage'?"),
    (
        edit(VWV, f"{VWV}\npostcodes = [[8000, 8100]]"),
        "BE-VWV to gent names both a province and postcodes",
    ),
    (
        edit(VWV, VWV.replace('province = "BE-VWV"\n', "")),
        "a line to gent names neither a province nor postcodes",
    ),
    (
        edit(VWV, VWV.replace('province = "BE-VWV"', "postcodes = []")),
        "a line to gent names neither a province nor postcodes",
    ),
    (
        edit(VWV, VWV.replace('province = "BE-VWV"', 'postcodes = ["8000"]')),
        "numbers, or pairs of a first and a last number",
    ),
    (
        edit(VWV, VWV.replace('province = "BE-VWV"', "postcodes = [[8000, 8100, 8200]]")),
        "numbers, or pairs of a first and a last number",
    ),
    (
        edit(VWV, VWV.replace('province = "BE-VWV"', "postcodes = [999]")),
        "postcode 999 is in no territory",
    ),
    (counter('"gent-counter"', '"hasselt-counter"'), "counter hasselt-counter: the id is used"),
    (counter('"gent-counter"', '"liege"'), "counter liege: the id is used twice"),
    (counter('"gent-counter"', '"return-houses"'), "counter return-houses: the id is used twice"),
    (counter('"gent-counter"', '"Gent"'), "office id 'Gent' is not well-formed"),
    (counter("9999", "10000"), "postcode 10000 is in no territory"),
    (counter("\n  [8000, 9999],\n", ""), "counter gent-counter serves no postcode"),
    (counter("[3]", "[]"), "weekdays are 1 for Monday"),
    (
        counter("weekdays", "valid_from = 2027-01-01\nvalid_to = 2026-01-01\nweekdays"),
        "counter gent-counter: valid_to is not after valid_from",
    ),
    (
        edit(VWV, VWV.replace('province = "BE-VWV"', "postcodes = [[8100, 8000]]")),
        "postcodes 8100-8000 run backwards",
    ),
    (counter('gent"', 'gant"'), "office gant is named but not listed"),
    (counter("[3]", "[8]"), "weekdays are 1 for Monday"),
    (counter("[3]", "[0, 3]"), "weekdays are 1 for Monday"),
    (counter("09:00:00", "19:00:00"), "closes before it opens"),
    (counter("09:00:00", "12:00:00"), "closes before it opens"),
    (edit("[[2000, 2999]]", "[[2000, 3000]]"), "postcodes 2000-3000 overlap those from 3000"),
    (counter("09:00:00", '"09:00"'), "times without quotes"),
    (liege(', de = "Lüttich"', ', dee = "Lüttich"'), "office liege name: unknown key 'dee', did"),
    (edit("[german]", "[german]\nvalid_from = 2027-01-01"), "german: unknown key 'valid_from'"),
    (counter("weekdays", "week_days"), "counter gent-counter: unknown key 'week_days', did you"),
    (f"{TEXT}\n[zzz]\n", "unknown key 'zzz'; known: version, valid_from, office, team"),
    ("[[office", "not TOML"),
    ("", "missing or misplaced"),
    (edit('version = "2026.2"\n', ""), "missing or misplaced: KeyError('version')"),
    (liege('id = "liege"', 'id = "luik"'), "office liege is named but not listed"),
    (liege('id = "liege"', 'id = "gent"'), "an office id is used twice"),
    (liege('id = "liege"', 'id = "Liège"'), "office id 'Liège' is not well-formed"),
    (liege('id = "liege"\n', ""), "missing or misplaced: KeyError('id')"),
    (liege(', de = "Lüttich"', ""), "office liege: no name in de"),
    (liege("2021-11-01", '"2021-11-01"'), "dates without quotes"),
    (liege("2021-11-01", "2021-11-01T00:00:00"), "dates without quotes"),
    (
        liege("2021-11-01", "2021-11-01\nvalid_to = 2021-11-01"),
        "office liege: valid_to is not after valid_from",
    ),
    (
        edit(VWV, f"{VWV}\nvalid_to = 2020-01-01"),
        "BE-VWV to gent: valid_to is not after valid_from",
    ),
    (transfer("2025-01-01", "2025-01-01\nvalid_to = 2024-01-01"), "transfer to BE-VOV: valid_to"),
    (transfer("BE-VOV", "BE-OVL"), "BE-OVL is not a territory"),
    (edit(DETENTION_TEAM, ""), "lodging detained has no team"),
    (edit('lodging = "detained"', 'lodging = "return_house"'), "a lodging has two teams"),
    (edit('lodging = "detained"', 'lodging = "prison"'), "'prison' is not a valid Lodging"),
    (edit(', de = "Warteschlange Haft"', ""), "team detention-queue: no name in de"),
    (edit('track = "detained"', 'track = "deported"'), "'deported' is not a valid Track"),
    (edit('[triage]\noffice_id = "bruxelles"', "[triage]"), "KeyError('office_id')"),
    (edit('[triage]\noffice_id = "bruxelles"', '[triage]\noffice_id = "mons"'), "office mons is"),
    (edit("[[2000, 2999]]", "[[2000, 3010]]"), "postcodes 2000-3010 overlap those from 3000"),
    (edit("[[2000, 2999]]", "[[2999, 2000]]"), "postcodes 2999-2000 run backwards"),
    (edit("[[2000, 2999]]", '[["2000", "2999"]]'), "missing or misplaced"),
    (edit("[[4000, 4999]]", "[[4000, 4699]]"), "postcode 4700 is in no territory"),
    (edit("[[2000, 2999]]", "[[2100, 2999]]"), "postcode 2070 is in no territory"),
    (edit(VWV, VWV.replace("BE-VWV", "BE-VOV")), "BE-VWV has neither an office nor a fallback"),
    (edit(VWV, VWV.replace("BE-VWV", "BE-XXX")), "BE-XXX is not a territory"),
    (
        f'{TEXT}\n[[coverage]]\nprovince = "BE-VOV"\noffice_id = "hasselt"\n',
        "coverage: BE-VOV has two offices on the same day",
    ),
    (
        f'{TEXT}\n[[fallback]]\nprovince = "BE-VWV"\noffice_id = "hasselt"\n',
        "fallback: BE-VWV has two offices on the same day",
    ),
    (
        edit(VWV, VWV.replace('office_id = "gent"', 'office_ids = ["gent", "gent"]')),
        "a line to gent+gent: office_ids must name two or more offices, each once",
    ),
    (
        edit(VWV, VWV.replace('office_id = "gent"', 'office_ids = ["gent"]')),
        "a line to gent: office_ids must name two or more offices",
    ),
    (
        edit(VWV, f'{VWV}\noffice_ids = ["gent", "antwerpen"]'),
        "a line to gent+antwerpen has both office_id and office_ids",
    ),
    (
        edit(VWV, VWV.replace('office_id = "gent"', 'office_ids = "gent"')),
        "office_ids a list of texts",
    ),
    (
        edit(VWV, VWV.replace('office_id = "gent"', 'office_ids = ["gent", "kortrijk"]')),
        "office kortrijk is named but not listed",
    ),
    (
        edit(VWV, VWV.replace('office_id = "gent"', 'office_ids = ["gent", "namur"]')),
        "BE-VWV to gent+namur: namur serves other languages only",
    ),
    (f"{TEXT}\n{team('shared = true')}", "a lodging has two teams: say shared = true in each"),
    (f"{SHARED_HOUSES}\n{team('shared = true')}", "a lodging with return-houses differ in track"),
    (
        f"{SHARED_HOUSES}\n{team('shared = true').replace('south', 'houses')}",
        "team return-houses is listed twice for a lodging",
    ),
    (f'{TEXT}\n[[facility]]\nhonours = ["en"]\npostcodes = [1000]\n', "'en' is not a valid"),
    (f'{TEXT}\n[[facility]]\nhonours = ["fr"]\npostcodes = [999]\n', "postcode 999 is in no"),
]


def test_the_directory_of_the_repository_has_no_faults() -> None:
    directory = load_directory(TEXT)
    assert directory == ref().directory
    covered = {line.province for line in (*directory.coverage, *directory.fallback)}
    assert covered == {territory.province for territory in directory.territories}


@pytest.mark.parametrize(("text", "fault"), FAULTS, ids=[fault for _, fault in FAULTS])
def test_a_faulty_directory_is_refused_with_the_fault(text: str, fault: str) -> None:
    with pytest.raises(DirectoryError) as caught:
        load_directory(text)
    assert any(fault in message for message in caught.value.faults), caught.value.faults


def test_the_error_lists_all_faults_at_once() -> None:
    text = edit("[[2000, 2999]]", "[[2000, 3010]]", liege(', de = "Lüttich"', ""))
    with pytest.raises(DirectoryError) as caught:
        load_directory(text)
    assert len(caught.value.faults) == 2


def test_one_office_may_replace_another_on_a_given_day() -> None:
    own = '[[coverage]]\nprovince = "BE-VOV"\noffice_id = "gent"'
    text = edit(own, f"{own}\nvalid_to = 2027-01-01")
    text += '\n[[coverage]]\nprovince = "BE-VOV"\noffice_id = "hasselt"\nvalid_from = 2027-01-01\n'
    coverage = load_directory(text).coverage
    offices = [line.office_id for line in coverage if line.province == "BE-VOV"]
    assert offices == ["gent", "hasselt"]


def test_a_counter_may_be_open_on_any_day_of_the_week() -> None:
    counters = load_directory(counter("[3]", "[1, 2, 3, 4, 5, 6, 7]")).counters
    assert (1, 2, 3, 4, 5, 6, 7) in [one.weekdays for one in counters]


@pytest.mark.parametrize(
    ("first", "second", "overlap"),
    [
        ("[[9300, 9310]]", "[[9311, 9320]]", False),
        ("[[9300, 9310]]", "[[9310, 9320]]", True),
        ("[[9310, 9320]]", "[[9300, 9310]]", True),
        ("[[9300, 9330]]", "[[9310, 9320]]", True),
        ("[[9310, 9320]]", "[[9300, 9330]]", True),
    ],
)
def test_two_finer_lines_may_touch_but_not_share_a_postcode(
    first: str, second: str, overlap: bool
) -> None:
    lines = [
        f'[[coverage]]\npostcodes = {codes}\noffice_id = "{office}"\n'
        for codes, office in ((first, "gent"), (second, "antwerpen"))
    ]
    text = "\n".join([TEXT, *lines])
    if overlap:
        with pytest.raises(DirectoryError, match="two offices on the same day"):
            load_directory(text)
    else:
        assert load_directory(text)


def test_the_open_office_of_a_province_is_the_one_of_that_day() -> None:
    own = '[[coverage]]\nprovince = "BE-VOV"\noffice_id = '
    text = edit(f'{own}"gent"', f'{own}"gent"\nvalid_to = 2027-01-01')
    text += f'\n{own}"hasselt"\nvalid_from = 2028-01-01\n'
    directory = load_directory(text)
    offices = [
        directory.open_office(directory.coverage, "BE-VOV", day)
        for day in (date(2026, 12, 31), date(2027, 1, 1), date(2028, 1, 1))
    ]
    assert [office and office.id for office in offices] == ["gent", None, "hasselt"]


def test_an_office_that_is_closed_is_not_open_though_a_line_names_it() -> None:
    directory = load_directory(edit('\nid = "gent"', '\nid = "gent"\nvalid_to = 2026-03-12'))
    offices = [
        directory.open_office(directory.coverage, "BE-VOV", day)
        for day in (date(2026, 3, 11), date(2026, 3, 12))
    ]
    assert [office and office.id for office in offices] == ["gent", None]


def test_a_directory_names_itself_by_version_and_digest() -> None:
    directory = ref().directory
    assert repr(directory) == f"Directory({directory.version}, {directory.digest[:12]})"
