"""The page of the studio in a real browser: pick, see, try, read, download."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
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
from tests.services.studio.stage import TOKEN, Replays, drafts_in, serving

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
        reader.page.locator("#draft option").first.wait_for(state="attached")
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
        "Version 2026.3, first day 1 January 2026, 25 rules"
    )
    expect(page.locator("#base")).to_contain_text("2026.2")
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
    expect(other.locator("#status")).to_have_text("draft.toml wordt geprobeerd.")
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
    page.locator("#draft").select_option("faulty.toml")
    expect(page.locator("#faults li")).not_to_have_count(0)
    expect(page.locator("#start")).to_be_disabled()
    expect(page.locator("#changes")).to_have_text("Not known while the draft has faults.")
    page.locator("#draft").select_option("same.toml")
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
    expect(page.get_by_role("alert")).to_contain_text("look at it again")
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


def test_without_the_printed_address_nothing_is_shown(visit: Visit) -> None:
    reader = Reader(visit._browser, visit.origin)
    visit.readers.append(reader)
    reader.page.goto(f"{visit.origin}/?lang=en")
    expect(reader.page.get_by_role("alert")).to_contain_text("Open the address")
    reader.page.goto(f"{visit.origin}/?lang=en#wrong")
    reader.page.reload()
    expect(reader.page.get_by_role("alert")).to_contain_text("Open the address")
    expect(reader.page.locator("#draft option")).to_have_count(0)


def test_the_language_changes_without_a_reload(visit: Visit) -> None:
    page = visit.open()
    visit.finish(page)
    page.evaluate("window.untouched = true")
    answers = set()
    for language in LANGUAGES:
        page.locator("#language").select_option(language)
        expect(page.locator("h1")).to_have_text(WORDS[language]["title"])
        assert page.locator("html").get_attribute("lang") == language
        expect(page.locator("#start")).to_have_text(WORDS[language]["run.start"])
        answers |= {
            (page.locator("#answer").inner_text(), page.locator(".block").first.inner_text())
        }
    assert len(answers) == len(LANGUAGES)
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

    reach("draft")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#facts")).to_have_text("")  # the one with faults
    page.keyboard.press("ArrowUp")
    expect(page.locator("#start")).to_be_enabled()
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
    visit.finish(page)
    page.evaluate("document.querySelectorAll('details').forEach((one) => one.open = true)")
    assert _barriers(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == viewport["width"]
    page.locator("#draft").select_option("faulty.toml")
    expect(page.locator("#faults li")).not_to_have_count(0)
    assert _barriers(page) == []


def _barriers(page: Page) -> list[tuple[str, str]]:
    found = Axe().run(page).response["violations"]
    return [(one["id"], one["nodes"][0]["html"]) for one in found]


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_is_cut_off_on_a_phone(visit: Visit, language: str) -> None:
    page = visit.open(language, viewport=PHONE, has_touch=True, is_mobile=True)
    visit.finish(page)
    page.evaluate("document.querySelectorAll('details').forEach((one) => one.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    cut = page.evaluate(
        "[...document.querySelectorAll('td, tbody th, li, p, button')]"
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
    expect(page.locator(".block h3", has_text=HOSTILE)).to_have_count(1)
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
