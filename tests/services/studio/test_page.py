"""The page of the studio in a real browser: pick, see, try, read, download."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from streams.casework.whatif import Answer
from streams.cli.whatif_page import page as report
from streams.domain.explain.decision_text import Document, Line, Section
from streams.domain.policy.rules import LANGUAGES
from streams.services.studio.app import load_page
from tests import whatifs
from tests.pipeline.chromium import PHONE, Reader, chromium
from tests.services.studio.stage import TOKEN, Replays, charleroi, drafts_in, serving

pytestmark = pytest.mark.chromium

WORDS = load_page().words
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as made:
        yield made


class Visit:
    """A studio of its own, and the windows in which it is looked at."""

    def __init__(self, browser: Browser, origin: str, folder: Path, engine: Replays) -> None:
        self.origin, self.folder, self.engine = origin, folder, engine
        self._browser = browser
        self.readers: list[Reader] = []

    def open(self, language: str = "en", **context: Any) -> Page:
        """Open the printed address; wait until a draft is shown."""
        reader = Reader(self._browser, self.origin, **context)
        self.readers.append(reader)
        reader.page.goto(f"{self.origin}/?lang={language}#{TOKEN}")
        reader.page.locator("#policy option").first.wait_for(state="attached")
        expect(reader.page.locator("#changes")).not_to_be_empty()
        return reader.page

    def finish(self, page: Page) -> None:
        """Try the draft that is picked, to the end."""
        self.engine.go()
        page.locator("#start").click()
        page.locator("#result article").first.wait_for()


@pytest.fixture
def visit(browser: Browser, tmp_path: Path) -> Iterator[Visit]:
    """Whatever a page complained of, or asked of others, is a failure."""
    folder, engine = drafts_in(tmp_path / "drafts"), Replays()
    with serving(folder, engine) as origin:
        made = Visit(browser, origin, folder, engine)
        yield made
        asked = [url for reader in made.readers for url in reader.asked]
        complaints = [line for reader in made.readers for line in reader.complaints]
        for reader in made.readers:
            reader.close()
    strange = [url for url in asked if not url.startswith((f"{origin}/", f"blob:{origin}/"))]
    assert strange == []
    assert [line for line in complaints if "Failed to load resource" not in line] == []


def test_a_person_picks_a_draft_tries_it_and_reads_the_cases(visit: Visit) -> None:
    page = visit.open()
    expect(page.locator("#facts")).to_have_text(
        "Policy: version 2026.3, first day 1 January 2026, 25 rules"
    )
    expect(page.locator("#base")).to_contain_text(
        "at the end of the recorded history, on 31 August 2026"
    )
    expect(page.locator("#changes h3")).to_have_text("Policy, compared with version 2026.2")
    silence = page.locator(".block", has_text="(silence)")
    expect(silence.locator(".before .line")).to_contain_text("20\u00a0working days")
    expect(silence.locator(".after .line")).to_contain_text("30\u00a0working days")

    page.get_by_role("button", name="Try this draft").click()
    expect(page.locator("#status")).to_have_text("Trying draft.toml.")
    visit.engine.go(2)
    expect(page.locator("#share")).to_have_text("50%")
    bar = page.get_by_role("progressbar", name="3. Try it")
    assert float(bar.evaluate("(one) => one.value")) == 0.5
    visit.engine.go(2)
    expect(page.locator("#status")).to_have_text("The try of draft.toml is done.")

    expect(page.locator("#of")).to_contain_text("Draft 2026.3 (1a2b3c4d5e6f), compared with 2026.2")
    expect(page.locator("#answer")).to_contain_text("12,000")
    expect(page.locator("#examples article")).to_have_count(10)
    first = page.locator("article").first
    first.locator("summary").first.click()
    expect(first.locator(".before .line").first).to_contain_text("a proposal awaits an answer")
    expect(first.locator(".after .line").first).to_contain_text("nothing to do at present")


def test_a_person_tries_a_draft_of_the_offices(visit: Visit, tmp_path: Path) -> None:
    page = visit.open()
    page.locator("#policy").select_option("")
    page.get_by_label("Offices").select_option("charleroi.toml")
    expect(page.locator("#facts")).to_have_text(
        "Offices: version 2026.4, first day 1 February 2026, 8 offices"
    )
    expect(page.locator("#changes h3")).to_have_text("Offices, compared with version 2026.2")
    place = page.locator(".block.coverage .row", has_text="Hainaut")
    expect(place.locator(".before")).to_contain_text("–")
    expect(place.locator(".after .line")).to_contain_text("Charleroi, from 2\u00a0March 2026")

    visit.finish(page)
    expect(page.locator("#status")).to_have_text("The try of charleroi.toml is done.")
    (asked,) = visit.engine.tried
    assert asked.policy is None
    assert asked.directory is not None
    assert asked.directory.text == charleroi()
    with page.expect_download() as waiting:
        page.locator("#download").click()
    assert waiting.value.suggested_filename == "whatif-charleroi-en.html"


def test_a_french_page_writes_the_first_of_a_month_and_breaks_no_line_before_a_colon(
    visit: Visit,
) -> None:
    page = visit.open("fr")
    expect(page.locator("#facts")).to_contain_text("premier jour 1er janvier 2026")
    assert "Vide\u00a0: depuis" in (page.locator("#since-note").text_content() or "")


def test_a_policy_and_offices_are_tried_together(visit: Visit) -> None:
    page = visit.open()
    page.locator("#directory").select_option("nowhere.toml")
    expect(page.locator("#faults li")).to_have_text("office charleroi is named but not listed")
    expect(page.locator("#start")).to_be_disabled()
    page.locator("#directory").select_option("charleroi.toml")
    expect(page.locator("#changes h3")).to_have_count(2)

    visit.finish(page)
    expect(page.locator("#status")).to_have_text(
        "The try of draft.toml and charleroi.toml is done."
    )
    assert [one.name for one in visit.engine.tried[0].drafts] == ["draft.toml", "charleroi.toml"]


def test_without_a_draft_there_is_nothing_to_try(visit: Visit) -> None:
    page = visit.open()
    page.locator("#policy").select_option("")
    expect(page.locator("#changes")).to_have_text("Pick a draft above.")
    expect(page.locator("#start")).to_be_disabled()


def test_differences_are_reported_from_an_instant_on(visit: Visit) -> None:
    page = visit.open()
    page.get_by_label("Report differences from").fill("2026-03-05")
    page.keyboard.press("Enter")
    expect(page.locator("#since-said")).to_have_text("From 5 March 2026 at 00:00.")

    visit.finish(page)
    assert visit.engine.tried[0].since == datetime(2026, 3, 4, 23, tzinfo=UTC)
    expect(page.locator("#of")).to_contain_text("differences from 5 March 2026 at 00:00")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_wrong_instant_is_named_and_nothing_is_lost(visit: Visit, language: str) -> None:
    page = visit.open(language)
    since = page.locator("#since")
    page.locator("#directory").select_option("charleroi.toml")
    page.locator("#as-dated").check()
    since.fill("5/3/2026")
    page.locator("#start").click()  # at once, before the instant was read
    expect(page.locator("#since-said")).to_have_text(WORDS[language]["since.wrong"])
    expect(since).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#start")).to_be_disabled()
    assert visit.engine.tried == []
    expect(since).to_have_value("5/3/2026")
    expect(page.locator("#directory")).to_have_value("charleroi.toml")

    since.fill("2026-03-05 14:30")  # it is read while the person still types
    expect(since).not_to_have_attribute("aria-invalid", "true")
    expect(page.locator("#since-said")).to_contain_text("14:30")
    expect(page.locator("#start")).to_be_enabled()


def test_an_instant_after_the_history_is_no_use_and_says_so(visit: Visit) -> None:
    page = visit.open()
    page.locator("#since").fill("2026-09-01")
    page.keyboard.press("Tab")
    expect(page.locator("#since-said")).to_have_text(
        "The recorded history ends on 31 August 2026 at 18:05: nothing would be reported."
    )


def test_a_draft_is_tried_with_its_own_first_day(visit: Visit) -> None:
    later = charleroi().replace("valid_from = 2026-02-01", "valid_from = 2026-10-01")
    (visit.folder / "later.toml").write_text(later)
    page = visit.open()
    page.locator("#directory").select_option("later.toml")
    page.get_by_label("The draft keeps its own first day").check()
    expect(page.locator("#run-note")).to_contain_text("from its own first day on")
    expect(page.locator("#dated-said")).to_have_text(
        "later.toml is valid only after the end of the recorded history, 31 August 2026: "
        "it would change nothing in it."
    )
    page.locator("#directory").select_option("charleroi.toml")
    expect(page.locator("#dated-said")).to_be_empty()

    visit.finish(page)
    assert visit.engine.tried[0].as_dated
    expect(page.locator("#of")).to_contain_text("with its own first day")


def test_a_reload_keeps_what_was_asked(visit: Visit) -> None:
    page = visit.open()
    page.locator("#policy").select_option("same.toml")
    page.locator("#directory").select_option("charleroi.toml")
    page.locator("#as-dated").check()
    page.locator("#since").fill("2026-03-05")
    page.keyboard.press("Tab")
    expect(page.locator("#since-said")).not_to_be_empty()
    page.reload()
    expect(page.locator("#policy")).to_have_value("same.toml")
    expect(page.locator("#directory")).to_have_value("charleroi.toml")
    expect(page.locator("#since")).to_have_value("2026-03-05")
    expect(page.locator("#since-said")).not_to_be_empty()
    expect(page.locator("#as-dated")).to_be_checked()


def test_the_months_are_drawn_named_and_told_in_figures(visit: Visit) -> None:
    page = visit.open()
    visit.finish(page)
    plot = page.get_by_role("img", name="Proposals by month")
    described = (plot.locator("desc").text_content() or "").replace("\u00a0", " ")
    assert "In all 2,714 proposals in force and 2,622 under the draft." in described
    expect(plot.locator("circle.after")).to_have_count(8)
    page.locator("summary", has_text="The figures of this plot").click()
    expect(page.locator("#months tbody tr")).to_have_count(8)
    expect(page.locator("#months tfoot")).to_contain_text("2,714")

    box = plot.bounding_box()
    assert box is not None
    marks = [one.bounding_box() for one in plot.locator("rect, circle, text").all()]
    for mark in filter(None, marks):
        assert box["x"] - 1 <= mark["x"]
        assert mark["x"] + mark["width"] <= box["x"] + box["width"] + 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_lines_of_the_months_stand_out(visit: Visit, scheme: str) -> None:
    page = visit.open(color_scheme=scheme)
    visit.finish(page)

    def brightness(selector: str, of: str) -> int:
        found = page.locator(selector).first.evaluate(f"(one) => getComputedStyle(one).{of}")
        return sum(map(int, re.findall(r"\d+", found)[:3]))

    ground = brightness("#result", "backgroundColor")
    for series in ("before", "after"):
        drawn = brightness(f"#months [role=img] line.{series}", "stroke")
        assert abs(drawn - ground) > 200


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_report_that_is_downloaded_is_that_of_the_command(
    visit: Visit, tmp_path: Path, language: str
) -> None:
    page = visit.open(language)
    visit.finish(page)
    with page.expect_download() as waiting:
        page.locator("#download").click()
    assert waiting.value.suggested_filename == f"whatif-draft-{language}.html"
    waiting.value.save_as(tmp_path / "report.html")
    expected = report(whatifs.some(), language, whatifs.draft())
    assert (tmp_path / "report.html").read_text() == expected


def test_a_run_is_cancelled(visit: Visit) -> None:
    page = visit.open()
    page.locator("#start").click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#status")).to_have_text(
        "The try of draft.toml was cancelled; nothing is left of it."
    )
    expect(page.locator("#result")).to_be_hidden()
    expect(page.locator("#start")).to_be_enabled()


def test_two_windows_show_the_same_run(visit: Visit) -> None:
    page, other = visit.open(), visit.open("nl")
    page.locator("#start").click()
    expect(other.locator("#status")).to_have_text("Proef van draft.toml bezig.")
    expect(other.locator("#start")).to_be_hidden()
    other.locator("#cancel").click()
    expect(page.locator("#status")).to_contain_text("cancelled")


def test_a_reload_shows_the_run_and_its_result_again(visit: Visit) -> None:
    page = visit.open()
    assert TOKEN not in page.url
    visit.finish(page)
    page.reload()
    expect(page.locator("#examples article")).to_have_count(10)
    expect(page.locator("#status")).to_have_text("The try of draft.toml is done.")


def test_a_run_that_fails_says_why(visit: Visit) -> None:
    visit.engine.error = RuntimeError("quotes a record")
    page = visit.open()
    visit.engine.go()
    page.locator("#start").click()
    expect(page.locator("#status")).to_have_text(
        "The try of draft.toml failed: described RuntimeError"
    )


def test_a_draft_with_faults_is_shown_and_cannot_be_tried(visit: Visit) -> None:
    page = visit.open()
    page.locator("#policy").select_option("faulty.toml")
    expect(page.locator("#faults li")).not_to_have_count(0)
    expect(page.locator("#start")).to_be_disabled()
    expect(page.locator("#faults")).to_contain_text("faulty.toml has faults and can't be tried:")
    expect(page.locator("#changes")).to_contain_text("Not known while the draft has faults.")
    page.locator("#policy").select_option("same.toml")
    expect(page.locator("#faults li")).to_have_count(0)
    expect(page.locator("#changes")).to_contain_text("Nothing:")
    expect(page.locator("#start")).to_be_enabled()


def test_a_draft_that_is_edited_is_read_again(visit: Visit) -> None:
    page = visit.open()
    text = whatifs.drafted().replace(
        '"last_step", working_days = 30', '"last_step", working_days = 9'
    )
    (visit.folder / "draft.toml").write_text(text)
    page.locator("#start").click()
    for language in LANGUAGES:
        page.locator("#language").select_option(language)
        said = WORDS[language]["refused.draft_changed"]
        expect(page.get_by_role("alert")).to_contain_text(said)
    assert visit.engine.tried == []
    page.get_by_role("button", name="Read again").click()
    expect(page.locator(".block", has_text="(silence)").locator(".after")).to_contain_text(
        "9\u00a0working days"
    )
    expect(page.get_by_role("alert")).to_be_hidden()


def test_an_empty_folder_says_what_to_do(visit: Visit) -> None:
    page = visit.open()
    for file in visit.folder.iterdir():
        file.unlink()
    page.get_by_role("button", name="Read again").click()
    expect(page.get_by_role("alert")).to_contain_text("save a TOML file in it")
    expect(page.locator("#start")).to_be_disabled()
    (visit.folder / "first.toml").write_text(charleroi())
    page.get_by_role("button", name="Read again").click()
    expect(page.locator("#directory")).to_have_value("first.toml")
    expect(page.locator("#start")).to_be_enabled()


def test_without_the_printed_address_nothing_is_shown(visit: Visit) -> None:
    reader = Reader(visit._browser, visit.origin)
    visit.readers.append(reader)
    reader.page.goto(f"{visit.origin}/?lang=en")
    expect(reader.page.get_by_role("alert")).to_contain_text("Open the address")
    reader.page.goto(f"{visit.origin}/?lang=en#wrong")
    reader.page.reload()
    expect(reader.page.get_by_role("alert")).to_contain_text("Open the address")
    expect(reader.page.locator("#policy option")).to_have_count(0)


def test_the_language_changes_without_a_reload(visit: Visit) -> None:
    page = visit.open()
    page.locator("#directory").select_option("charleroi.toml")
    expect(page.locator("#facts li")).to_have_count(2)
    visit.finish(page)
    page.evaluate("window.untouched = true")
    answers = set()
    for language in LANGUAGES:
        page.locator("#language").select_option(language)
        expect(page.locator("h1")).to_have_text(WORDS[language]["title"])
        assert page.locator("html").get_attribute("lang") == language
        expect(page.locator("#start")).to_have_text(WORDS[language]["run.start"])
        expect(page.locator("#policy option").first).to_have_text(
            WORDS[language]["drafts.in_force"]
        )
        expect(page.locator("#run-note")).to_have_text(WORDS[language]["run.note"])
        parts = ("#answer", ".block >> nth=0", ".block.coverage", "#months desc", "#facts")
        answers |= {tuple(page.locator(part).text_content() for part in parts)}
    assert all(len(set(texts)) == len(LANGUAGES) for texts in zip(*answers, strict=True))
    assert page.evaluate("window.untouched") is True


def test_everything_is_worked_from_the_keyboard(visit: Visit) -> None:
    page = visit.open()

    def reach(name: str) -> None:
        for _ in range(30):
            page.keyboard.press("Tab")
            focus = page.evaluate(
                "() => [document.activeElement.id,"
                " getComputedStyle(document.activeElement).outlineStyle]"
            )
            assert focus[1] != "none", f"nothing shows that {focus[0]} has the focus"
            if focus[0] == name:
                return
        raise AssertionError(f"{name} is not reached")

    reach("policy")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#facts")).to_have_text("")  # the one with faults
    page.keyboard.press("ArrowUp")
    expect(page.locator("#start")).to_be_enabled()
    reach("directory")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#facts li")).to_have_count(2)
    reach("since")
    page.keyboard.type("2026-03-05")
    reach("as-dated")
    page.keyboard.press("Space")
    expect(page.locator("#run-note")).to_contain_text("from its own first day on")
    reach("start")
    page.keyboard.press("Enter")
    expect(page.locator("#cancel")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#start")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#cancel")).to_be_focused()
    visit.engine.go()
    expect(page.locator("#result-title")).to_be_focused()
    reach("download")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "viewport", [{"width": 1280, "height": 860}, PHONE], ids=["desktop", "phone"]
)
def test_no_barrier_is_found(visit: Visit, scheme: str, viewport: dict[str, int]) -> None:
    page = visit.open(color_scheme=scheme, viewport=viewport)
    page.locator("#directory").select_option("charleroi.toml")
    expect(page.locator("#facts li")).to_have_count(2)
    visit.finish(page)
    page.evaluate("document.querySelectorAll('details').forEach((one) => one.open = true)")
    assert _barriers(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == viewport["width"]
    page.locator("#policy").select_option("faulty.toml")
    page.locator("#since").fill("March")
    page.locator("#as-dated").check()
    expect(page.locator("#faults li")).not_to_have_count(0)
    expect(page.locator("#since")).to_have_attribute("aria-invalid", "true")
    assert _barriers(page) == []


def _barriers(page: Page) -> list[tuple[str, str]]:
    found = Axe().run(page).response["violations"]
    return [(one["id"], one["nodes"][0]["html"]) for one in found]


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_is_cut_off_on_a_phone(visit: Visit, language: str) -> None:
    page = visit.open(language, viewport=PHONE, has_touch=True, is_mobile=True)
    page.locator("#directory").select_option("charleroi.toml")
    expect(page.locator("#facts li")).to_have_count(2)
    page.locator("#since").fill("March")
    page.locator("#as-dated").check()
    expect(page.locator("#since-said")).to_have_text(WORDS[language]["since.wrong"])
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    page.locator("#since").fill("")
    visit.finish(page)
    page.evaluate("document.querySelectorAll('details').forEach((one) => one.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    cut = page.evaluate(
        "[...document.querySelectorAll('td, tbody th, li, p, label, button, h3, h4, h5')]"
        ".filter((one) => one.scrollWidth > one.clientWidth + 1 && one.clientWidth > 1)"
        ".map((one) => one.outerHTML)"
    )
    assert cut == []


def test_dark_and_light_follow_the_reader(visit: Visit) -> None:
    def brightness() -> int:
        found = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return sum(map(int, re.findall(r"\d+", found)[:3]))

    page = visit.open(color_scheme="light")
    assert brightness() > 600
    page.emulate_media(color_scheme="dark")
    assert brightness() < 200


def test_what_was_stored_cannot_become_markup(visit: Visit) -> None:
    text = whatifs.drafted().replace('en = "Contact the person again', f'en = "{HOSTILE} Contact')
    (visit.folder / "draft.toml").write_text(text)
    one = Document(HOSTILE, (), [Section(HOSTILE, [Line(0, HOSTILE), Line(2, "deep")])])
    other = one._replace(sections=[Section(HOSTILE, [Line(1, f"{HOSTILE}!")])])
    example = whatifs.example(
        case_id=HOSTILE,
        before=dict.fromkeys(LANGUAGES, one),
        after=dict.fromkeys(LANGUAGES, other),
    )
    visit.engine.answer = Answer(whatifs.some(examples=[example]), whatifs.draft())
    page = visit.open()
    page.evaluate("() => { window.alert = () => { window.alerted = true; }; }")
    expect(page.locator(".block h4", has_text=HOSTILE)).to_have_count(1)
    visit.finish(page)
    expect(page.locator("article h4")).to_contain_text(HOSTILE)
    assert page.locator("main img").count() == 0
    assert page.evaluate("window.alerted") is None


@pytest.fixture
def ending(browser: Browser, tmp_path: Path) -> Iterator[Callable[[], Page]]:
    """A page whose studio ends."""
    folder, engine = drafts_in(tmp_path / "drafts"), Replays()
    opened: list[Reader] = []

    def made() -> Page:
        with serving(folder, engine) as origin:
            visit = Visit(browser, origin, folder, engine)
            page = visit.open()
            opened.extend(visit.readers)
        return page

    yield made
    for reader in opened:
        reader.close()


def test_a_studio_that_ended_is_said_to_be_gone(ending: Callable[[], Page]) -> None:
    page = ending()
    expect(page.get_by_role("alert")).to_contain_text(
        re.compile("does not answer|the studio ends"), timeout=15_000
    )
