"""``python -m tests.dates``: the tests that know the date, under every date and zone."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.table import Table

from tests.dates.moments import MOMENTS, Moment
from tests.dates.run import DATED, ON_KAFKA, Ended, run
from tests.faults.wrong_clock import WrongClock

_LOGS: Final = Path(".run") / "dates"
_SAY: Final = Console(stderr=True)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--only",
    multiple=True,
    type=click.Choice([moment.name for moment in MOMENTS]),
    help="Repeatable.",
)
@click.option("--jobs", default=2, show_default=True, help="Moments at the same time.")
@click.argument("arguments", nargs=-1)
def main(only: tuple[str, ...], jobs: int, arguments: tuple[str, ...]) -> None:
    """Run the tests that know the date at every moment of tests/dates/moments.py.

    ARGUMENTS go to pytest instead of the selection. Pytest's output is in .run/dates. Exit code 1
    when a run had a failure.

    \b
    Examples:
      python -m tests.dates
      python -m tests.dates --only "29 February" -- tests/audit -x
    """
    _LOGS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        # PostgreSQL's account loads the library too.
        Path(folder).chmod(0o755)
        clock = WrongClock(Path(folder))
        with ThreadPoolExecutor(jobs) as pool:
            ended = list(pool.map(partial(_run, clock, arguments), _chosen(only)))
    Console(width=140).print(_table(ended))
    raise SystemExit(0 if all(one.clean for one in ended) else 1)


def _run(clock: WrongClock, arguments: tuple[str, ...], moment: Moment) -> Ended:
    ended = run(moment, clock, arguments or (ON_KAFKA if moment.on_kafka else DATED))
    log = _LOGS / f"{re.sub('[^a-z0-9]+', '-', moment.name.lower())}.log"
    log.write_text(ended.output)
    for line in ended.failures:
        _SAY.print(f"  {line}", style="red", markup=False, highlight=False, soft_wrap=True)
    verdict = f"{moment.name}: {ended.verdict}, {ended.seconds:.0f} s"
    _SAY.print(verdict if ended.clean else f"{verdict}; see {log}", highlight=False, soft_wrap=True)
    return ended


def _chosen(names: tuple[str, ...]) -> Iterable[Moment]:
    return [moment for moment in MOMENTS if not names or moment.name in names]


def _table(ended: Iterable[Ended]) -> Table:
    table = Table(title="The same tests on other days", title_justify="left")
    for column in ("moment", "Belgian time", "zone of the machine", "result", "seconds"):
        table.add_column(column, justify="right" if column == "seconds" else "left")
    for one in ended:
        moment = one.moment
        table.add_row(
            *(moment.name, f"{moment.at:%a %Y-%m-%d %H:%M %Z}", moment.zone),
            *(one.verdict, f"{one.seconds:.0f}"),
            style="" if one.clean else "bold red",
        )
    return table


if __name__ == "__main__":
    main()
