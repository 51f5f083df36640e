"""``python -m tests.schedules``: run many seeds, or one seed with its whole trace."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import click

from tests.schedules.play import Outcome, run

_TAIL = 40


@click.command()
@click.option(
    "--seeds", default=500, show_default=True, help="Number of seeds, starting at --first."
)
@click.option("--first", default=0, show_default=True, help="First seed.")
@click.option("--seed", type=int, help="Replay this seed and print its trace.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(seeds: int, first: int, seed: int | None, as_json: bool) -> None:
    """Run the simulation. Exit code 1 if an invariant is violated.

    \b
    python -m tests.schedules --seeds 10000
    python -m tests.schedules --seed 4711
    """
    begun = last = time.monotonic()
    wanted = [seed] if seed is not None else range(first, first + seeds)
    records = messages = 0
    failed: list[Outcome] = []
    for count, number in enumerate(wanted, 1):
        outcome = run(number)
        records += outcome.records
        messages += outcome.messages
        if outcome.findings:
            failed.append(outcome)
            _tell(outcome, whole=seed is not None)
        elif seed is not None and not as_json:
            click.echo("\n".join((*outcome.schedule.lines(), *outcome.trace)))
        if time.monotonic() - last > 5:
            last = time.monotonic()
            _say(f"{count} of {len(wanted)} seeds, {len(failed)} failed, {last - begun:.0f} s")
    seconds = time.monotonic() - begun
    found: dict[str, Any] = {
        "seeds": len(wanted),
        "failed": [outcome.schedule.seed for outcome in failed],
        "records": records,
        "messages": messages,
        "seconds": round(seconds, 1),
    }
    if as_json:
        click.echo(json.dumps(found))
    else:
        _say(", ".join(f"{name} {value}" for name, value in found.items()))
    sys.exit(1 if failed else 0)


def _tell(outcome: Outcome, *, whole: bool) -> None:
    _say("\n".join(explain(outcome, None if whole else _TAIL)))


def explain(outcome: Outcome, tail: int | None = _TAIL) -> list[str]:
    """Return seed, schedule, the end of the trace, and the findings."""
    trace = outcome.trace if tail is None else outcome.trace[-tail:]
    return [
        *outcome.schedule.lines(),
        *trace,
        *(f"seed {outcome.schedule.seed}: {finding}" for finding in outcome.findings),
        f"replay: python -m tests.schedules --seed {outcome.schedule.seed}",
    ]


def _say(text: str) -> None:
    click.echo(text, err=True)


if __name__ == "__main__":
    main()
