"""``icam demo``"""

from __future__ import annotations

import shutil
import signal
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

import click

from streams.cli.demo_run import DemoPlan, DemoRun
from streams.cli.output import as_json, console, emit
from streams.cli.summary import findings, render
from streams.domain.policy.rules import LANGUAGES

_RUNS = Path(".run")


@click.command()
@click.option("--seed", default=1, show_default=True, help="The same seed gives the same stream.")
@click.option("--scale", default=0.1, show_default=True, help="1.0 is Belgium: 140 orders per day.")
@click.option("--days", default=90, show_default=True, help="Days of history to publish.")
@click.option("--rate", default=150, show_default=True, help="Records to publish per second.")
@click.option("--keep", is_flag=True, help="Keep everything running until Ctrl-C.")
@click.option(
    "--lang",
    type=click.Choice(LANGUAGES),
    default="en",
    show_default=True,
    help="Language of the explanations.",
)
@as_json
def demo(seed: int, scale: float, days: int, rate: int, keep: bool, lang: str, json_: bool) -> None:
    """Run the whole pipeline on embedded servers, then audit the result.

    Starts an embedded Kafka-protocol broker (a test double) and a real embedded PostgreSQL on free
    ports, and the real worker in its own process. Publishes a realistic stream with duplicates,
    out-of-order records and 0.5 % malformed records. Prints a summary and the result of the
    independent audit. All files are below .run and are removed after a successful run. Exit code 0
    only when the audit finds nothing.

    \b
    Examples:
      icam demo
      icam demo --lang nl --scale 0.5
      icam demo --keep          then, in another shell, the commands it prints
    """
    _RUNS.mkdir(exist_ok=True)
    run_folder = _RUNS / f"demo-{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
    plan = DemoPlan(seed=seed, scale=scale, days=days, rate=rate, language=lang)
    signal.signal(signal.SIGTERM, _interrupt)
    out = console(stderr=json_)
    clean = False
    try:
        with DemoRun(run_folder, plan, out) as demo_run:
            summary = demo_run.run()
            problems = findings(summary)
            clean = not problems
            if json_:
                emit(summary.to_dict() | {"problems": problems})
            else:
                render(out, summary, problems)
            if keep:
                out.print(demo_run.next_steps(), markup=False)
                signal.pause()
    except KeyboardInterrupt:
        out.print("stopped")
        if not clean:
            raise SystemExit(130) from None
    finally:
        if clean:
            shutil.rmtree(run_folder, ignore_errors=True)
        elif run_folder.exists():
            out.print(f"the logs are in {run_folder}", markup=False)
    raise SystemExit(0 if clean else 1)


def _interrupt(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt
