"""``icam explain`` says what stands and why, now and at an earlier time, on a real database."""

from __future__ import annotations

import re
import stat
from datetime import datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Final

import psycopg
import pytest

from schemas.events import Justification, Review
from streams.cli.explanation_page import page
from streams.domain.case import Fact
from streams.domain.explain.decision_text import decision_in_words
from streams.domain.policy.rules import LANGUAGES
from tests.cli.test_commands import Icam
from tests.domain import given
from tests.domain.given import day, interview, miss, order
from tests.domain.stories import OTHERS, RULES, of_story
from tests.pipeline.chromium import chromium
from tests.world import World

_EXPLAIN: Final = ("explain", given.CASE_ID, "--lang", "en")
JUSTIFIED: Final = miss(
    1, time=day(20), justification=Justification.MEDICAL, review=Review.ACCEPTED
)
LATE: Final = interview(1, held_at=day(4, 8), time=day(30))


@pytest.fixture
def icam(database_url: str) -> Icam:
    return Icam({"ICAM_DATABASE__URL": database_url, "COLUMNS": "300"})


class Past:
    """A case whose events were recorded at times in the past."""

    def __init__(self, world: World, url: str) -> None:
        self._world, self._url = world, url
        self._dated: list[datetime] = []

    async def arrive(self, at: datetime, *facts: Fact) -> None:
        """Record and decide facts at an instant."""
        self._world.now = at
        await self._world.arrive(*facts)
        self._recorded("case_event", at)

    async def garble(self, at: datetime) -> None:
        """Reject a record of the case at an instant."""
        self._world.now = at
        await self._world.take([self._world.record(miss(9), value=b"{")])
        self._recorded("dead_letter", at)

    def resolve(self, at: datetime) -> None:
        self._run("UPDATE dead_letter SET resolved_at = %s, resolution = 'discarded'", at)

    def _recorded(self, table: str, at: datetime) -> None:
        instant = at - timedelta(seconds=1)
        self._dated.append(instant)
        sql = f"UPDATE {table} SET recorded_at = %s WHERE recorded_at <> ALL(%s)"
        self._run(sql, instant, self._dated)

    def _run(self, sql: str, *values: object) -> None:
        with psycopg.connect(self._url, autocommit=True) as owner:
            # Nothing else may change when something was recorded: triggers refuse it.
            owner.execute("SET session_replication_role = replica")
            owner.execute(sql, values)


@pytest.fixture
async def past(world: World, database_url: str) -> Past:
    """An absence was reported, was later justified, and an interview was reported late."""
    past = Past(world, database_url)
    await past.arrive(day(4), order(), miss(1))
    await past.arrive(day(20), JUSTIFIED)
    await past.arrive(day(30), LATE)
    return past


async def stands(icam: Icam, at: datetime, known: str | None = None) -> set[str]:
    options = ["--at", at.isoformat(), *(["--known", known] if known else [])]
    found = await icam.json(*_EXPLAIN, *options)
    assert found["known"] == (known or "then")
    announced = {one["rule_id"] for one in found["recorded"]}
    assert announced == (set() if known != "now" else {"reinvite-after-first-miss"})
    return {one["rule_id"] for one in found["proposals"]}


class TestAnEarlierTime:
    @pytest.mark.usefixtures("past")
    async def test_then_is_what_was_decided_then(self, icam: Icam) -> None:
        assert await stands(icam, day(3)) == set(), "nothing was recorded yet"
        assert await stands(icam, day(5)) == {"reinvite-after-first-miss"}
        assert await stands(icam, day(19), "then") == {"reinvite-after-first-miss"}
        assert await stands(icam, day(21)) == {"invite-again"}
        assert await stands(icam, day(31)) == set()

    @pytest.mark.usefixtures("past")
    async def test_now_knows_the_correction_and_the_late_event(self, icam: Icam) -> None:
        assert await stands(icam, day(4, 10), "now") == set(), "the interview was held before"

    async def test_now_knows_only_what_had_happened_by_then(self, icam: Icam, past: Past) -> None:
        await past.arrive(day(33), miss(4), miss(5))
        assert await stands(icam, day(5), "now") == set()

    async def test_then_agrees_with_the_ledger_at_each_of_its_instants(
        self, icam: Icam, world: World, past: Past
    ) -> None:
        await past.arrive(day(33), miss(4), miss(5))
        ledger = await world.rows("SELECT rule_id, raised_at, withdrawn_at FROM escalation")
        assert len(ledger) >= 3
        for at in (day(number) for number in range(3, 36, 2)):
            stood = {
                rule
                for rule, raised, withdrawn in ledger
                if raised <= at and (withdrawn is None or withdrawn > at)
            }
            assert await stands(icam, at) == stood, at

    async def test_a_record_that_was_rejected_held_it_back_then(
        self, icam: Icam, past: Past
    ) -> None:
        await past.garble(day(32))
        past.resolve(day(34))
        held = [
            (await icam.json(*_EXPLAIN, "--at", day(number).isoformat()))["held_back"]
            for number in (31, 33, 35)
        ]
        assert held == [False, True, False]

    @pytest.mark.usefixtures("past")
    async def test_the_text_names_the_time_and_what_it_rests_on(self, icam: Icam) -> None:
        then = await icam(*_EXPLAIN, "--at", "2026-03-07")
        now = await icam(*_EXPLAIN, "--at", "2026-03-07T10:00", "--known", "now")
        assert "As of 7 March 2026 at 23:59" in then.stdout
        assert "Rests on the events recorded until then" in then.stdout
        assert "As of 7 March 2026 at 10:00" in now.stdout
        assert "Rests on all that is known today about that time" in now.stdout

    @pytest.mark.parametrize(
        ("options", "says"),
        [
            (("--at", "2999-01-01"), "lies ahead"),
            (("--at", "soon"), "give a day or a time"),
            (("--known", "now"), "give --at too"),
            (("--json", "--html", "x.html"), "not both"),
        ],
    )
    @pytest.mark.usefixtures("past")
    async def test_what_cannot_be_asked(
        self, icam: Icam, options: tuple[str, ...], says: str
    ) -> None:
        shown = await icam(*_EXPLAIN, *options)
        assert (shown.exit_code, says in shown.stderr) == (2, True), shown.output


async def test_an_unknown_case_is_said_to_be_unknown(icam: Icam, world: World) -> None:
    await world.arrive(order())
    shown = await icam("explain", "case-9")
    assert (shown.exit_code, shown.stderr) == (1, "icam: no case case-9\n")


@pytest.mark.usefixtures("past")
async def test_a_reading_is_recorded_with_the_time_asked_about(icam: Icam, world: World) -> None:
    await icam(*_EXPLAIN, "--at", "2026-03-07T10:00", "--why", "appeal")
    assert await world.rows("SELECT what, case_ids, reader, reason FROM case_access") == [
        ("explain --at 2026-03-07T09:00:00+00:00", [given.CASE_ID], "postgres", "appeal")
    ]


@pytest.mark.usefixtures("past")
async def test_json_has_the_codes_and_the_same_text(icam: Icam) -> None:
    at = ("--at", day(5).isoformat())
    found = await icam.json(*_EXPLAIN, *at)
    shown = await icam(*_EXPLAIN, *at)
    assert found["policy"] == {
        "version": given.ref().policy.version,
        "digest": given.ref().policy.digest,
    }
    assert found["change"]["fact"]["type"] == "icam.appointment-missed.v1"
    assert found["change"]["end"] == ["reinvite-after-first-miss"]
    assert found["nearest"]["rule_id"] == "outreach-after-second-miss"
    assert [event["type"] for event in found["events"]] == [
        "icam.oqt-issued.v1",
        "icam.appointment-missed.v1",
    ]
    assert " ".join(found["text"]).split() == shown.stdout.split(), "a terminal breaks lines"


class _Tags(HTMLParser):
    """Expects that every element is closed where it should be."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loads += [name for name, _ in attrs if name in ("src", "href")]
        if tag != "meta":
            assert tag != "ul" or self.open[-1] in ("section", "li")
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def _page(name: str, language: str) -> str:
    document = decision_in_words(of_story({**RULES, **OTHERS}[name]), given.ref().wording(language))
    return page(document, language)


class TestThePage:
    @pytest.mark.usefixtures("past")
    async def test_only_the_person_who_asked_may_read_the_file(
        self, icam: Icam, tmp_path: Path
    ) -> None:
        file = tmp_path / "case.html"
        file.write_text("an older page")
        file.chmod(0o644)
        shown = await icam(*_EXPLAIN, "--html", str(file))
        assert (shown.exit_code, shown.stdout) == (0, "")
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert '<html lang="en">' in file.read_text()

    @pytest.mark.usefixtures("past")
    async def test_a_file_that_cannot_be_written_is_named(self, icam: Icam, tmp_path: Path) -> None:
        shown = await icam(*_EXPLAIN, "--html", str(tmp_path / "missing" / "case.html"))
        assert shown.exit_code == 2
        assert "case.html can't be written: No such file or directory" in shown.stderr

    @pytest.mark.parametrize("language", LANGUAGES)
    @pytest.mark.parametrize("name", [*RULES, *OTHERS])
    def test_it_is_well_formed_and_loads_nothing(self, name: str, language: str) -> None:
        parsed = _Tags()
        parsed.feed(_page(name, language))
        parsed.close()
        assert (parsed.open, parsed.loads) == ([], [])
        assert "url(" not in _page(name, language)

    def test_french_signs_and_dates_do_not_break(self) -> None:
        text = _page("reinvite-after-first-miss", "fr")
        assert "Situation au 6\u00a0mars 2026" in text
        assert not re.search(r" [:;?!]\s", text.partition("<body>")[2])
        assert "Statut\u00a0: " in text
        assert "Status: " in _page("reinvite-after-first-miss", "nl")

    def test_what_was_reported_cannot_become_markup(self) -> None:
        document = decision_in_words(of_story(RULES["give-first-date"]), given.ref().wording("en"))
        text = page(document._replace(title="<script>alert('\u202e')</script>"), "en")
        assert "<script" not in text
        assert "\u202e" not in text

    def test_it_prints_to_at_most_two_pages(self) -> None:
        with chromium() as browser:
            shown = browser.new_page()
            for name in (*RULES, *OTHERS):
                for language in LANGUAGES:
                    shown.set_content(_page(name, language))
                    printed = shown.pdf(format="A4", prefer_css_page_size=True)
                    pages = len(re.findall(rb"/Type\s*/Page\b", printed))
                    assert 1 <= pages <= 2, (name, language, pages)
