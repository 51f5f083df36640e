"""``icam audit``"""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import click

from streams import reference
from streams.audit.findings import Report
from streams.cli.output import as_json, console, emit
from streams.kafka.connection import client
from streams.runtime.settings import Settings
from streams.store import address


@click.group(invoke_without_command=True)
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
@click.pass_context
def audit(
    ctx: click.Context,
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
      icam audit chain --public-key checkpoint.pub
    """
    if ctx.invoked_subcommand is not None:
        return
    from streams.audit import audit as run

    settings = Settings()
    ids = [UUID(line) for line in produced.read_text().split()] if produced else None
    report = run(
        client(settings.kafka),
        address.read(settings.database_of_audit).for_psycopg(),
        group=settings.kafka.group,
        producers=reference.producers(settings.producers_file),
        produced=ids,
        drained=drained,
        due_bound_seconds=due_bound,
        canaries=canary,
        texts={path.name: path.read_text(errors="replace") for path in paper},
    )
    _show(report, json_=json_)


@audit.command()
@click.option(
    "--public-key",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="PEM file of the public keys: the present one and those before it.",
)
@click.option(
    "--checkpoints",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File of icam checkpoint export; instead of the topic, so that no broker is needed.",
)
@as_json
def chain(public_key: Path, checkpoints: Path | None, json_: bool) -> None:
    """Verify every entry of every case against the signed checkpoints.

    Finds an event or an announcement that was changed, removed, inserted or rolled back after
    a checkpoint signed it, also when the owner of the database changed all of its tables. Exit code
    1 when it finds one.

    \b
    Examples:
      icam audit chain --public-key checkpoint.pub
      icam audit chain --public-key checkpoint.pub --checkpoints checkpoints.jsonl --json
    """
    from schemas.checkpoints import PublicKey
    from streams.audit.chain import check_chain
    from streams.audit.checkpoints import exported, published

    settings = Settings()
    keys = PublicKey.read_all(public_key.read_bytes())
    values = exported(checkpoints) if checkpoints else published(client(settings.kafka))
    url = address.read(settings.database_of_audit).for_psycopg()
    _show(check_chain(url, values, keys).report, json_=json_)


def _show(report: Report, *, json_: bool) -> None:
    from streams.audit.report import render

    if json_:
        emit(report.to_dict())
    else:
        console().print(render(report))
    if not report.clean:
        raise SystemExit(1)
