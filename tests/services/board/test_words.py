"""The page speaks four languages, and says everything in each."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from schemas.envelope import Reason
from schemas.outcomes import Action, Track
from streams.domain.policy.rules import LANGUAGES
from streams.runtime.settings import Settings
from streams.services import board
from streams.services.board.figures import CONCLUSIONS
from streams.services.board.pages import PageFacts
from streams.services.board.signals import RUNBOOKS
from streams.services.board.words import chosen, words

ROOM = Path(board.__file__).parent
PAGE = ROOM / "page"


def _entries(table: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, dict[str, str]]]:
    for name, found in table.items():
        if isinstance(next(iter(found.values())), str):
            yield prefix + name, found
        else:
            yield from _entries(found, f"{prefix}{name}.")


ENTRIES = dict(_entries(tomllib.loads((ROOM / "words.toml").read_text())))


@pytest.mark.parametrize("name", ENTRIES)
def test_each_word_is_there_in_four_languages_with_the_same_places(name: str) -> None:
    texts = ENTRIES[name]
    assert set(texts) == set(LANGUAGES)
    assert all(text.strip() for text in texts.values())
    assert len({tuple(sorted(re.findall(r"\{\w+\}", text))) for text in texts.values()}) == 1


def test_every_word_that_the_page_names_exists() -> None:
    named = set()
    for path in PAGE.iterdir():
        text = path.read_text()
        named |= set(re.findall(r'data-(?:word|label)="([^"]+)"', text))
        named |= set(re.findall(r'\bword\("([a-z_.]+)"', text))
    assert len(named) > 40
    assert named <= set(words()["en"])


def test_every_code_that_the_state_may_name_has_a_word() -> None:
    codes = {f"reason.{reason}" for reason in Reason} | {f"action.{action}" for action in Action}
    codes |= {f"track.{track}" for track in Track} | {f"value.{name}" for name in CONCLUSIONS}
    codes |= {f"advice.{name}" for name in RUNBOOKS} | {f"signal.{name}" for name in RUNBOOKS}
    assert codes <= set(words()["en"])


@pytest.mark.parametrize(
    ("wanted", "accept", "language"),
    [
        ("de", "fr", "de"),
        (None, "nl-BE,nl;q=0.9,en;q=0.5", "nl"),
        (None, "es,en;q=0.3,fr-BE;q=0.8", "fr"),
        ("xx", "de;q=0", "en"),
        (None, "fr;q=often,nl;q=0.2", "nl"),
        (None, None, "en"),
    ],
)
def test_the_language_asked_for_wins_then_the_browsers(
    wanted: str | None, accept: str | None, language: str
) -> None:
    assert chosen(wanted, accept) == language


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_reads_before_any_script_ran(language: str) -> None:
    page = PageFacts.load(Settings(), datetime.now(UTC)).page(language)

    assert f'<html lang="{language}"' in page
    assert f'<option value="{language}" selected' in page
    assert f">{words()[language]['title']}</h1>" in page
    assert not re.search(r'data-word="[^"]+"[^>]*></', page)


def test_every_province_is_on_the_map_and_followed_by_an_office_that_is_on_it() -> None:
    facts = orjson.loads(PageFacts.load(Settings(), datetime.now(UTC)).files["facts.json"].body)

    provinces = {province["id"] for province in facts["map"]["province"]}
    offices = {office["id"] for office in facts["map"]["office"]}
    assert len(provinces) == 11
    assert set(facts["coverage"]) == provinces
    assert {cover["office"] for cover in facts["coverage"].values()} <= offices
    assert all(set(province["name"]) == set(LANGUAGES) for province in facts["map"]["province"])
