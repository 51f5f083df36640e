"""``icam rebuild``"""

from __future__ import annotations

import sys
import time
from dataclasses import asdict

import click
from rich.progress import Progress

from streams.casework.rebuild import Rebuilt, processors, rebuild
from streams.cli.output import as_json, console, emit
from streams.runtime.settings import Settings


@click.command("rebuild")
@click.option("--check", is_flag=True, help="Change nothing; exit 1 when a projection differs.")
@click.option(
    "--processes",
    type=click.IntRange(1, 256),
    default=processors,
    show_default="one a core",
    help="How many work side by side.",
)
@as_json
def command(check: bool, processes: int, json_: bool) -> None:
    """Make every projection again from the log, and put right those that differ.

    Safe beside running workers. A projection that is missing comes back; whatever should have been
    announced and was not is announced. Exit code 1 when any differed, mended or not.

    \b
    Examples:
      icam rebuild --check
      icam rebuild --processes 4 --json
    """
    begun = time.monotonic()
    with Progress(console=console(stderr=True), disable=json_) as bar:
        task = bar.add_task("cases", total=None)
        found = rebuild(
            Settings(),
            mend=not check,
            processes=processes,
            progress=lambda done, of: bar.update(task, completed=done, total=of),
        )
    seconds = round(time.monotonic() - begun, 2)
    if json_:
        emit(asdict(found) | {"seconds": seconds})
    else:
        _say(found, seconds)
    sys.exit(1 if found.differing else 0)


def _say(found: Rebuilt, seconds: float) -> None:
    click.echo(f"{found.cases} cases made again from {found.events} events in {seconds} s")
    if found.older:
        click.echo(f"{found.older} decided under other reference data: only their facts compared")
    if not found.differing:
        click.echo("every projection is what the log says")
        return
    done = f"{found.mended} mended" if found.mended else "nothing changed"
    click.echo(f"{found.differing} differ, {done}: {', '.join(found.shown)}")
