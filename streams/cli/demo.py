"""``icam demo``"""

from __future__ import annotations

import shutil
import signal
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

import click

from streams.cli.demo_run import Plan, Show
from streams.cli.output import as_json, console, emit
from streams.cli.summary import findings, render
from streams.domain.policy.rules import LANGUAGES

_HOME = Path(".run")


@click.command()
@click.option("--seed", default=1, show_default=True, help="Same seed, same stream.")
@click.option("--scale", default=0.1, show_default=True, help="1.0 is Belgium: 140 orders a day.")
@click.option("--days", default=90, show_default=True, help="Days of history to publish.")
@click.option("--rate", default=150, show_default=True, help="Records published a second.")
@click.option("--keep", is_flag=True, help="Leave everything running until Ctrl-C.")
@click.option("--lang", type=click.Choice(LANGUAGES), default="en", show_default=True)
@as_json
def demo(seed: int, scale: float, days: int, rate: int, keep: bool, lang: str, json_: bool) -> None:
    """Watch the whole pipeline do its real job on servers of its own, and see it checked.

    Starts an embedded Kafka-protocol broker (a test double) and an embedded PostgreSQL (a real one)
    on free ports, and the real worker as its own process; publishes a realistic stream with
    duplicates, disorder and 0.5 % broken records; ends with what came of it and the verdict of the
    independent audit. Everything lies below .run and is removed afterwards. Exit code 0 only when
    the audit finds nothing.

    \b
    Examples:
      icam demo
      icam demo --lang nl --scale 0.5
      icam demo --keep          then, in another shell, the commands it prints
    """
    _HOME.mkdir(exist_ok=True)
    home = _HOME / f"demo-{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
    plan = Plan(seed=seed, scale=scale, days=days, rate=rate, language=lang)
    signal.signal(signal.SIGTERM, _interrupt)
    out = console(stderr=json_)
    clean = False
    try:
        with Show(home, plan, out) as show:
            summary = show.run()
            found = findings(summary)
            clean = not found
            if json_:
                emit(summary.to_dict() | {"problems": found})
            else:
                render(out, summary, found)
            if keep:
                out.print(show.invitation(), markup=False)
                signal.pause()
    except KeyboardInterrupt:
        out.print("stopped")
        if not clean:
            raise SystemExit(130) from None
    finally:
        if clean:
            shutil.rmtree(home, ignore_errors=True)
        elif home.exists():
            out.print(f"its logs are kept in {home}", markup=False)
    raise SystemExit(0 if clean else 1)


def _interrupt(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt
