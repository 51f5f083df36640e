"""``python -m tests.faults``: see ``--help``."""

from __future__ import annotations

import os
import platform
import secrets
import shutil
import signal
import sys
from contextlib import ExitStack
from types import FrameType

import click
from rich.console import Console

from streams.embedded import kafka as real_kafka
from streams.embedded.kafka import KafkaNode
from tests.faults import report
from tests.faults.arena import NotHere
from tests.faults.campaign import SCENARIOS, take
from tests.faults.results import HOME, SHORT, Outcome, add, load
from tests.faults.without_servers import WITHOUT_SERVERS

_SAY = Console(stderr=True)


def _say(text: str) -> None:
    _SAY.print(f"  {text}", markup=False, highlight=False, soft_wrap=True)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--only",
    multiple=True,
    type=click.Choice([*SCENARIOS, *WITHOUT_SERVERS]),
    help="Repeatable.",
)
@click.option("--short", is_flag=True, help="Run the short forms, as the tests do.")
@click.option(
    "--share",
    default=1.0,
    show_default=True,
    type=click.FloatRange(0, 1, min_open=True),
    help="Part of the long form to run.",
)
@click.option("--seed", type=int, help="Seed of all schedules and histories; random by default.")
@click.option("--json", "json_", is_flag=True, help="Print the result as JSON instead of a table.")
@click.option("--shown", is_flag=True, help="Run nothing; print the last results as Markdown.")
def main(
    only: tuple[str, ...],
    short: bool,
    share: float,
    seed: int | None,
    json_: bool,
    shown: bool,
) -> None:
    """Inject faults into real Kafka and PostgreSQL, and verify the result with the auditor.

    Outcomes are added to .run/faults/result.json, so a long campaign can run in parts, one after
    another or at the same time. Exit code 1 when an event was lost or duplicated, a finding is
    unexplained, or another guarantee did not hold.

    \b
    Examples:
      python -m tests.faults --short
      python -m tests.faults --only kills --seed 7
      python -m tests.faults --only rebalances --share 0.1
    """
    signal.signal(signal.SIGTERM, _interrupt)
    chosen = secrets.randbelow(10**6) if seed is None else seed
    folder = SHORT if short else HOME
    if shown:
        click.echo(report.markdown(load(folder)))
        return
    home = folder / f"run-{os.getpid()}"
    real_kafka.fetch()
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}"
    names = only or (*SCENARIOS, *(() if short else WITHOUT_SERVERS))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, home, ignore_errors=True)
        node = stack.enter_context(KafkaNode(home / "kafka"))
        for name in names:
            _SAY.print(f"{name}, seed {chosen}", style="bold")
            try:
                if name in WITHOUT_SERVERS:
                    outcome = WITHOUT_SERVERS[name](chosen, share, _say)
                else:
                    outcome = take(
                        name,
                        node.bootstrap_servers,
                        node,
                        home / name,
                        chosen,
                        share=None if short else share,
                        say=_say,
                    )
            except NotHere as missing:
                outcome = Outcome(fault=name, seed=chosen, notes=[f"not run: {missing}"])
                _say(f"not run: {missing}")
            except Exception as error:
                outcome = Outcome(fault=name, seed=chosen)
                outcome.failures.append(f"{type(error).__name__}: {error}")
                node.start()
            add(name, outcome, machine, folder)
    result = load(folder)
    if json_:
        click.echo(result.model_dump_json(indent=2))
    else:
        report.show(result, Console(width=None if sys.stdout.isatty() else 140))
    raise SystemExit(0 if all(result.outcomes[name].clean for name in names) else 1)


def _interrupt(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
