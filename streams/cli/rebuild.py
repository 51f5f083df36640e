"""``icam rebuild``"""

from __future__ import annotations

import sys
import time
from dataclasses import asdict

import click
from rich.progress import Progress

from streams.casework.rebuild import Rebuilt, rebuild
from streams.cli.output import as_json, console, echo, emit
from streams.runtime.processes import processors
from streams.runtime.settings import Settings


@click.command("rebuild")
@click.option("--check", is_flag=True, help="Change nothing; exit 1 if a projection differs.")
@click.option(
    "--processes",
    type=click.IntRange(1, 256),
    default=processors,
    show_default="one per core",
    help="Number of parallel processes.",
)
@as_json
def command(check: bool, processes: int, json_: bool) -> None:
    """Rebuild every projection from the log and correct those that differ.

    Safe while workers run. A missing projection is created, and a missing announcement is
    published. Exit code 1 when any projection differed, corrected or not.

    \b
    Examples:
      icam rebuild --check
      icam rebuild --processes 4 --json
    """
    started = time.monotonic()
    shown = console(stderr=True)
    with Progress(console=shown, disable=json_ or not shown.is_terminal) as bar:
        task = bar.add_task("cases", total=None)
        result = rebuild(
            Settings(),
            mend=not check,
            processes=processes,
            progress=lambda done, of: bar.update(task, completed=done, total=of),
        )
    seconds = round(time.monotonic() - started, 2)
    if json_:
        emit(asdict(result) | {"seconds": seconds})
    else:
        _print(result, seconds)
    sys.exit(1 if result.differing else 0)


def _print(result: Rebuilt, seconds: float) -> None:
    echo(f"rebuilt {result.cases} cases from {result.events} events in {seconds} s")
    if result.older:
        echo(f"{result.older} cases decided with other reference data: only facts compared")
    if not result.differing:
        echo("every projection matches the log")
        return
    corrected = f"{result.mended} corrected" if result.mended else "none corrected"
    echo(f"{result.differing} projections differ, {corrected}: {', '.join(result.shown)}")
