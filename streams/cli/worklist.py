"""``icam worklist``"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import click

from schemas.outcomes import Track
from streams import reference
from streams.cli.output import as_json, console, emit, table, with_connection
from streams.domain.explain.wording import Wording
from streams.domain.policy.rules import LANGUAGES
from streams.reference import Reference
from streams.runtime.settings import Settings
from streams.store import worklist as work
from streams.store.pool import Connection
from streams.store.worklist import Task

_COLUMNS = ("due", "late", "proposal", "addressed", "reminders", "case")


@click.command()
@click.option("--office", required=True, help="Office or team, as in the directory.")
@click.option(
    "--track", type=click.Choice([track.value for track in Track]), help="Only those of this team."
)
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@click.option(
    "--lang", type=click.Choice(LANGUAGES), default="fr", show_default=True, help="Language."
)
@as_json
def worklist(office: str, track: str | None, limit: int, lang: str, json_: bool) -> None:
    """List what the people of an office must do, by due date: the standing proposals.

    A proposal is due when its first answer was expected. It is announced again until it is
    answered, and stays due on that date. Late days are calendar days. With ICAM_CASE_URL set, each
    case has the link {ICAM_CASE_URL}/{case id}.

    \b
    Examples:
      icam worklist --office gent --lang nl
      icam worklist --office gent --track family --limit 10 --json
    """
    settings = Settings()
    ref = reference.load(settings.policy_file, settings.directory_file)
    known = known_offices(ref)
    if office not in known:
        raise click.UsageError(f"no office {office!r} in the directory; known: {', '.join(known)}")

    async def read(conn: Connection) -> Sequence[Task]:
        return await work.tasks(conn, office, track, limit)

    tasks = with_connection(settings, read)
    wording, now = ref.wording(lang), datetime.now(UTC)
    rows = [describe(task, wording, settings.case_url, now) for task in tasks]
    if json_:
        emit(rows)
        return
    heads = [wording.word("worklist", name) for name in _COLUMNS]
    title = wording.sentence("worklist.title", office=wording.office(office), count=len(rows))
    lines = [
        (
            wording.last_day(task.due) if task.due else None,
            row["late_days"] or None,
            row["text"],
            wording.word("role", task.addressed_to) if task.addressed_to else None,
            task.reminders or None,
            row["link"] or row["command"],
        )
        for task, row in zip(tasks, rows, strict=True)
    ]
    console().print(table(title, heads, lines))


def known_offices(ref: Reference) -> list[str]:
    """Return the offices and teams that a case can be routed to, in the directory's order."""
    directory = ref.directory
    teams = (team.office_id for team in directory.teams.values())
    return list(dict.fromkeys((*directory.offices, *teams, directory.triage_office)))


def describe(
    task: Task, wording: Wording, case_url: str | None, now: datetime
) -> Mapping[str, Any]:
    """Return one task with its lateness, its text and the ways to its case.

    ``late_days`` counts whole calendar days, 0 up to the end of the day after the due date.
    """
    late = (now - task.due).days if task.due is not None else 0
    return {
        **task._asdict(),
        "late_days": max(0, late),
        "text": wording.rule(task.rule_id) or task.action,
        "command": f"icam case {task.case_id}",
        "link": f"{case_url.rstrip('/')}/{task.case_id}" if case_url else None,
    }
