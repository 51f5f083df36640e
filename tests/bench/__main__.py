"""``python -m tests.bench``: see ``--help``."""

from __future__ import annotations

import os
import platform
import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import FrameType

import click
from rich.console import Console

from tests.bench import capacity, papers, report
from tests.bench.goals import verdicts
from tests.bench.history import History, history
from tests.bench.interpreter import interpreter
from tests.bench.results import HOME, QUICK, LatencyBusy, Result, load, save
from tests.bench.roster import ROSTER, Contender
from tests.bench.scenarios import (
    backlog,
    cold_start,
    dead_letters,
    domain,
    growth,
    latency,
    long_cases,
    rebuild,
    singles,
    throughput,
    whatif,
)
from tests.bench.stage import Stage
from tests.bench.version import Version, earlier, head

_SAY = Console(stderr=True)


@dataclass
class Order:
    """The options of one run."""

    events: int
    rounds: int
    contenders: tuple[str, ...]
    quick: bool
    base: str | None
    stack: ExitStack

    @property
    def folder(self) -> Path:
        """Return the folder of the results."""
        return QUICK if self.quick else HOME

    @cached_property
    def stage(self) -> Stage:
        """Return the stage; the first scenario that needs it sets it up."""
        home = self.folder / f"run-{os.getpid()}"
        base = earlier(self.base) if self.base else None
        return self.stack.enter_context(Stage(home, head=self.head, base=base))

    @cached_property
    def head(self) -> Version:
        """Return the checkout, compiled when it is first needed."""
        return head()

    @property
    def roster(self) -> list[Contender]:
        """Return the chosen contenders; those of an earlier commit only if one is named."""
        chosen = [ROSTER[name] for name in self.contenders or ROSTER]
        return [one for one in chosen if self.base or one.version == "head"]

    @cached_property
    def history(self) -> History:
        return history(self.events)

    def size(self, usual: int, quick: int) -> int:
        """Return the size for a normal or a quick run."""
        return quick if self.quick else usual


def _say(text: str) -> None:
    _SAY.print(f"  {text}", markup=False, highlight=False, soft_wrap=True)


SCENARIOS: dict[str, Callable[[Order, Result], object]] = {}
"""By name, in running order; each writes its figures into the result."""


def _scenario(name: str) -> Callable[[Callable[[Order, Result], object]], object]:
    def add(take: Callable[[Order, Result], object]) -> object:
        SCENARIOS[name] = take
        return take

    return add


@_scenario("domain")
def _domain(order: Order, result: Result) -> None:
    events, passes = order.size(18_000, 2_000), order.size(5, 3)
    result.domain = domain.take(events, passes, order.head.environment(), _say)


@_scenario("throughput")
def _throughput(order: Order, result: Result) -> None:
    stage, roster = order.stage, order.roster
    result.throughput = throughput.take(stage, roster, order.history, order.rounds, _say)


@_scenario("singles")
def _singles(order: Order, result: Result) -> None:
    named = order.contenders or ("worker", "base", "worker-interpreted", "base-interpreted")
    chosen = [one for one in order.roster if one.name in named and one.writes]
    records = order.size(3_000, 500)
    result.singles = singles.take(order.stage, chosen, records, 100, order.rounds, _say)


@_scenario("latency")
def _latency(order: Order, result: Result) -> None:
    result.latency = latency.take(order.stage, 100, order.size(60, 10), _say)


@_scenario("latency-busy")
def _latency_busy(order: Order, result: Result) -> None:
    found = latency.take(order.stage, 2_000, order.size(30, 5), _say)
    result.latency_busy = LatencyBusy(**found.model_dump())


@_scenario("growth")
def _growth(order: Order, result: Result) -> None:
    sizes = ((10_000, 0), (1_000_000, 5_000_000)) if not order.quick else ((2_500, 0), (50_000, 0))
    events = min(order.events, 18_000)
    result.growth = growth.take(order.stage, events, sizes, order.rounds, _say)


@_scenario("dead-letters")
def _dead_letters(order: Order, result: Result) -> None:
    levels = (0, 10_000, 50_000) if not order.quick else (0, 1_000)
    events = min(order.events, 18_000)
    result.dead_letters = dead_letters.take(order.stage, events, levels, order.rounds, _say)


@_scenario("long-cases")
def _long_cases(order: Order, result: Result) -> None:
    events, lengths = order.size(20_000, 2_000), (order.size(1_000, 200), 5)
    result.long_cases = long_cases.take(order.stage, events, order.rounds, _say, lengths)


@_scenario("cold-start")
def _cold_start(order: Order, result: Result) -> None:
    result.cold_start = cold_start.take(order.stage, history(1_000), order.size(5, 2), _say)


@_scenario("backlog")
def _backlog(order: Order, result: Result) -> None:
    result.backlog = backlog.take(
        order.stage, order.folder / "backlog", order.size(1_000_000, 20_000), _say
    )


@_scenario("rebuild")
def _rebuild(order: Order, result: Result) -> None:
    result.rebuild = rebuild.take(order.folder / "backlog", order.head.environment(), _say)


@_scenario("whatif")
def _whatif(order: Order, result: Result) -> None:
    result.whatif = whatif.take(order.folder / "backlog", order.head.environment(), _say)


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--only", multiple=True, type=click.Choice(list(SCENARIOS)), help="Repeatable.")
@click.option("--contender", multiple=True, type=click.Choice(list(ROSTER)), help="Repeatable.")
@click.option("--events", default=30_000, show_default=True, help="Distinct events per round.")
@click.option(
    "--rounds",
    default=5,
    show_default=True,
    help="Number of rounds; contenders take turns in each.",
)
@click.option(
    "--base",
    metavar="COMMIT",
    help="Run this earlier commit beside the checkout too, and compare the two.",
)
@click.option(
    "--quick", is_flag=True, help="Run small sizes to try the benchmark; its figures mean nothing."
)
@click.option("--json", "json_", is_flag=True, help="Print the result as JSON instead of tables.")
@click.pass_context
def main(
    context: click.Context,
    only: tuple[str, ...],
    contender: tuple[str, ...],
    events: int,
    rounds: int,
    base: str | None,
    quick: bool,
    json_: bool,
) -> None:
    """Measure the pipeline and its rivals on this machine, and every figure with a goal.

    Uses real Apache Kafka and durable PostgreSQL; contenders take turns. The results of each
    scenario are added to .run/bench/result.json, with tables (result.md) and plots in the same
    folder, so a long benchmark can run in parts. Throughput is replaced as a whole, since figures
    of two runs are not comparable. With --base, contenders named base run that commit on databases
    of their own, and ratios are taken round by round. Exit code 1 if a contender did not store and
    publish the same or a scenario failed; a missed goal is shown and does not change the exit code.

    \b
    Examples:
      python -m tests.bench
      python -m tests.bench --quick
      python -m tests.bench --only throughput --contender worker --contender quix --rounds 5
      python -m tests.bench --only throughput --only singles --base cb368e9
      python -m tests.bench --only backlog --only rebuild
      python -m tests.bench report
      python -m tests.bench publish
      python -m tests.bench capacity
    """
    if context.invoked_subcommand:
        return
    signal.signal(signal.SIGTERM, _interrupt)
    failed = False
    names = only or tuple(SCENARIOS)
    with ExitStack() as stack:
        order = Order(
            2_000 if quick else events, 1 if quick else rounds, contender, quick, base, stack
        )
        result = load(order.folder)
        result.machine = machine()
        for name in names:
            _SAY.print(name, style="bold")
            try:
                SCENARIOS[name](order, result)
                _sign(order, result, name)
            except Exception as error:
                failed = True
                _say(f"FAILED: {type(error).__name__}: {error}")
            result.goals = verdicts(result)
            save(result, order.folder)
    failed |= _present(result, order.folder, names, json_=json_)
    raise SystemExit(1 if failed else 0)


def machine() -> str:
    """Return the kind of this machine, without its name."""
    gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores, {gib:.0f} GiB, {platform.machine()}"


def _sign(order: Order, result: Result, name: str) -> None:
    """Note which commit and which interpreter the figures of a scenario are of."""
    taken = getattr(result, name.replace("-", "_"))
    taken.commit = order.head.commit
    taken.interpreter = interpreter(Path(sys.executable), order.head.environment())


@main.command("report")
@click.option("--quick", is_flag=True, help="Use the results of the last quick run.")
@click.option("--json", "json_", is_flag=True, help="Print the result as JSON instead of tables.")
def report_(quick: bool, json_: bool) -> None:
    """Render tables, Markdown and plots from the last results."""
    folder = QUICK if quick else HOME
    if not (folder / "result.json").exists():
        raise click.ClickException("nothing was measured yet: python -m tests.bench")
    failed = _present(load(folder), folder, tuple(SCENARIOS), json_=json_)
    raise SystemExit(1 if failed else 0)


@main.command("publish")
def publish_() -> None:
    """Make the last results the published figures, and write the tables of the documents.

    Exit code 1 if they are not complete, or of code that was changed since its commit.
    """
    try:
        papers.publish(load(HOME))
    except papers.Unpublishable as refused:
        raise click.ClickException(str(refused)) from None


@main.command("figures")
def figures_() -> None:
    """Write the tables of the documents again, and when the code that is measured changed last."""
    papers.write()


@main.command("capacity")
def capacity_() -> None:
    """Simulate workers and databases from the last measured costs, and check the model.

    Exit code 1 if nothing was measured, or if the model differs by more than a quarter from a
    measured rate.
    """
    taken = load(HOME).throughput
    one = taken.contenders.get("worker") if taken else None
    if taken is None or one is None or one.server_cpu_us is None:
        raise click.ClickException("measure first: python -m tests.bench --only throughput")
    costs = capacity.Costs(one.cpu_us.median, one.server_cpu_us.median)
    if one.kafka_cpu_us is not None:
        costs = replace(costs, broker=one.kafka_cpu_us.median)
    click.echo(
        f"client {costs.client:.0f} us, server {costs.server:.0f} us,"
        f" broker {costs.broker:.0f} us per event"
    )
    worst = 0.0
    for name, shape in (("worker", capacity.Shape()), ("worker-x2", capacity.Shape(workers=2))):
        if found := taken.contenders.get(name):
            model, measured = capacity.rate(costs, shape), found.rate.median
            worst = max(worst, abs(model / measured - 1))
            click.echo(f"{name}: measured {measured:,.0f}/s, simulated {model:,.0f}/s")
    click.echo("| workers | their cores | database's cores | events/s | saturated |")
    click.echo("|---:|---:|---:|---:|---|")
    for shape in capacity.GROWTH:
        model = capacity.rate(costs, shape)
        database = shape.database_cores or "shared"
        click.echo(
            f"| {shape.workers} | {shape.worker_cores} | {database} | {model:,.0f} |"
            f" {capacity.saturated(costs, shape, model)} |"
        )
    raise SystemExit(1 if worst > 0.25 else 0)


def _present(result: Result, folder: Path, names: tuple[str, ...], *, json_: bool) -> bool:
    """Show and write the results; return whether a named scenario failed."""
    (folder / "result.md").write_text(report.markdown(result))
    from tests.bench.plots import draw  # matplotlib takes a second to import

    draw(result, folder)
    if json_:
        click.echo(result.model_dump_json(indent=2))
    else:
        report.show(result, Console(width=None if sys.stdout.isatty() else 140))
    return any(result.failures(name) for name in names)


def _interrupt(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
