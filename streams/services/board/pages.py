"""Everything the page needs besides the state: files, words, map and runbooks."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final, Self

import orjson
from markdown_it import MarkdownIt

from streams import reference
from streams.domain.policy.rules import LANGUAGES
from streams.reference import map as office_map
from streams.runtime.settings import Settings
from streams.services.board.words import words
from streams.services.web.files import File, load_files
from streams.services.web.words import fill_in

_PAGE: Final = Path(__file__).with_name("page")
_ALERT: Final = re.compile(r"Icam[A-Za-z0-9]{1,60}")
_RUNBOOK_NAME: Final = re.compile(r"<code>(Icam[A-Za-z0-9]{1,60})</code>")
_LINK_OUTSIDE: Final = re.compile(r'<a href="\.\./[^"]*">(.*?)</a>')
_MARKDOWN: Final = MarkdownIt("commonmark", {"html": False}).enable("table")


@dataclass(frozen=True, slots=True)
class PageFacts:
    """Everything that does not change while the process runs."""

    files: Mapping[str, File]
    offices: Sequence[str]
    levels: Sequence[int]
    runbooks: Path

    @classmethod
    def load(cls, settings: Settings, now: datetime) -> Self:
        """Load the page's files and the reference data; office coverage is as of ``now``.

        Raises:
            PolicyError, DirectoryError: the reference data is invalid.
        """
        ref = reference.load(*settings.reference_files)
        offices = [*ref.directory.offices, *(t.office_id for t in ref.directory.all_teams)]
        levels = sorted({rule.level for rule in ref.policy.rules})
        facts = {
            "words": words(),
            "every": settings.board.every_seconds,
            "map": office_map.load(ref.directory),
            "offices": {
                name: {lang: ref.directory.name(name, lang) for lang in LANGUAGES}
                for name in offices
            },
            "coverage": _coverage(ref, ref.calendar.local_date(now)),
            "levels": {
                level: sorted({rule.action for rule in ref.policy.rules if rule.level == level})
                for level in levels
            },
        }
        files = load_files(_PAGE)
        files["facts.json"] = File.of(
            orjson.dumps(facts, option=orjson.OPT_NON_STR_KEYS), "application/json"
        )
        return cls(files, offices, levels, settings.board.runbooks)

    def page(self, language: str) -> str:
        """Return the page in one language, readable before any script runs."""
        return fill_in(self.files["index.html"].body.decode(), words(), language)

    def runbook(self, alert: str, language: str) -> str | None:
        """Return one runbook as a page; None if no runbook has that name."""
        if not _ALERT.fullmatch(alert) or not (self.runbooks / f"{alert}.md").is_file():
            return None
        return self._text_page(alert, self._rendered(alert), language)

    def contents(self, language: str) -> str:
        """Return the page that introduces the runbooks and lists them."""
        names = sorted(path.stem for path in self.runbooks.glob("Icam*.md"))
        lines = "".join(f"<li><code>{name}</code></li>" for name in names if _ALERT.fullmatch(name))
        title = words()[language]["runbooks.title"]
        if (self.runbooks / "README.md").is_file():
            body = self._rendered("README")
        else:
            body = f"<h1>{html.escape(title)}</h1>"
        return self._text_page(title, body + self._linked(f"<ul>{lines}</ul>"), language)

    def _rendered(self, name: str) -> str:
        """Render a Markdown file as HTML; links to files outside the folder become text."""
        body: str = _MARKDOWN.render((self.runbooks / f"{name}.md").read_text())
        return self._linked(_LINK_OUTSIDE.sub(r"\1", body))

    def _linked(self, body: str) -> str:
        """Turn names of runbooks into links."""

        def link(match: re.Match[str]) -> str:
            name = match[1]
            exists = (self.runbooks / f"{name}.md").is_file()
            return f'<a href="/runbooks/{name}">{match[0]}</a>' if exists else match[0]

        return _RUNBOOK_NAME.sub(link, body)

    def _text_page(self, title: str, body: str, language: str) -> str:
        template = fill_in(self.files["runbook.html"].body.decode(), words(), language)
        return template.replace("<!--title-->", html.escape(title)).replace("<!--body-->", body)


def _coverage(ref: reference.Reference, today: date) -> dict[str, Any]:
    """Return the office that covers each province on a day, and whether it is its own office."""
    directory = ref.directory
    coverage = {}
    for territory in directory.territories:
        office = directory.open_office(directory.coverage, territory.province, today)
        own = office is not None
        office = office or directory.open_office(directory.fallback, territory.province, today)
        if office is not None:
            coverage[territory.province] = {"office": office.id, "own": own}
    return coverage
