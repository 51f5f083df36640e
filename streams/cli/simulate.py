"""``icam simulate``: generate a stream of events and print or publish it, or simulate a year."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import click
import orjson
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from streams.cli.output import as_json, console, echo, emit
from streams.cli.year import print_year
from streams.kafka.publish import Publisher
from streams.runtime.settings import Settings
from streams.simulate.publishing import Kind, Planned
from streams.simulate.settings import SimulationSettings
from streams.simulate.stream import stream


@click.command()
@click.option("--seed", default=1, show_default=True, help="The same seed gives the same stream.")
@click.option("--scale", default=0.1, show_default=True, help="1.0 is Belgium: 140 orders per day.")
@click.option("--days", type=float, help="Length of the history, in days. Default: 60.")
@click.option("--until", type=click.DateTime(), help="End of the history, UTC. Default: now.")
@click.option("--cases", type=int, help="Maximum number of cases.")
@click.option("--disorder", default=0.02, show_default=True, help="Share published out of order.")
@click.option("--duplicates", default=0.02, show_default=True, help="Share published twice.")
@click.option("--late", default=0.01, show_default=True, help="Share published days late.")
@click.option("--malformed", default=0.0, show_default=True, help="Share of malformed records.")
@click.option("--publish", "to_kafka", is_flag=True, help="Publish instead of printing.")
@click.option("--compress", type=float, help="Replay in time: seconds of history per second.")
@click.option("--report", is_flag=True, help="Play the window with offices; print each month.")
@click.option("--no-answers", is_flag=True, help="With --report: offices answer nothing.")
@as_json
def simulate(
    seed: int,
    scale: float,
    days: float | None,
    until: datetime | None,
    cases: int | None,
    disorder: float,
    duplicates: float,
    late: float,
    malformed: float,
    to_kafka: bool,
    compress: float | None,
    report: bool,
    no_answers: bool,
    json_: bool,
) -> None:
    """Generate a realistic stream from published figures, at any scale.

    Prints one record per line, or publishes them with --publish. Every event is valid against the
    exported schemas; --malformed adds records that are not.

    With --report nothing is published: the window, by default 365 days, is played into the rules in
    this process, with offices that answer proposals, and each month's end is printed.

    \b
    Examples:
      icam simulate --cases 3 --seed 7
      icam simulate --scale 1 --days 90 --publish
      icam simulate --days 1 --publish --compress 86400     one day per second
      icam simulate --report --until 2026-12-31             a year with offices
    """
    if no_answers and not report:
        raise click.UsageError("--no-answers needs --report")
    if report and (to_kafka or compress):
        raise click.UsageError("--report publishes nothing: leave out --publish and --compress")
    end = until.replace(tzinfo=UTC) if until else datetime.now(UTC)
    length = days if days is not None else 365.0 if report else 60.0
    settings = SimulationSettings(
        seed=seed,
        scale=scale,
        start=end - timedelta(days=length),
        end=end,
        cases=cases,
        disorder=disorder,
        duplicates=duplicates,
        late=late,
        malformed=malformed,
    )
    if report:
        print_year(settings, answers=not no_answers, json_=json_)
        return
    records = _paced(stream(settings), compress)
    if not to_kafka:
        for planned in records:
            echo(_line(planned))
        return
    publisher = Publisher(Settings().kafka)
    counts = dict.fromkeys(Kind, 0)
    for planned in _with_progress(records, hidden=json_):
        publisher.send(planned.record)
        counts[planned.kind] += 1
    publisher.flush()
    if json_:
        emit({"acknowledged": publisher.acknowledged, **{k.value: n for k, n in counts.items()}})
    else:
        parts = ", ".join(f"{n} {kind.value}" for kind, n in counts.items())
        echo(f"{publisher.acknowledged} records acknowledged: {parts}")


def _paced(records: Iterable[Planned], compress: float | None) -> Iterator[Planned]:
    """Yield records at ``compress`` seconds of history per second; without it, at full speed."""
    started: tuple[float, datetime] | None = None
    for planned in records:
        if compress:
            started = started or (time.monotonic(), planned.at)
            elapsed = (planned.at - started[1]).total_seconds() / compress
            time.sleep(max(0.0, started[0] + elapsed - time.monotonic()))
        yield planned


def _with_progress(records: Iterable[Planned], *, hidden: bool) -> Iterator[Planned]:
    columns = (TextColumn("publishing"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console(stderr=True), disable=hidden) as progress:
        task = progress.add_task("publishing", total=None)
        for planned in records:
            progress.advance(task)
            yield planned


def _line(planned: Planned) -> str:
    record = planned.record
    body: dict[str, Any] = {"at": planned.at, "kind": planned.kind, "topic": record.topic}
    body |= _text_or_base64("key", record.key) | _text_or_base64("value", record.value)
    body["headers"] = [[name, value.decode(errors="replace")] for name, value in record.headers]
    return orjson.dumps(body).decode()


def _text_or_base64(name: str, raw: bytes) -> dict[str, str]:
    try:
        return {name: raw.decode()}
    except UnicodeDecodeError:
        return {f"{name}_base64": base64.b64encode(raw).decode()}
