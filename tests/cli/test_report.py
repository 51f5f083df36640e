"""icam report: groups of cases compared in counts that identify nobody."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner, Result

from streams.cli import main
from streams.domain.policy.rules import LANGUAGES
from streams.services.board.steps import SMALLEST
from streams.services.statistics.cells import CELLS, COLUMNS, TABLES
from streams.store.pool import Pool
from tests.deploy.files import ROLES
from tests.deploy.grants import AUDITOR
from tests.services.statistics.cases import many

pytestmark = pytest.mark.server

SPRING = ("--since", "2026-03", "--until", "2026-05")
_HELD = "SELECT (SELECT count(*) FROM case_event), (SELECT count(*) FROM escalation)"


class Icam:
    def __init__(self, url: str) -> None:
        self.environment: dict[str, str | None] = {
            "ICAM_DATABASE__URL": url,
            "ICAM_BOARD__STEP_KEY": "a secret of the tests",
            "COLUMNS": "200",
        }

    async def __call__(self, *arguments: str) -> Result:
        run = CliRunner().invoke
        return await asyncio.to_thread(
            run, main, ["report", *arguments], env=self.environment, catch_exceptions=False
        )

    async def json(self, *arguments: str) -> Any:
        return json.loads((await self("fairness", *SPRING, *arguments, "--json")).stdout)


@pytest.fixture
async def icam(pool: Pool, database_url: str) -> Icam:
    """1,200 cases of the spring of 2026, and the role of the auditor, which writes nothing."""
    async with pool.acquire() as conn:
        await many(conn, 1200)
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute(ROLES.read_bytes())
    return Icam(database_url.replace("//postgres@", f"//{AUDITOR}@"))


def row_of(report: Any, by: str, name: str) -> Any:
    (table,) = [table for table in report["tables"] if table["by"] == by]
    (row,) = [row for row in table["rows"] if row["row"] == name]
    return row


async def test_fairness_shows_counts_shares_and_their_differences(icam: Icam) -> None:
    """Half of the French and of the Dutch cases miss, and no German one."""
    report = await icam.json()

    assert report["months"] == ["2026-03", "2026-04", "2026-05"]
    french, dutch = (row_of(report, "language", name) for name in ("fr", "nl"))
    assert abs(french["counts"]["orders"] - 480) < 3 * SMALLEST
    assert abs(dutch["counts"]["orders"] - 600) < 3 * SMALLEST
    for row, true in ((french, 0.5), (dutch, 0.5)):
        missed = row["shares"]["missed"]["share"]
        assert missed["low"] <= true <= missed["high"]
    gap = row_of(report, "language", "de")["shares"]["missed"]["difference"]
    assert gap["low"] <= gap["value"] <= gap["high"] < 0, "no German case missed"
    assert dutch["days_to_answer"]["at"] == {"at_least": 4, "less_than": 7}
    assert row_of(report, "delivery", "unknown")["days_to_answer"] is None
    assert set(row_of(report, "delivery", "unknown")["shares"]) == {"missed"}


async def test_monthly_prints_the_same_as_json(icam: Icam) -> None:
    rows = lines((await icam("monthly", *SPRING)).stdout)
    objects = json.loads((await icam("monthly", *SPRING, "--json")).stdout)

    assert [list(one) for one in objects] == [list(COLUMNS)] * len(rows)
    assert [
        {name: "" if value is None else str(value) for name, value in one.items()}
        for one in objects
    ] == rows


@pytest.mark.parametrize("lang", LANGUAGES)
async def test_fairness_reads_in_plain_words_in_every_language(icam: Icam, lang: str) -> None:
    report = await icam.json("--lang", lang)
    shown = await icam("fairness", *SPRING, "--lang", lang)

    assert shown.exit_code == 0
    printed = " ".join(shown.stdout.split())
    for line in (report["title"], *report["reading"], *report["limits"]):
        assert " ".join(line.split()) in printed
    assert len(report["limits"]) == 9
    assert "{" not in shown.stdout


async def test_the_reading_names_the_largest_difference_and_says_what_the_interval_shows(
    icam: Icam,
) -> None:
    reading = (await icam.json("--lang", "en"))["reading"]

    assert reading[0] == "By language of the procedure:"
    assert reading[1].startswith(
        "First appointment missed: the largest difference is that of the group “German”, 0% against"
    )
    assert reading[1].endswith("The interval does not include 0.")
    assert "First proposal answered: too few cases to compare." in reading, "one track only"
    channel = reading[reading.index("By channel of the order:") + 1]
    assert channel.endswith("The interval includes 0.")
    assert any("answered in less than 7 days in: Dutch" in line for line in reading)


async def test_no_shown_count_is_small_and_no_case_is_named(icam: Icam) -> None:
    report = await icam.json()
    shown = (await icam("fairness", *SPRING)).stdout + (await icam("monthly", *SPRING)).stdout

    for table in report["tables"]:
        for row in table["rows"]:
            assert all(n % SMALLEST == 0 for n in row["counts"].values())
    assert "case-" not in shown + json.dumps(report)


async def test_the_exact_counts_of_the_live_page_are_not_those_of_the_reports(icam: Icam) -> None:
    shown = (await icam("monthly", *SPRING)).stdout
    icam.environment["ICAM_BOARD__OPS"] = "true"

    assert (await icam("monthly", *SPRING)).stdout == shown


def lines(content: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content, newline="")))


async def test_monthly_prints_one_line_for_each_month_and_row(icam: Icam) -> None:
    shown = await icam("monthly", *SPRING)

    rows = lines(shown.stdout)
    assert shown.stdout.splitlines()[0] == ",".join(COLUMNS)
    assert [row["month"] for row in rows] == sorted(row["month"] for row in rows)
    assert {row["by"] for row in rows} == set(TABLES)
    for row in rows:
        for cell in CELLS:
            assert row[cell] == "" or int(row[cell]) % SMALLEST == 0
    march = next(row for row in rows if (row["month"], row["row"]) == ("2026-03", "fr"))
    assert abs(int(march["orders_escalated"]) - 240) < SMALLEST


async def test_the_file_of_both_commands_is_the_same_and_adds_up_to_the_report(
    icam: Icam, tmp_path: Path
) -> None:
    one, other = tmp_path / "one.csv", tmp_path / "other.csv"
    report = await icam.json("--csv", str(one))
    printed = await icam("monthly", *SPRING, "--csv", str(other))
    again = await icam("monthly", *SPRING)

    assert (printed.exit_code, printed.stdout) == (0, "")
    assert one.read_bytes() == other.read_bytes() == again.stdout_bytes
    for name in ("nl", "fr", "de", "unknown"):
        rows = [row for row in lines(again.stdout) if (row["by"], row["row"]) == ("language", name)]
        assert len(rows) == 3
        missed = sum(int(row["first_missed"]) + int(row["later_missed"]) for row in rows)
        assert row_of(report, "language", name)["counts"]["misses"] == missed


async def test_a_month_shows_the_same_in_every_period(icam: Icam) -> None:
    """Two periods with other offsets would say more about it than one."""
    april = ("--since", "2026-04", "--until", "2026-04")
    spring = lines((await icam("monthly", *SPRING)).stdout)

    assert lines((await icam("monthly", *april)).stdout) == [
        row for row in spring if row["month"] == "2026-04"
    ]


async def test_without_the_key_of_the_live_page_nothing_is_shown(icam: Icam) -> None:
    icam.environment["ICAM_BOARD__STEP_KEY"] = None

    for command in ("fairness", "monthly"):
        shown = await icam(command)
        assert (shown.exit_code, shown.stdout) == (2, "")
        assert "set ICAM_BOARD__STEP_KEY" in shown.stderr


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--since", "2026-03-01"), "a month such as 2026-03"),
        (("--until", "2026-13"), "a month such as 2026-03"),
        (("--until", "2999-01"), "2999-01 lies ahead"),
        (("--since", "2026-04", "--until", "2026-03"), "2026-04 lies after 2026-03"),
        (("--since", "1990-01"), "at most 120"),
        (("--csv", "/nowhere/x.csv", *SPRING), "can't be written"),
    ],
)
async def test_a_period_that_can_not_be_used_is_a_usage_error(
    icam: Icam, options: tuple[str, ...], says: str
) -> None:
    for command in ("fairness", "monthly"):
        shown = await icam(command, *options)
        assert (shown.exit_code, shown.stdout) == (2, "")
        assert says in " ".join(shown.stderr.split())


async def test_by_default_the_last_twelve_months_that_are_over_are_shown(icam: Icam) -> None:
    months = list(dict.fromkeys(row["month"] for row in lines((await icam("monthly")).stdout)))

    assert len(months) == 12


@pytest.fixture
def counts(database_url: str) -> Iterator[list[tuple[Any, ...]]]:
    """The rows of the log and the ledger, which are the same afterwards."""
    with psycopg.connect(database_url, autocommit=True) as owner:
        before = owner.execute(_HELD).fetchall()
        yield before
        assert owner.execute(_HELD).fetchall() == before


async def test_a_report_reads_in_a_transaction_that_may_not_write(
    icam: Icam, database_url: str, counts: list[tuple[Any, ...]]
) -> None:
    """Also as the owner, who may: the server itself refuses."""
    icam.environment["ICAM_DATABASE__URL"] = database_url
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute("CREATE SEQUENCE written")
        owner.execute(
            "CREATE FUNCTION to_char(timestamp, text) RETURNS text LANGUAGE sql AS"
            " $$ SELECT nextval('written')::text $$"
        )
        owner.execute(
            "ALTER DATABASE "
            + database_url.rsplit("/", 1)[1]
            + " SET search_path = public, pg_catalog"
        )
    shown = await asyncio.to_thread(
        CliRunner().invoke, main, ["report", "monthly", *SPRING], env=icam.environment
    )

    assert "read-only transaction" in f"{shown.output} {shown.exception}"
