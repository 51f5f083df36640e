"""The result of a what-if as a page, as lines of text and as data."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from html import unescape
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import orjson
import pytest
from axe_playwright_python.sync_playwright import Axe
from hypothesis import given as given_any
from hypothesis import strategies as st
from playwright.sync_api import Browser

from streams.cli.plots import Point, Texts, bar_of_change, lines_with_changes, ticks
from streams.cli.whatif_data import whatif_as_data
from streams.cli.whatif_page import page
from streams.cli.whatif_text import text
from streams.cli.whatif_view import view
from streams.domain.explain.decision_text import Document, Line, Section
from streams.domain.explain.side_by_side import Marked, Pair, Side, side_by_side
from streams.domain.policy.rules import LANGUAGES
from streams.domain.whatif import Change, Group, Load, WhatIf
from tests import whatifs
from tests.domain import given
from tests.pipeline.chromium import DESKTOP, PHONE, chromium

HOSTILE = "<script>alert('\u202e')</script>\"&"
_VOID = {"meta", "br"}


class Parsed(HTMLParser):
    """What a page holds: its text, the cells of its tables, and what it would load."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loads += [name for name, _ in attrs if name in ("src", "href", "style", "onload")]
        self.ids += [value for name, value in attrs if name == "id" and value]
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data


def words(html: str) -> str:
    """Return the text of a page with plain spaces."""
    return re.sub(r"\s+", " ", Parsed(html).text)


ANSWERS = {
    "fr": "différentes dans 640 des 12 000 dossiers : 118 en plus, 210 en moins, 101 plus tôt, "
    "373 plus tard, 5 à un niveau plus élevé et 3 à un niveau plus bas.",
    "nl": "anders geweest zijn in 640 van de 12.000 dossiers: 118 extra, 210 minder, 101 vroeger, "
    "373 later, 5 op een hoger niveau en 3 op een lager niveau.",
    "de": "in 640 von 12.000 Akten anders gewesen: 118 zusätzlich, 210 weniger, 101 früher, "
    "373 später, 5 auf höherer Stufe und 3 auf niedrigerer Stufe.",
    "en": "have differed in 640 of 12,000 cases: 118 added, 210 removed, 101 earlier, "
    "373 later, 5 at a higher level and 3 at a lower level.",
}
NOTHING = {
    "fr": "Le projet n'aurait rien changé",
    "nl": "Het ontwerp zou niets hebben veranderd",
    "de": "Der Entwurf hätte nichts geändert",
    "en": "The draft would have changed nothing",
}


class TestThePage:
    @pytest.mark.parametrize("language", LANGUAGES)
    def test_it_answers_in_one_sentence_with_the_figures(self, language: str) -> None:
        said = words(page(whatifs.some(), language))

        assert ANSWERS[language] in said
        assert NOTHING[language] not in said

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_no_difference_is_said_plainly(self, language: str) -> None:
        html = page(whatifs.none(), language)

        assert NOTHING[language] in words(html)
        assert "article" not in Parsed(html).tags

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_it_is_well_formed_and_loads_nothing(self, language: str) -> None:
        parsed = Parsed(page(whatifs.some(), language))

        assert (parsed.open, parsed.loads) == ([], [])
        assert "script" not in parsed.tags
        assert len(parsed.ids) == len(set(parsed.ids))
        assert f'<html lang="{language}">' in page(whatifs.some(), language)

    def test_it_says_what_was_tried(self) -> None:
        since = datetime(2026, 3, 1, 8, tzinfo=UTC)
        said = words(page(whatifs.some(since=since), "en"))

        assert "Draft policy2026.3 (1a2b3c4d5e6f)" in said
        assert "Policy in force2026.2 (0f1e2d3c4b5a)" in said
        assert "Draft directory2026.1 (5a4b3c2d1e0f) (the same as in force)" in said
        assert "Differences from1 March 2026 at 09:00" in said
        assert "Events recorded until31 August 2026 at 18:05" in said
        assert "Cases replayed12,000" in said
        assert "Events replayed1,003,512" in said
        assert "Unreadable cases, not replayed2" in said

    @pytest.mark.parametrize(
        ("unreadable", "said"),
        [(0, None), (1, "One case holds an event"), (2100, "2,100 cases hold an event")],
    )
    def test_cases_that_are_missing_are_a_warning(self, unreadable: int, said: str | None) -> None:
        html = page(whatifs.none(unreadable=unreadable), "en")

        assert ('class="warning"' in html) is (said is not None)
        assert said is None or said in words(html)

    def test_a_table_counts_each_kind_of_difference(self) -> None:
        said = words(page(whatifs.some(), "en"))

        assert "give-first-date423541+118118097000" in said
        assert "Brussels1,6141,559−5576131920400" in said
        assert "detention220000000" in said
        assert said.count("total2,7142,622−9211821010137353") == 3

    def test_each_differing_line_is_marked_in_words(self) -> None:
        html = page(whatifs.some(examples=[whatifs.example(0)]), "en")
        said = words(html)

        assert "−in force only: Status: a proposal awaits an answer" in said
        assert "+draft only: Status: followed, nothing to do at present" in said
        assert "The same on both sides: " in said

    @pytest.mark.parametrize(
        ("number", "more"), [(6, None), (7, "And 1 more difference"), (90, "And 84 more")]
    )
    def test_of_many_differences_the_first_are_said(self, number: int, more: str | None) -> None:
        many = tuple(whatifs.difference(Change.ADDED, round=nth + 1) for nth in range(number))
        said = words(page(whatifs.some(examples=[whatifs.example(differences=many)]), "en"))

        assert said.count("Added under the draft: ") == 6
        assert ("in this case." in said) is (more is not None)
        assert more is None or more in said

    def test_explanations_that_are_the_same_are_said_to_be(self) -> None:
        same = whatifs.explanations("silence", drafted=False)
        said = words(page(whatifs.some(examples=[whatifs.example(after=same)]), "en"))

        assert "Both explanations are the same at that time." in said
        assert "draft only" not in said

    def test_a_change_of_offices_alone_is_no_change_of_cases(self) -> None:
        groups = {
            Group("gent", "individual", "silence"): whatifs.counts(9, 0),
            Group("aalst", "individual", "silence"): whatifs.counts(0, 9),
        }
        said = words(page(whatifs.none(groups=groups), "en"))

        assert "the same proposals, at the same time and level, but to other offices" in said
        assert "changed nothing" not in said

    def test_a_history_without_cases_proves_nothing(self) -> None:
        empty = whatifs.none(cases=0, events=0, groups={}, loads=[], standing={})
        said = words(page(empty, "en"))

        assert "Nothing was replayed" in said
        assert "changed nothing" not in said

    def test_what_was_stored_cannot_become_markup(self) -> None:
        group = Group(HOSTILE, HOSTILE, HOSTILE)
        document = Document(HOSTILE, [HOSTILE], [Section(HOSTILE, [Line(0, HOSTILE)])])
        other = document._replace(sections=[Section(HOSTILE, [Line(0, f"{HOSTILE}!")])])
        raised = whatifs.raised(HOSTILE, office_id=HOSTILE, case_id=HOSTILE)
        hostile = whatifs.some(
            policy=HOSTILE,
            directory=HOSTILE,
            groups={group: whatifs.counts(1, 2, added=1)},
            loads=[Load(HOSTILE, date(2026, 5, 1), 1, 2)],
            standing={HOSTILE: (1, 1)},
            examples=[
                whatifs.example(
                    case_id=HOSTILE,
                    differences=(whatifs.difference(Change.ADDED, HOSTILE)._replace(after=raised),),
                    before=dict.fromkeys(LANGUAGES, document),
                    after=dict.fromkeys(LANGUAGES, other),
                )
            ],
        )
        for language in LANGUAGES:
            html = page(hostile, language)
            parsed = Parsed(html)
            assert "script" not in parsed.tags
            assert parsed.open == []
            assert "\u202e" not in html

    def test_equal_results_give_the_same_bytes(self) -> None:
        one = whatifs.some()
        other = whatifs.some(
            groups=dict(reversed(list(one.groups.items()))),
            loads=list(reversed(one.loads)),
            standing=dict(reversed(list(one.standing.items()))),
        )
        for language in LANGUAGES:
            assert page(one, language) == page(other, language)
            assert list(text(one, language)) == list(text(other, language))
        assert orjson.dumps(whatif_as_data(one)) == orjson.dumps(whatif_as_data(other))

    def test_the_draft_names_its_own_rules(self) -> None:
        ref = given.ref()
        group = {Group("gent", "individual", "new-rule"): whatifs.counts(0, 1, added=1)}
        assert "new-rule" in words(page(whatifs.none(groups=group), "en", ref))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as made:
        yield made


@pytest.mark.chromium
class TestInABrowser:
    @pytest.mark.parametrize("scheme", ["light", "dark"])
    @pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
    def test_no_barrier_is_found(
        self, browser: Browser, tmp_path: Path, scheme: str, viewport: dict[str, int]
    ) -> None:
        file = tmp_path / "report.html"
        file.write_text(page(whatifs.some(), "en"))
        context = browser.new_context(color_scheme=scheme, viewport=viewport)  # type: ignore[arg-type]
        shown = context.new_page()
        asked, complaints = list[str](), list[str]()
        shown.on("request", lambda request: asked.append(request.url))
        shown.on("console", lambda message: complaints.append(message.text))
        shown.goto(file.as_uri())
        # A browser lets a reader open them without a script; here all at once.
        shown.evaluate("document.querySelectorAll('details').forEach((one) => one.open = true)")
        found = Axe().run(shown).response["violations"]
        assert [(one["id"], one["nodes"][0]["html"]) for one in found] == []
        assert asked == [file.as_uri()]
        assert complaints == []
        context.close()

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_nothing_is_cut_off_on_a_phone(
        self, browser: Browser, tmp_path: Path, language: str
    ) -> None:
        file = tmp_path / "report.html"
        file.write_text(page(whatifs.some(), language))
        shown = browser.new_page(viewport=PHONE)  # type: ignore[arg-type]
        shown.goto(file.as_uri())
        shown.evaluate("document.querySelectorAll('details').forEach((one) => one.open = true)")
        assert shown.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
        cut = shown.evaluate(
            "[...document.querySelectorAll('td, tbody th, li, p, dd')]"
            ".filter((one) => one.scrollWidth > one.clientWidth + 1 && one.clientWidth > 1)"
            ".map((one) => one.outerHTML)"
        )
        assert cut == []
        left, right = (
            shown.locator(f".pair .{side}").first.bounding_box() for side in ("before", "after")
        )
        assert left is not None
        assert right is not None
        assert left["y"] + left["height"] <= right["y"]
        shown.close()

    def test_both_explanations_stand_side_by_side(self, browser: Browser, tmp_path: Path) -> None:
        file = tmp_path / "report.html"
        file.write_text(page(whatifs.some(), "en"))
        shown = browser.new_page(viewport=DESKTOP)  # type: ignore[arg-type]
        shown.goto(file.as_uri())
        left, right = (
            shown.locator(f".pair .{side}").first.bounding_box() for side in ("before", "after")
        )
        assert left is not None
        assert right is not None
        assert left["y"] == right["y"]
        assert left["x"] + left["width"] <= right["x"]
        shown.close()

    def test_the_plot_is_named_and_described(self, browser: Browser, tmp_path: Path) -> None:
        file = tmp_path / "report.html"
        file.write_text(page(whatifs.some(), "en"))
        shown = browser.new_page()
        shown.goto(file.as_uri())
        plot = shown.get_by_role("img", name="Proposals by month")
        assert plot.count() == 1
        described = (plot.locator("desc").text_content() or "").replace("\u00a0", " ")
        assert "In all 2,714 proposals in force and 2,622 under the draft." in described
        shown.close()


class TestText:
    @pytest.mark.parametrize("language", LANGUAGES)
    def test_it_answers_first_and_shows_the_tables(self, language: str) -> None:
        lines = list(text(whatifs.some(), language))

        said = re.sub(r"\s+", " ", "\n".join(lines))
        assert ANSWERS[language] in said
        assert any(line.split()[:1] == ["give-first-date"] for line in lines)
        assert "2026.3 (1a2b3c4d5e6f)" in said

    def test_columns_are_aligned(self) -> None:
        lines = list(text(whatifs.some(), "en"))
        start = lines.index("By rule") + 1
        rows = lines[start : start + 9]
        assert len({len(row) for row in rows}) == 1

    def test_only_the_lines_of_an_explanation_that_differ_are_shown(self) -> None:
        lines = list(text(whatifs.some(examples=[whatifs.example(0)]), "en"))

        assert "  -   Status: a proposal awaits an answer" in lines
        assert "  +   Status: followed, nothing to do at present" in lines
        assert not any("Office: Ghent" in line for line in lines)

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_no_difference_is_said_plainly(self, language: str) -> None:
        assert any(NOTHING[language] in line for line in text(whatifs.none(), language))


class TestData:
    def test_it_holds_every_figure_under_its_codes(self) -> None:
        data = json.loads(orjson.dumps(whatif_as_data(whatifs.some())))

        assert data["changes"] == {
            **{"added": 118, "removed": 210, "earlier": 101},
            **{"later": 373, "higher": 5, "lower": 3},
        }
        assert data["groups"][0] == {
            "office_id": "antwerpen",
            "track": "family",
            "rule_id": "report-outcome",
            "before": 60,
            "after": 52,
            "changes": {
                **{"added": 0, "removed": 8, "earlier": 0},
                **{"later": 12, "higher": 0, "lower": 0},
            },
        }
        assert data["loads"][0]["month"] == "2026-01"
        assert data["standing"][0] == {"office_id": "bruxelles", "before": 120, "after": 104}
        assert set(data) == {*WhatIf._fields, "changes"}

    def test_an_example_has_both_explanations_in_every_language(self) -> None:
        data = whatif_as_data(whatifs.some())["examples"][0]

        assert data["differences"][0]["changes"] == ["removed"]
        assert data["differences"][0]["after"] is None
        assert data["differences"][0]["before"]["rule_id"] == "silence"
        for side in ("before", "after"):
            assert set(data[side]) == set(LANGUAGES)
            assert all(isinstance(line, str) for line in data[side]["en"])


class TestTheView:
    """The texts that the page of the studio shows."""

    def test_the_rules_come_first_and_of_a_draft_of_the_offices_the_offices(self) -> None:
        same = whatifs.none().policy

        def first(result: WhatIf) -> str:
            title: str = view(result, "en", given.ref())["tables"][0]["title"]
            return title

        assert first(whatifs.some()) == "By rule"
        assert first(whatifs.some(policy=same, directory="2026.4 (aaaa)")) == "By office"

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_the_plot_of_the_months_is_that_of_the_report(self, language: str) -> None:
        months = view(whatifs.some(), language, whatifs.draft())["months"]
        report = page(whatifs.some(), language, whatifs.draft())

        assert months["described"] in unescape(report)
        assert report.count("<circle") == 2 + sum(
            shape["name"] == "circle" for shape in months["shapes"]
        )
        assert len(months["table"]["rows"]) == 8

    def test_without_months_there_is_no_plot(self) -> None:
        empty = whatifs.none(cases=0, events=0, groups={}, loads=[], standing={})
        assert view(empty, "en", given.ref())["months"] is None


LINES = st.lists(st.builds(Line, st.integers(0, 2), st.sampled_from("abcd")), max_size=6)
DOCUMENTS = st.builds(
    Document,
    st.just("title"),
    st.just(()),
    st.lists(st.builds(Section, st.sampled_from("ABC"), LINES), max_size=4),
)


class TestSideBySide:
    @given_any(DOCUMENTS, DOCUMENTS)
    def test_nothing_is_lost_and_what_is_not_marked_is_in_both(
        self, before: Document, after: Document
    ) -> None:
        pairs = side_by_side(before, after)

        for side, document in (("before", before), ("after", after)):
            shown = [getattr(pair, side) for pair in pairs if getattr(pair, side) is not None]
            assert [
                Section(one.heading, [line.line for line in one.lines]) for one in shown
            ] == document.sections
        for pair in pairs:
            same = [
                [marked.line for marked in side.lines if not marked.differs] if side else []
                for side in (pair.before, pair.after)
            ]
            assert same[0] == same[1]

    @given_any(DOCUMENTS)
    def test_equal_explanations_have_no_difference(self, document: Document) -> None:
        assert not any(pair.differs for pair in side_by_side(document, document))

    def test_a_section_that_one_of_them_lacks_has_no_other_side(self) -> None:
        only = Document("", (), [Section("A", [Line(0, "a")])])

        side = Side("A", [Marked(Line(0, "a"), differs=True)])
        assert side_by_side(only, Document("", (), [])) == [Pair(side, None)]


class TestPlots:
    @given_any(st.integers(0, 10**9))
    def test_a_scale_has_few_round_marks_and_reaches_every_figure(self, most: int) -> None:
        marks = ticks(most)

        assert 2 <= len(marks) <= 6
        assert marks[0] == 0
        assert marks[-1] >= most
        assert len({later - before for before, later in pairwise(marks)}) == 1
        assert re.fullmatch(r"[125]0*", str(marks[1]))

    @given_any(
        st.lists(
            st.builds(
                Point, st.just(("Jan", "2026")), st.integers(0, 10**6), st.integers(0, 10**6)
            ),
            min_size=1,
            max_size=130,
        )
    )
    def test_everything_lies_within_the_plot(self, points: list[Point]) -> None:
        plot = lines_with_changes(points, Texts("t", "d", "c", str, str))

        for shape in plot.shapes:
            for name, value in shape.attributes.items():
                if name in ("x", "cx", "x1", "x2"):
                    assert 0 <= float(value.removesuffix("%")) <= 100
                if name in ("y", "cy", "y1", "y2"):
                    assert 0 <= float(value) <= plot.height

    def test_a_bar_of_no_change_is_a_line_only(self) -> None:
        assert "rect" not in bar_of_change(0, 0)
        assert 'x="50.00%"' in bar_of_change(5, 10)
        assert 'x="25.00%"' in bar_of_change(-5, 10)
