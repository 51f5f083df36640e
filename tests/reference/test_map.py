"""The board's map: an office needs no more than the directory to be on it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from streams.domain.directory.load import DirectoryError, load_directory
from streams.domain.policy.rules import LANGUAGES
from streams.reference import map as office_map
from streams.runtime.settings import Settings
from streams.services.board.pages import PageFacts
from tests.domain.given import ref

ELSEWHERE = ref().directory.body.replace('"hasselt"', '"genk"')
"""A directory in which an office that ``map.toml`` does not know covers Limburg."""
LIMBURG = next(
    row["points"] for row in office_map.load(ref().directory)["province"] if row["id"] == "BE-VLI"
)
WITHOUT_PROVINCE = """
[[office]]
id = "without-province"
name = { fr = "Sans", nl = "Zonder", de = "Ohne", en = "Without" }
"""


def places(text: str) -> dict[str, Any]:
    return {row["id"]: row["at"] for row in office_map.load(load_directory(text))["office"]}


def placed(office: str, at: str, text: str = ELSEWHERE) -> str:
    """Return a directory whose entry of an office says where its label stands."""
    entry = f'\nid = "{office}"\n'
    assert text.count(entry) == 1
    return text.replace(entry, f"{entry}at = {at}\n")


def test_every_shipped_office_has_a_place_inside_the_map() -> None:
    found = office_map.load(ref().directory)

    assert set(ref().directory.offices) <= {row["id"] for row in found["office"]}
    for row in found["office"]:
        assert 0 <= row["at"][0] <= found["width"]
        assert 0 <= row["at"][1] <= found["height"]


def test_a_new_office_is_labelled_in_the_middle_of_its_province() -> None:
    found, shipped = places(ELSEWHERE), places(ref().directory.body)

    assert found.pop("genk") == office_map.middle(LIMBURG)
    assert found == shipped


def test_an_office_is_labelled_where_its_entry_says() -> None:
    assert places(placed("genk", "[490, 120]"))["genk"] == [490, 120]
    assert places(placed("namur", "[375, 300]"))["namur"] == [375, 300]


def test_an_office_that_covers_no_province_is_not_on_the_map() -> None:
    assert "without-province" not in places(ELSEWHERE + WITHOUT_PROVINCE)


@pytest.mark.parametrize("at", ["[330]", "[330, 521]", "[-1, 5]", '["3", 5]', "[3.5, 5]", "3"])
def test_a_place_that_is_no_point_of_the_map_is_refused(at: str) -> None:
    with pytest.raises(DirectoryError, match="office genk: at must be two whole numbers"):
        places(placed("genk", at))


@pytest.mark.parametrize(
    ("corners", "point"),
    [([[0, 0], [6, 0], [6, 2], [0, 2]], (3, 1)), ([[0, 0], [0, 9], [9, 0]], (3, 3))],
    ids=["rectangle", "triangle"],
)
def test_the_middle_is_the_centre_of_gravity(corners: list[list[int]], point: object) -> None:
    assert office_map.middle(corners) == point
    assert office_map.middle(corners[::-1]) == point


def test_an_office_given_by_the_setting_reaches_the_page(tmp_path: Path) -> None:
    file = tmp_path / "directory.toml"
    file.write_text(ELSEWHERE)

    page = PageFacts.load(Settings(directory_file=file), datetime(2026, 6, 2, tzinfo=UTC))
    facts = orjson.loads(page.files["facts.json"].body)

    assert "genk" in page.offices
    assert set(facts["offices"]["genk"]) == set(LANGUAGES)
    assert facts["coverage"]["BE-VLI"] == {"office": "genk", "own": True}
    assert "genk" in {office["id"] for office in facts["map"]["office"]}
