"""The cost of the domain: fold, route and decide for one event, without I/O.

It runs in its own process, with the code that contenders run.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping

import click
import orjson

from streams import reference
from streams.domain import decide
from tests.bench.contenders.reading import tune_garbage_collector
from tests.bench.history import END, history
from tests.bench.replay import decoded, replay
from tests.bench.results import Domain, Spread
from tests.environments import ROOT

_PATIENCE = 600.0


def take(
    events: int, passes: int, environment: Mapping[str, str], say: Callable[[str], None]
) -> Domain:
    """Apply the events of a history in order, ``passes`` times each way. Blocks.

    Raises:
        subprocess.SubprocessError: it failed, or exceeded the timeout.
    """
    command = [sys.executable, "-m", "tests.bench.scenarios.domain", str(events), str(passes)]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", **environment},
        stdout=subprocess.PIPE,
        timeout=_PATIENCE,
        check=True,
    )
    figures = orjson.loads(done.stdout)
    found = Domain(
        events=figures["events"],
        compiled=figures["compiled"],
        median_us=Spread.of(figures["own"]),
        at_the_end_us=Spread.of(figures["end"]),
    )
    say(f"{found.median_us.median:.1f} us per event at its own time")
    say(f"{found.at_the_end_us.median:.1f} us at the end of the history")
    return found


@click.command()
@click.argument("events", type=int)
@click.argument("passes", type=int)
def main(events: int, passes: int) -> None:
    """Print the medians of each pass as JSON, in microseconds."""
    said, ref = decoded(history(events).records), reference.load()
    tune_garbage_collector()
    medians: dict[str, list[float]] = {"own": [], "end": []}
    for _ in range(passes):
        for name, now in (("own", None), ("end", END)):
            medians[name].append(statistics.median(replay(said, ref, now)[1]))
    compiled = not decide.__file__.endswith(".py")
    click.echo(orjson.dumps({"events": len(said), "compiled": compiled, **medians}))


if __name__ == "__main__":
    main()
