"""``icam audit``"""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import click

from streams.cli.output import as_json, console, emit
from streams.kafka.connection import client
from streams.runtime.settings import Settings
from streams.store import address


@click.command()
@click.option(
    "--produced",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File of the event ids that were acknowledged to producers, one per line.",
)
@click.option("--drained", is_flag=True, help="Require everything ingested and published.")
@click.option("--canary", multiple=True, help="Text from records that must not leak.")
@click.option(
    "--paper",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Log or metrics file to search for that text and for national numbers.",
)
@click.option(
    "--due-bound", default=300.0, show_default=True, help="Seconds that deadlines may lag."
)
@as_json
def audit(
    produced: Path | None,
    drained: bool,
    canary: tuple[str, ...],
    paper: tuple[Path, ...],
    due_bound: float,
    json_: bool,
) -> None:
    """Verify every guarantee against Kafka and the database, without the pipeline's own code.

    Every record is in the log or in the dead letters exactly once. Every projection equals the fold
    of its log. Every escalation cites events that exist. Every announcement is on its topic. No
    deadline is overdue. Every open case has a next date, a reason, an owner and an office, and is
    silent for no longer than the longest pause; nothing stands after an end or a final answer. Exit
    code 1 when the audit finds a violation.

    \b
    Examples:
      icam audit
      icam audit --drained --json
      icam audit --canary "Jeanne Dupont" --paper worker.log
    """
    from streams.audit import audit as run
    from streams.audit.report import render

    settings = Settings()
    ids = [UUID(line) for line in produced.read_text().split()] if produced else None
    report = run(
        client(settings.kafka),
        address.read(settings.database).for_psycopg(),
        group=settings.kafka.group,
        produced=ids,
        drained=drained,
        due_bound_seconds=due_bound,
        canaries=canary,
        texts={path.name: path.read_text(errors="replace") for path in paper},
    )
    if json_:
        emit(report.to_dict())
    else:
        console().print(render(report))
    if not report.clean:
        raise SystemExit(1)
