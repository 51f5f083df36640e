"""The live page in a real browser, over a real run: what it shows, says and admits."""

from __future__ import annotations

import json
import os
import re
import signal
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect

from schemas.codec import Outgoing
from streams.domain.policy.rules import LANGUAGES
from streams.embedded.worker import RoleProcess
from streams.services.board.steps import SMALLEST
from streams.services.board.words import words
from tests.pipeline.chromium import PHONE, Reader, chromium
from tests.pipeline.histories import history
from tests.pipeline.stage import Stage, until

pytestmark = [pytest.mark.kafka, pytest.mark.chromium]

PATIENCE = 40_000
"""Milliseconds; all cases are counted twice a minute."""
LATE = 300
"""Records that are published while somebody looks."""


@dataclass(frozen=True)
class Run:
    """A stream worked through, but for its end, and the page in both modes."""

    stage: Stage
    public: RoleProcess
    ops: RoleProcess
    rest: list[Outgoing]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as made:
        yield made


@pytest.fixture(scope="module")
def run(
    browser: Browser, kafka_servers: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Run]:
    records = [item.record for item in history(scale=0.15, malformed=0.02)]
    with Stage(kafka_servers, tmp_path_factory.mktemp("board")) as stage:
        stage.worker("worker").start()
        stage.publish(records[:-LATE])
        stage.drain()
        public = stage.role("board")
        ops = stage.role("board", ICAM_BOARD__OPS="true")
        public.start()
        ops.start()
        yield Run(stage, public, ops, records[-LATE:])


@pytest.fixture
def look(browser: Browser) -> Iterator[Callable[..., Reader]]:
    """Open a browser window of one's own; whatever it complained of is a failure."""
    opened: list[Reader] = []

    def made(board: RoleProcess, **context: Any) -> Reader:
        opened.append(Reader(browser, board.address, **context))
        return opened[-1]

    yield made
    for reader in opened:
        reader.close()


def number(text: str) -> int | str:
    """Return a figure of the English page: a number, or "< 5"."""
    plain = text.replace(",", "").strip()
    return int(plain) if plain.isdigit() else plain


def column(table: Locator, nth: int = 1) -> dict[str, int | str]:
    """Return a column of a table by the head of each row."""
    rows = table.locator("tbody tr").all()
    return {
        row.locator("th").inner_text(): number(row.locator("td .n").nth(nth - 1).inner_text())
        for row in rows
    }


def state(board: RoleProcess) -> Any:
    with urllib.request.urlopen(f"{board.address}/state", timeout=5) as answer:  # noqa: S310
        return json.load(answer)


def test_the_figures_on_the_page_are_those_of_the_database(
    run: Run, look: Callable[..., Reader]
) -> None:
    """Compared until it holds: at midnight terms end, and the page follows within half a minute."""
    reader = look(run.ops)
    page = reader.open()
    deadline = time.monotonic() + PATIENCE / 1000
    while True:
        try:
            _compare(page, run.stage)
            break
        except AssertionError:
            if time.monotonic() > deadline:
                raise
        page.wait_for_timeout(500)
    assert reader.complaints == []


def _compare(page: Page, stage: Stage) -> None:
    query, names = stage.query, words()["en"]

    offices = dict(
        query(
            "SELECT office_id, count(*) FROM case_projection"
            " WHERE route IS NOT NULL AND ended_at IS NULL GROUP BY 1"
        )
    )
    named = {"Brussels": "bruxelles", "Antwerp": "antwerpen", "Ghent": "gent", "Liège": "liege"}
    shown = column(page.locator("#offices-table"))
    assert {shown[name] for name in named} != {0}
    assert {name: shown[name] for name in named} == {n: offices[i] for n, i in named.items()}
    total = page.locator("#offices-table tfoot td .n").first
    assert number(total.inner_text()) == sum(offices.values())

    steps = [int(number(cell.inner_text())) for cell in page.locator("#funnel li .n").all()]
    followed = "SELECT case_id FROM case_projection WHERE route IS NOT NULL AND ended_at IS NULL"
    held = (
        "SELECT count(DISTINCT case_id) FROM case_event"
        f" WHERE type = 'icam.interview-completed.v1' AND case_id IN ({followed})"
    )
    assert steps[0] == sum(offices.values())
    assert steps[2] == query(held)[0][0]
    assert steps[0] > steps[1] > steps[2] > steps[3] == sum(steps[4:])

    due = "SELECT count(*) FROM escalation WHERE withdrawn_at IS NULL"
    in_table = [number(cell.inner_text()) for cell in page.locator("#work-table td .n").all()]
    assert sum(map(int, in_table)) == query(due)[0][0] > 0

    levels = dict(
        query("SELECT level, count(*) FROM escalation WHERE withdrawn_at IS NULL GROUP BY 1")
    )
    for row in page.locator("#escalations-table tbody tr").all():
        level = int(re.findall(r"Level (\d)", row.inner_text())[0])
        assert number(row.locator("td .n").first.inner_text()) == levels.get(level, 0)

    letters = dict(
        query("SELECT reason, count(*) FROM dead_letter WHERE resolved_at IS NULL GROUP BY 1")
    )
    assert column(page.locator("#letters-table")) == {
        names[f"reason.{reason}"]: count for reason, count in letters.items()
    }
    waiting = page.locator("[data-signal=letters] .value")
    assert number(waiting.inner_text()) == sum(letters.values())
    assert number(page.locator("[data-signal=due] .value").inner_text()) == 0


def test_no_small_count_reaches_the_browser(run: Run, look: Callable[..., Reader]) -> None:
    reader = look(run.public)
    page = reader.open()
    small = set(range(1, SMALLEST))

    def shown() -> set[int | str]:
        """Return all counts; the rate is a shown count of events by the seconds of its slot."""
        counts = page.locator(".n:not([data-signal=committed] .n)")
        return {number(cell.inner_text()) for cell in counts.all()}

    for summary in page.locator("summary").all():
        summary.click()
    figures = {cell for cell in shown() if isinstance(cell, int)}
    assert figures & small == set()
    public = column(page.locator("#offices-table"))
    exact = column(look(run.ops).open().locator("#offices-table"))
    assert all(int(count) % SMALLEST == 0 for count in public.values())
    assert all(abs(int(public[name]) - int(exact[name])) < SMALLEST for name in public)
    assert public != {name: exact[name] for name in public}


def test_what_happens_arrives_without_a_reload(run: Run, look: Callable[..., Reader]) -> None:
    reader = look(run.ops)
    page = reader.open()
    page.evaluate("window.untouched = true")
    said = page.locator("[role=status]").all_inner_texts()
    before = page.locator("#offices-table tfoot .n").first.inner_text()
    # Whoever listens to the page hears of changes of state, not of every figure.
    page.evaluate(
        """() => {
            window.spoken = [];
            const heard = (changes) => window.spoken.push(...changes.map((c) => c.target.id));
            const all = {childList: true, subtree: true, characterData: true};
            for (const one of document.querySelectorAll('[role=status]'))
                new MutationObserver(heard).observe(one, all);
        }"""
    )

    run.stage.publish(run.rest)
    rate = page.locator("[data-signal=committed] .value")
    expect(rate).not_to_have_text("0", timeout=PATIENCE)
    run.stage.drain()
    cases = run.stage.query(
        "SELECT count(*) FROM case_projection WHERE route IS NOT NULL AND ended_at IS NULL"
    )[0][0]
    assert cases > int(before.replace(",", ""))
    expect(page.locator("#offices-table tfoot .n").first).to_have_text(
        f"{cases:,}", timeout=PATIENCE
    )
    assert page.evaluate("window.untouched") is True
    assert page.evaluate("window.spoken") == []
    assert page.locator("[role=status]").all_inner_texts() == said


def test_it_asks_nobody_but_the_board(run: Run, look: Callable[..., Reader]) -> None:
    reader = look(run.public)
    page = reader.open()
    page.goto(f"{run.public.address}/runbooks/")
    assert len(reader.asked) > 8
    assert {url for url in reader.asked if not url.startswith(f"{run.public.address}/")} == set()
    assert page.context.cookies() == []
    assert reader.complaints == []


def test_the_language_changes_without_a_reload(run: Run, look: Callable[..., Reader]) -> None:
    reader = look(run.public, locale="nl-BE")
    page = reader.page
    page.goto(f"{run.public.address}/")
    page.locator("body[data-link=live] .funnel li").first.wait_for()
    assert page.locator("html").get_attribute("lang") == "nl"
    page.evaluate("window.untouched = true")
    titles = set()
    for language in LANGUAGES:
        page.get_by_role("combobox").select_option(language)
        expect(page.locator("h1")).to_have_text(words()[language]["title"])
        assert page.locator("html").get_attribute("lang") == language
        expect(page.locator("#funnel .step").first).to_have_text(words()[language]["funnel.orders"])
        expect(page.locator("[data-signal=due] h3")).to_have_text(words()[language]["signal.due"])
        titles.add(page.locator("#offices-table thead").inner_text())
        assert page.url.endswith(f"?lang={language}")
    assert len(titles) == len(LANGUAGES)
    assert page.evaluate("window.untouched") is True


def test_everything_is_reached_and_worked_from_the_keyboard(
    run: Run, look: Callable[..., Reader]
) -> None:
    page = look(run.public).open()
    focused = """() => {
        const now = document.activeElement, name = now.id || now.textContent.trim();
        const {outlineStyle} = getComputedStyle(now), {top} = now.getBoundingClientRect();
        return [now.tagName, name, outlineStyle, top];
    }"""
    walked = []
    for _ in range(40):
        page.keyboard.press("Tab")
        tag, name, outline, top = page.evaluate(focused)
        if tag == "BODY":
            break
        assert outline != "none", f"nothing shows that {name} has the focus"
        assert top >= 0, f"{name} has the focus and is out of sight"
        walked.append((tag, name))
    assert tag == "BODY", "the way out was not found"
    assert walked[0] == ("A", "Skip to content")
    assert walked[1] == ("SELECT", "language")
    assert [tag for tag, _ in walked].count("SUMMARY") == page.locator("summary").count()

    page.reload()
    page.locator("body[data-link=live] .funnel li").first.wait_for()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    for _ in range(1 + page.locator("#verdict-list a").count()):  # what needs action comes first
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("details[open] table")).to_be_visible()
    # The figures change under it; it stays where it was.
    tick = page.locator("[data-as-of=live]").first
    shown = tick.inner_text()
    expect(tick).not_to_have_text(shown)
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"


def test_it_reads_as_a_document_to_a_screen_reader(run: Run, look: Callable[..., Reader]) -> None:
    page = look(run.public).open()
    for landmark in ("banner", "main", "contentinfo"):
        assert page.get_by_role(landmark).count() == 1
    assert page.get_by_role("heading", level=1).count() == 1
    sections = page.get_by_role("heading", level=2).all_inner_texts()
    assert len(sections) == page.locator("section[aria-labelledby]").count() == 8
    for chart in page.locator("svg[role=img]").all():
        assert len(chart.get_attribute("aria-label") or "") > 10
    # Each chart's figures are in a table, or in the text beside it.
    assert page.locator("table").count() >= 7
    assert "%" in (page.get_by_role("img", name="Schematic map").get_attribute("aria-label") or "")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "viewport", [{"width": 1280, "height": 860}, PHONE], ids=["desktop", "phone"]
)
def test_no_barrier_is_found(
    run: Run, look: Callable[..., Reader], scheme: str, viewport: dict[str, int]
) -> None:
    page = look(run.public, color_scheme=scheme, viewport=viewport).open()
    for summary in page.locator("summary").all():
        summary.click()
    assert _barriers(page) == []
    page.goto(f"{run.public.address}/runbooks/IcamOutboxStuck")
    assert _barriers(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == viewport["width"]


def _barriers(page: Page) -> list[tuple[str, str, str]]:
    """Return what axe-core finds, of whatever weight."""
    found = Axe().run(page).response["violations"]
    return [(one["id"], one["impact"], one["nodes"][0]["html"]) for one in found]


def test_dark_and_light_follow_the_reader(run: Run, look: Callable[..., Reader]) -> None:
    def brightness(page: Page, what: str) -> int:
        found = page.evaluate(f"getComputedStyle(document.body).{what}")
        return sum(map(int, re.findall(r"\d+", found)[:3]))

    page = look(run.public, color_scheme="light").open()
    assert brightness(page, "backgroundColor") > 600 > 200 > brightness(page, "color")
    page.emulate_media(color_scheme="dark")
    assert brightness(page, "backgroundColor") < 200 < 600 < brightness(page, "color")


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_is_cut_off_on_a_phone(
    run: Run, look: Callable[..., Reader], language: str
) -> None:
    page = look(run.public, viewport=PHONE, has_touch=True, is_mobile=True).open(language)
    for summary in page.locator("summary").all():
        summary.tap()
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    cut = page.evaluate(
        "[...document.querySelectorAll('.table, .heading, li')]"
        ".filter((one) => one.scrollWidth > one.clientWidth + 1).map((one) => one.outerHTML)"
    )
    assert cut == []


def test_nothing_moves_for_those_who_asked_for_rest(run: Run, look: Callable[..., Reader]) -> None:
    moving = """() => [...document.querySelectorAll('*')].map(getComputedStyle).filter(
        (style) => parseFloat(style.transitionDuration) > 0 || style.animationName !== 'none'
    ).length"""
    page = look(run.public, reduced_motion="no-preference").open()
    assert page.evaluate(moving) > 0
    page.emulate_media(reduced_motion="reduce")
    assert page.evaluate(moving) == 0


def test_a_page_without_updates_says_so_and_recovers(run: Run, look: Callable[..., Reader]) -> None:
    board = run.stage.role("board")
    board.start()
    page = look(board).open()
    page.evaluate("window.untouched = true")
    board.kill()

    expect(page.locator("#link")).to_have_text(
        "No more updates. The figures below are outdated; reconnecting."
    )
    expect(page.locator("#verdict-text")).to_have_text("The state of the system is unknown.")
    for part in page.locator(".part").all():
        expect(part).to_have_attribute("data-old", "true")
        expect(part.locator(".as-of")).to_contain_text("ago: outdated")
    assert page.locator("#verdict").get_attribute("data-state") == "unknown"

    board.start()
    expect(page.locator("#link")).to_have_text("Live", timeout=PATIENCE)
    expect(page.locator(".part[data-old=true]")).to_have_count(0, timeout=PATIENCE)
    assert page.evaluate("window.untouched") is True


def test_a_board_that_hangs_is_found_out(run: Run, look: Callable[..., Reader]) -> None:
    """Its connection stays open, and nothing comes."""
    board = run.stage.role("board")
    board.start()
    page = look(board).open()
    os.kill(board.pid, signal.SIGSTOP)
    try:
        expect(page.locator("body")).to_have_attribute("data-link", "broken", timeout=PATIENCE)
        expect(page.locator(".part[data-old=true]")).to_have_count(8)
    finally:
        os.kill(board.pid, signal.SIGCONT)
    expect(page.locator("#link")).to_have_text("Live", timeout=PATIENCE)


def test_a_database_that_is_away_is_said_to_be(run: Run, look: Callable[..., Reader]) -> None:
    """Last: it stops the database that the others read."""
    page = look(run.public).open()
    run.stage.postgres.stop()
    try:
        expect(page.locator("#link")).to_have_text(
            "The database does not answer. The figures below are outdated.", timeout=PATIENCE
        )
        expect(page.locator(".part[data-old=true]")).to_have_count(8)
        assert page.locator("#verdict").get_attribute("data-state") == "unknown"
        assert run.public.probe("readyz")[0] == 503
        assert run.public.probe("livez")[0] == 200
        assert state(run.public)["away"] is True
    finally:
        run.stage.postgres.start()
    expect(page.locator("#link")).to_have_text("Live", timeout=PATIENCE)
    expect(page.locator(".part[data-old=true]")).to_have_count(0, timeout=PATIENCE)
    until(run.public.ready, 30, "the board is ready again")


def test_it_stops_at_once_though_pages_are_open(run: Run, look: Callable[..., Reader]) -> None:
    board = run.stage.role("board")
    board.start()
    look(board).open()
    assert board.stop(patience=10) == 0
    # Every line of all boards here is JSON: a traceback may quote anything.
    assert all(json.loads(line)["level"] for line in board.log.read_text().splitlines())
