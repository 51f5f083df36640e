"""The board's map: an office needs no more than the directory to be on it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from streams.domain.directory.load import DirectoryError, load_directory
from streams.reference import map as office_map
from streams.runtime.settings import Settings
from streams.services.board.pages import PageFacts
from tests.domain.given import ref

OFFICE = """
[[office]]
id = "wavre"
name = { fr = "Wavre", nl = "Waver", de = "Wavre", en = "Wavre" }
valid_from = 2026-06-01
"""
COVERAGE = """
[[coverage]]
province = "BE-WBR"
office_id = "wavre"
valid_from = 2026-06-01
"""
PROVINCES = {row["id"]: row["points"] for row in office_map.load(ref().directory)["province"]}


def directory(more: str) -> str:
    return ref().directory.body + more


def places(text: str) -> dict[str, Any]:
    return {row["id"]: row["at"] for row in office_map.load(load_directory(text))["office"]}


def test_every_shipped_office_has_a_place_inside_the_map() -> None:
    found = office_map.load(ref().directory)

    assert set(ref().directory.offices) <= {row["id"] for row in found["office"]}
    for row in found["office"]:
        assert 0 <= row["at"][0] <= found["width"]
        assert 0 <= row["at"][1] <= found["height"]


def test_a_new_office_is_labelled_in_the_middle_of_its_province() -> None:
    found = places(directory(OFFICE + COVERAGE))

    assert found["wavre"] == office_map.middle(PROVINCES["BE-WBR"])
    assert {name: at for name, at in found.items() if name != "wavre"} == places(directory(""))


def test_an_office_is_labelled_where_its_entry_says() -> None:
    assert places(directory(f"{OFFICE}at = [330, 228]\n{COVERAGE}"))["wavre"] == [330, 228]


def test_a_shipped_office_can_be_labelled_elsewhere() -> None:
    body = ref().directory.body
    assert body.count('\nid = "namur"\n') == 1
    moved = body.replace('\nid = "namur"\n', '\nid = "namur"\nat = [375, 300]\n')

    assert places(moved)["namur"] == [375, 300]


def test_an_office_that_covers_no_province_is_not_on_the_map() -> None:
    assert "wavre" not in places(directory(OFFICE))


@pytest.mark.parametrize("at", ["[330]", "[330, 521]", "[-1, 5]", '["3", 5]', "[3.5, 5]", "3"])
def test_a_place_that_is_no_point_of_the_map_is_refused(at: str) -> None:
    with pytest.raises(DirectoryError, match="office wavre: at must be two whole numbers"):
        places(directory(f"{OFFICE}at = {at}\n{COVERAGE}"))


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
    file.write_text(directory(OFFICE + COVERAGE))

    page = PageFacts.load(Settings(directory_file=file), datetime(2026, 6, 2, tzinfo=UTC))
    facts = orjson.loads(page.files["facts.json"].body)

    assert "wavre" in page.offices
    assert facts["offices"]["wavre"]["nl"] == "Waver"
    assert facts["coverage"]["BE-WBR"] == {"office": "wavre", "own": True}
    assert "wavre" in {office["id"] for office in facts["map"]["office"]}
