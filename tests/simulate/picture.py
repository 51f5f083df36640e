"""Draw the picture and print the table of docs/caseload.md from two simulated years.

``python -m tests.simulate.picture answers.json no-answers.json`` reads two files that
``icam simulate --report --json`` wrote, without and with ``--no-answers``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

PICTURE: Final = Path(__file__).parents[2] / "docs" / "pictures" / "year.svg"
_ANSWERS, _NO_ANSWERS, _LIMIT = "#1b6ca8", "#d9a441", "#9aa5b1"

Year = Mapping[str, Any]


def draw(answers: Year, no_answers: Year) -> Figure:
    """Return the figure: proposals per counsellor, and proposals per open case."""
    mpl.rcParams["svg.hashsalt"] = "icam"  # the same figures give the same file
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    _line(left, answers, "proposals_per_counsellor", "offices answer", _ANSWERS)
    left.axhline(12, color=_LIMIT, linestyle="--", linewidth=1)
    left.annotate("12 wanted at most", (0, 12), xytext=(0, 4), textcoords="offset points")
    left.set_title("Standing proposals per counsellor", loc="left")
    _line(right, answers, "proposals_per_open_case", "offices answer", _ANSWERS)
    _line(right, no_answers, "proposals_per_open_case", "offices answer nothing", _NO_ANSWERS)
    right.set_title("Standing proposals per open case", loc="left")
    right.legend(frameon=False)
    left.set_ylim(0, 14)
    right.set_ylim(0, 1.2)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def rows(answers: Year, no_answers: Year) -> Iterator[str]:
    """Yield the rows of the table, in Markdown."""
    yield (
        "| end of | open | with a proposal | per counsellor | median age | ended | no next date "
        "| longest silence |"
    )
    yield "|---|---:|---:|---:|---:|---:|---:|---:|"
    for month in answers["months"]:
        yield (
            f"| {month['day']} | {month['open_cases']:,} | {month['share_with_a_proposal']:.1%} "
            f"| {month['proposals_per_counsellor']:.1f} | {month['median_age_days']:.1f} days "
            f"| {month['ended_cases']:,} | {month['cases_without_next_date']} "
            f"| {month['longest_silence_days']:.0f} days |"
        )
    yield ""
    yield "| end of | open | proposals per open case | most on one case | no next date |"
    yield "|---|---:|---:|---:|---:|"
    for month in no_answers["months"]:
        yield (
            f"| {month['day']} | {month['open_cases']:,} | {month['proposals_per_open_case']:.2f} "
            f"| {month['most_on_one_case']} | {month['cases_without_next_date']} |"
        )


def _line(axes: Axes, year: Year, name: str, label: str, color: str) -> None:
    months: Sequence[Mapping[str, Any]] = year["months"]
    axes.plot(
        [month["day"][5:7] for month in months],
        [month[name] for month in months],
        color=color,
        label=label,
        marker="o",
        markersize=3,
    )
    axes.set_xlabel("end of month")


def main() -> None:
    answers, no_answers = (json.loads(Path(name).read_text()) for name in sys.argv[1:3])
    draw(answers, no_answers).savefig(PICTURE, metadata={"Date": None})
    print("\n".join(rows(answers, no_answers)))


if __name__ == "__main__":
    main()
