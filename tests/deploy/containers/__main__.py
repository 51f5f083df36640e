"""``python -m tests.deploy.containers``: see ``--help``."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Final

import click
import orjson
from rich.console import Console

from . import cluster_scenario, compose_scenario
from .commands import Failed
from .machine import HOME, Unfit
from .report import Report

SCENARIOS: Final[dict[str, tuple[str, Callable[[Report], None]]]] = {
    "compose": ("Docker Compose", compose_scenario.run),
    "cluster": ("Kubernetes", cluster_scenario.run),
}


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("scenario", type=click.Choice(list(SCENARIOS)), default="compose")
@click.option("--json", "json_", is_flag=True, help="Print the result as JSON instead of tables.")
def main(scenario: str, json_: bool) -> None:
    """Start the project's image for real on stand-in base images, break it, and audit the result.

    Exit code 0 only when every step held, 3 when this machine cannot run the scenario. Everything
    that is started is stopped again, however the scenario ends. The result is also written to
    .run/containers/SCENARIO.json.

    \\b
    Examples:
      python -m tests.deploy.containers
      python -m tests.deploy.containers cluster --json
    """
    signal.signal(signal.SIGTERM, _interrupt)
    title, run = SCENARIOS[scenario]
    console = Console(soft_wrap=not sys.stdout.isatty())
    report = Report(title, Console(stderr=True))
    code = 1
    try:
        run(report)
        code = 0 if report.passed else 1
    except Unfit as error:
        click.echo(str(error), err=True)
        code = 3
    except Failed:
        pass  # The report says it.
    except KeyboardInterrupt:
        code = 130
    finally:
        result = orjson.dumps(report.to_dict(), option=orjson.OPT_INDENT_2)
        HOME.mkdir(parents=True, exist_ok=True)
        (HOME / f"{scenario}.json").write_bytes(result)
    if json_:
        click.echo(result.decode())
    else:
        report.show(console)
    sys.exit(code)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
