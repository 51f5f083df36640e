"""What differs between two versions of the office directory, as codes and in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from streams import reference
from streams.domain.directory.changes import DirectoryChanges, Part, changes
from streams.domain.directory.load import load_directory
from streams.domain.directory.model import Directory
from streams.domain.explain.directory_changes import changes_in_words
from streams.domain.explain.policy_changes import Block
from streams.domain.policy.rules import LANGUAGES
from tests.domain.given import ref

TEXT = (reference.HERE / "directory.toml").read_text()

AALST = """[[office]]
id = "aalst"
name = { fr = "Alost", nl = "Aalst", de = "Aalst", en = "Aalst" }
valid_from = 2026-03-02

[[coverage]]
postcodes = [[9300, 9320], 9400]
office_ids = ["aalst", "gent"]
valid_from = 2026-03-02
valid_to = 2026-07-01

"""


def edited(*edits: tuple[str, str]) -> Directory:
    text = TEXT
    for before, after in edits:
        assert before in text, before
        text = text.replace(before, after, 1)
    return load_directory(text)


def found(after: Directory) -> DirectoryChanges:
    return changes(ref().directory, after)


def said(after: Directory, language: str = "en") -> Sequence[Block]:
    return changes_in_words(found(after), ref().directory, after, ref().wording(language))


def rows(after: Directory, language: str = "en") -> Mapping[tuple[str, str], tuple[object, object]]:
    """Return both sides of each row, by block and part."""
    return {
        (block.kind, row.part): (tuple(row.before), tuple(row.after))
        for block in said(after, language)
        for row in block.rows
    }


def test_a_version_does_not_differ_from_itself() -> None:
    assert found(load_directory(TEXT)).none
    assert said(load_directory(TEXT)) == []


def test_a_remark_and_another_name_change_no_route() -> None:
    assert found(load_directory(f"{TEXT}\n# a remark")).none
    assert found(edited(('"2026.2"', '"2026.3"'))).none


def test_an_office_that_opens_is_said_with_its_place_and_its_days() -> None:
    after = edited(("# Teams outside", f"{AALST}# Teams outside"))

    assert rows(after) == {
        ("office", "Aalst (aalst)"): ((), ("Aalst", "from 2 March 2026")),
        ("coverage", "postcodes 9300–9320, 9400"): (
            *((), ("Aalst or Ghent, from 2 March 2026 up to and including 30 June 2026",)),
        ),
    }
    assert [block.heading for block in said(after)] == [
        "Offices",
        "Which office covers which place",
    ]


def test_an_office_that_closes_keeps_its_name() -> None:
    before = edited(("# Teams outside", f"{AALST}# Teams outside"))
    gone = changes(before, ref().directory)

    (offices, _) = changes_in_words(gone, before, ref().directory, ref().wording("fr"))
    assert offices.rows[0].part == "Alost (aalst)"
    assert offices.rows[0].after == ()


@pytest.mark.parametrize(
    ("edit", "part", "before", "after"),
    [
        (
            ('version = "2026.2"', 'version = "2026.2"\nvalid_from = 2026-02-01'),
            ("whole", "first day"),
            ("without a date",),
            ("1 February 2026",),
        ),
        (
            ('[triage]\noffice_id = "bruxelles"', '[triage]\noffice_id = "namur"'),
            ("whole", "office of the cases without a known place"),
            ("Brussels",),
            ("Namur",),
        ),
        (
            ("  4700, 4701,", "  4700, 4702,"),
            ("whole", "German-speaking communes"),
            (
                "postcodes 4700, 4710–4711, 4720–4721, 4728, 4730–4731, 4750, 4760–4761, "
                "4770–4771, 4780, 4782–4784, 4790–4791",
                "postcode 4701",
            ),
            (
                "postcodes 4700, 4710–4711, 4720–4721, 4728, 4730–4731, 4750, 4760–4761, "
                "4770–4771, 4780, 4782–4784, 4790–4791",
                "postcode 4702",
            ),
        ),
        (
            ('de = "Brüssel", en = "Brussels"', 'de = "Bruessel", en = "Brussels"'),
            ("office", "Brussels (bruxelles)"),
            ("Brussels", "name (de): Brüssel", "from 7 October 2021"),
            ("Brussels", "name (de): Bruessel", "from 7 October 2021"),
        ),
        (
            ('"BE-VOV"\noffice_id = "gent"', '"BE-VOV"\noffice_id = "antwerpen"'),
            ("coverage", "East Flanders"),
            ("Ghent",),
            ("Antwerp",),
        ),
        (
            ('office_id = "gent" # 40 km\nvalid_from = 2021-11-01', 'office_id = "liege"'),
            ("fallback", "West Flanders"),
            ("Ghent, from 1 November 2021",),
            ("Liège",),
        ),
        (
            (
                'track = "detained"\nname = { fr = "File',
                'track = "individual"\nname = { fr = "File',
            ),
            ("team", "detention"),
            ("Detention queue, track: detention",),
            ("Detention queue, track: individual",),
        ),
        (
            ('[[2000, 2999]]\nlanguage = "nl"', '[[2000, 2999]]\nlanguage = "fr"'),
            ("territory", "Antwerp"),
            (
                *("postcodes 2000–2999", "language: Dutch"),
                "an order is followed up in: Dutch",
            ),
            (
                *("postcodes 2000–2999", "language: French"),
                "an order is followed up in: French",
            ),
        ),
        (
            ("postcodes = [2070]", "postcodes = [2070, 2071]"),
            ("transfer", "East Flanders"),
            ("postcode 2070, from 1 January 2025",),
            ("postcodes 2070–2071, from 1 January 2025",),
        ),
        (
            ("weekdays = [3]\nopens = 09:00:00", "weekdays = [3, 5]\nopens = 08:30:00"),
            ("counter", "bruxelles-counter"),
            (
                *("Brussels", "postcodes 1000–1999, 3000–3499"),
                *("counter open on Wednesday from 09:00 to 12:00", "without a date"),
            ),
            (
                *("Brussels", "postcodes 1000–1999, 3000–3499"),
                "counter open on Wednesday and Friday from 08:30 to 12:00",
                "without a date",
            ),
        ),
        (
            ("[4960, 4950]", "[4960]"),
            ("facility", "German"),
            ("postcode 4960", "postcode 4950"),
            ("postcode 4960",),
        ),
    ],
)
def test_each_entry_is_compared(
    edit: tuple[str, str], part: tuple[str, str], before: object, after: object
) -> None:
    assert rows(edited(edit))[part] == (before, after)


def test_counters_in_another_order_differ() -> None:
    head, *counters = TEXT.split("[[counter]]")
    swapped = "[[counter]]".join([head, counters[1], counters[0], *counters[2:]])

    after = found(load_directory(swapped))
    assert (after.entries, after.reordered) == ((), True)
    assert [block.kind for block in said(load_directory(swapped))] == ["reordered"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_part_of_every_entry_has_words(language: str) -> None:
    """Beside a directory of one office, every other entry was added."""
    shipped = ref().directory
    bare = load_directory(BARE)
    blocks = changes_in_words(changes(bare, shipped), bare, shipped, ref().wording(language))

    assert {block.kind for block in blocks} == set(Part)
    for block in blocks:
        assert all(row.part.strip() for row in block.rows)
        assert all(line.strip() for row in block.rows for line in (*row.before, *row.after))


BARE = """version = "bare"
fallback = []
counter = []
transfer = []
facility = []
triage = { office_id = "alone" }
german = { office_id = "alone", postcodes = [4700] }

[[office]]
id = "alone"
name = { fr = "Seul", nl = "Alleen", de = "Allein", en = "Alone" }

[[territory]]
province = "BE-WLG"
postcodes = [[4000, 4999]]
language = "fr"

[[coverage]]
province = "BE-WLG"
office_id = "alone"

[[team]]
lodging = "detained"
office_id = "queue"
track = "detained"
name = { fr = "File", nl = "Rij", de = "Schlange", en = "Queue" }

[[team]]
lodging = "return_house"
office_id = "houses"
track = "return_house"
name = { fr = "Maisons", nl = "Huizen", de = "Häuser", en = "Houses" }

[[team]]
lodging = "open_return_place"
office_id = "places"
track = "open_return_place"
name = { fr = "Places", nl = "Plaatsen", de = "Plätze", en = "Places" }
"""
