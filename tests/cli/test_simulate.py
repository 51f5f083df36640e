"""icam simulate: the figures of a simulated year, as text and as JSON."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner, Result

from streams.cli import main

WINDOW = ("--report", "--scale", "0.02", "--days", "45", "--until", "2026-03-01T00:00:00")


def icam(*arguments: str) -> Result:
    return CliRunner().invoke(main, ("simulate", *arguments), env={"COLUMNS": "200"})


def test_the_report_has_one_line_per_month_and_progress_on_standard_error() -> None:
    shown = icam(*WINDOW)

    assert shown.exit_code == 0
    assert "offices answer" in shown.stdout
    assert [day for day in ("2026-01-31", "2026-02-28") if day in shown.stdout] == [
        "2026-01-31",
        "2026-02-28",
    ]
    assert "2026-01-31: " in shown.stderr


def test_the_report_as_json_says_what_was_simulated() -> None:
    shown = icam(*WINDOW, "--no-answers", "--json")

    report = json.loads(shown.stdout)
    assert (report["seed"], report["scale"], report["answers"]) == (1, 0.02, False)
    assert report["counsellors"] == pytest.approx(85 * 0.02)
    assert [month["day"] for month in report["months"]] == ["2026-01-31", "2026-02-28"]
    assert {month["cases_without_next_date"] for month in report["months"]} == {0}


@pytest.mark.parametrize(
    "wrong",
    [
        ("--no-answers",),
        ("--report", "--publish"),
        ("--report", "--compress", "60"),
    ],
)
def test_options_that_do_not_fit_together_are_a_usage_error(wrong: tuple[str, ...]) -> None:
    assert icam(*wrong).exit_code == 2
