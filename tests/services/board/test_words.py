"""The page has every text in four languages."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from schemas.outcomes import Action, Track
from schemas.rejected import Reason
from streams.domain.policy.rules import LANGUAGES
from streams.runtime.settings import Settings
from streams.services import board
from streams.services.board.figures import CONCLUSIONS, WHEN_DUE
from streams.services.board.pages import PageFacts
from streams.services.board.signals import RUNBOOKS
from streams.services.board.words import words
from streams.services.web.words import choose_language
from tests.domain.given import WEDNESDAY, ref

BOARD = Path(board.__file__).parent
PAGE = BOARD / "page"


def _entries(table: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, dict[str, str]]]:
    for name, entry in table.items():
        if isinstance(next(iter(entry.values())), str):
            yield prefix + name, entry
        else:
            yield from _entries(entry, f"{prefix}{name}.")


ENTRIES = dict(_entries(tomllib.loads((BOARD / "words.toml").read_text())))


def test_each_text_exists_in_four_languages_with_the_same_placeholders(
    subtests: pytest.Subtests,
) -> None:
    for name in ENTRIES:
        with subtests.test(name):
            texts = ENTRIES[name]
            assert set(texts) == set(LANGUAGES)
            assert all(text.strip() for text in texts.values())
            assert (
                len({tuple(sorted(re.findall(r"\{\w+\}", text))) for text in texts.values()}) == 1
            )


def test_every_text_that_the_page_uses_exists() -> None:
    named = set()
    for path in PAGE.iterdir():
        text = path.read_text()
        named |= set(re.findall(r'data-(?:word|label)="([^"]+)"', text))
        named |= set(re.findall(r'\bword\("([a-z_.]+)"', text))
    assert len(named) > 40
    assert named <= set(words()["en"])


def test_every_code_that_the_state_may_contain_has_a_text() -> None:
    codes = {f"reason.{reason}" for reason in Reason} | {f"action.{action}" for action in Action}
    codes |= {f"track.{track}" for track in Track} | {f"value.{name}" for name in CONCLUSIONS}
    codes |= {f"advice.{name}" for name in RUNBOOKS} | {f"signal.{name}" for name in RUNBOOKS}
    codes |= {"advice.attention"} | {f"work.{name}" for name in WHEN_DUE}
    assert codes <= set(words()["en"])


@pytest.mark.parametrize(
    ("requested", "accept", "language"),
    [
        ("de", "fr", "de"),
        (None, "nl-BE,nl;q=0.9,en;q=0.5", "nl"),
        (None, "es,en;q=0.3,fr-BE;q=0.8", "fr"),
        ("xx", "de;q=0", "en"),
        (None, "fr;q=often,nl;q=0.2", "nl"),
        (None, None, "en"),
    ],
)
def test_the_requested_language_wins_then_the_language_of_the_browser(
    requested: str | None, accept: str | None, language: str
) -> None:
    assert choose_language(requested, accept) == language


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_is_readable_before_any_script_runs(language: str) -> None:
    page = PageFacts.load(Settings(), WEDNESDAY).page(language)

    assert f'<html lang="{language}"' in page
    assert f'<option value="{language}" selected' in page
    assert f">{words()[language]['title']}</h1>" in page
    assert not re.search(r'data-word="[^"]+"[^>]*></', page)


def test_every_province_on_the_map_is_covered_by_an_office_on_the_map() -> None:
    facts = orjson.loads(PageFacts.load(Settings(), WEDNESDAY).files["facts.json"].body)

    provinces = {province["id"] for province in facts["map"]["province"]}
    offices = {office["id"] for office in facts["map"]["office"]}
    assert provinces == {territory.province for territory in ref().directory.territories}
    assert set(facts["coverage"]) == provinces
    assert {cover["office"] for cover in facts["coverage"].values()} <= offices
    assert all(set(province["name"]) == set(LANGUAGES) for province in facts["map"]["province"])
