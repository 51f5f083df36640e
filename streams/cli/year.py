"""Play the simulated year for ``icam simulate --report``, and print its figures."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from streams import reference
from streams.cli.output import console, echo, emit, table
from streams.domain.tables import Tables
from streams.reference import staffing
from streams.runtime.settings import Settings
from streams.simulate.settings import SimulationSettings
from streams.simulate.year.months import Month
from streams.simulate.year.play import play

_COLUMNS = (
    "end of month",
    "open cases",
    "with a proposal",
    "proposals",
    "per counsellor",
    "median age, days",
    "most on one case",
    "ended so far",
    "without next date",
    "longest silence, days",
)


def print_year(simulated: SimulationSettings, *, answers: bool, json_: bool) -> None:
    """Play the window and print one line per month. Progress goes to standard error."""
    settings = Settings()
    loaded = reference.load(*settings.reference_files)
    staff = staffing.load(settings.staffing_file)
    first_day = loaded.calendar.local_date(simulated.start)
    counsellors = sum(team.counsellors for team in staff.on(first_day))
    months = list(_with_progress(simulated, loaded.tables, counsellors, answers=answers))
    if json_:
        emit(
            {
                "seed": simulated.seed,
                "scale": simulated.scale,
                "answers": answers,
                "policy": loaded.policy.version,
                "counsellors": counsellors * simulated.scale,
                "months": [_as_data(month) for month in months],
            }
        )
        return
    answering = "offices answer" if answers else "offices answer nothing"
    title = f"simulated year at scale {simulated.scale:g}: {answering}"
    console().print(table(title, _COLUMNS, [_row(month) for month in months]))
    last = months[-1]
    standing = ", ".join(f"{rule} {count}" for rule, count in last.by_rule.items())
    echo(f"standing at the end, by rule: {standing or 'none'}")


def _with_progress(
    simulated: SimulationSettings, tables: Tables, counsellors: int, *, answers: bool
) -> Iterator[Month]:
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    days = (simulated.end - simulated.start) / timedelta(days=1)
    with Progress(*columns, console=console(stderr=True)) as progress:
        task = progress.add_task("simulating", total=days)

        def on_day(day: datetime) -> None:
            done = (day - simulated.start) / timedelta(days=1)
            progress.update(task, completed=max(0.0, done), description=f"{day:%Y-%m-%d}")

        for month in play(
            simulated, tables, counsellors=counsellors, answers=answers, on_day=on_day
        ):
            progress.console.print(
                f"{month.day}: {month.open} open cases, {month.proposals} proposals"
            )
            yield month
        progress.update(task, completed=days)


def _row(month: Month) -> tuple[str, ...]:
    return (
        month.day.isoformat(),
        f"{month.open}",
        f"{month.share_proposed:.1%}",
        f"{month.proposals}",
        f"{month.per_counsellor:.1f}",
        f"{month.median_age_days:.1f}",
        f"{month.most_on_one_case}",
        f"{month.ended}",
        f"{month.without_next_date}",
        f"{month.longest_silence_days:.1f}",
    )


def _as_data(month: Month) -> dict[str, Any]:
    return {
        "day": month.day,
        "open_cases": month.open,
        "cases_with_a_proposal": month.proposed,
        "share_with_a_proposal": round(month.share_proposed, 4),
        "proposals": month.proposals,
        "proposals_per_open_case": round(month.per_open_case, 3),
        "proposals_per_counsellor": round(month.per_counsellor, 2),
        "median_age_days": round(month.median_age_days, 2),
        "most_on_one_case": month.most_on_one_case,
        "ended_cases": month.ended,
        "cases_without_next_date": month.without_next_date,
        "longest_silence_days": round(month.longest_silence_days, 2),
        "proposals_by_rule": dict(month.by_rule),
    }
