"""The page of the studio has every text in four languages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from streams.domain.policy.rules import LANGUAGES
from streams.services import studio, web
from streams.services.studio.app import load_page
from streams.services.studio.drafts import Kind
from streams.services.studio.runs import Step
from streams.services.studio.serving import Refusal
from streams.services.web.words import fill_in

PAGE = Path(studio.__file__).parent / "page"
SHARED = Path(web.__file__).parent / "page"
WORDS = load_page().words


def test_each_text_has_the_same_places_in_every_language() -> None:
    for name, text in WORDS["en"].items():
        places = sorted(re.findall(r"\{\w+\}", text))
        for language in LANGUAGES:
            other = WORDS[language][name]
            assert other.strip()
            assert sorted(re.findall(r"\{\w+\}", other)) == places, name


def test_every_text_that_the_page_uses_exists_and_is_used() -> None:
    used = {f"run.{step}" for step in Step}
    used |= {f"{kind}.{side}" for kind in ("side", "only") for side in ("before", "after")}
    used |= {f"{name}.{kind}" for name in ("facts", "compared") for kind in Kind}
    used |= {f"refused.{why}" for why in Refusal}
    used |= {"facts.directory_undated", "run.note_dated"}
    for path in (*PAGE.iterdir(), *SHARED.glob("*.html")):
        text = path.read_text()
        used |= set(re.findall(r'data-word="([^"]+)"', text))
        used |= set(re.findall(r'\bword\("([a-z_.]+)"', text))
    assert used == set(WORDS["en"])


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_is_readable_before_any_script_runs(language: str) -> None:
    page = load_page()
    text = fill_in(page.files["index.html"].body.decode(), page.words, language)

    assert f'<html lang="{language}"' in text
    assert f">{WORDS[language]['title']}</h1>" in text
    assert not re.search(r'data-word="[^"]+"[^>]*></', text)
