"""``icam worklist``"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import click

from schemas.events import AnswererRole
from schemas.outcomes import Track
from streams.cli.in_force import tables_in_force
from streams.cli.output import as_json, console, emit, table
from streams.cli.reading import by_reader, described, read_recorded
from streams.domain.explain.wording import Wording
from streams.domain.letters import decide_by
from streams.domain.policy.rules import LANGUAGES
from streams.reference import Reference
from streams.runtime.settings import Settings
from streams.store import worklist as work
from streams.store.access import Reader
from streams.store.pool import Connection
from streams.store.worklist import Blocked, Task

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
@by_reader
@as_json
def worklist(
    office: str,
    track: str | None,
    limit: int,
    lang: str,
    reader: str | None,
    why: str | None,
    json_: bool,
) -> None:
    """List what the people of an office must do: blocked cases, then proposals by due date.

    A case is blocked while a record about it was refused and nobody has decided what to do with it:
    nothing is proposed meanwhile that the record could be a reason against. The decision is due at
    the end of the next working day.

    A proposal is due when its first answer was expected. It is announced again until it is
    answered, and stays due on that date. Late days are calendar days. With ICAM_CASE_URL set, each
    case has the link {ICAM_CASE_URL}/{case id}. Who reads, and why, is recorded: see icam access.

    \b
    Examples:
      icam worklist --office gent --lang nl
      icam worklist --office gent --track family --limit 10 --json
    """
    settings = Settings()

    async def read(
        conn: Connection,
    ) -> tuple[tuple[Sequence[Blocked], Sequence[Task], Reference], Collection[str]]:
        ref = await tables_in_force(settings, conn)
        known = known_offices(ref)
        if office not in known:
            raise click.UsageError(
                f"no office {office!r} in the directory; known: {', '.join(known)}"
            )
        blocked = await work.blocked(conn, office, track, limit)
        tasks = await work.tasks(conn, office, track, limit)
        shown = (blocked, tasks, ref)
        return shown, {one.case_id for one in blocked} | {one.case_id for one in tasks}

    what = described("worklist", office=office, track=track)
    blocked, tasks, ref = read_recorded(settings, Reader(reader, why), what, read)
    wording, now = ref.wording(lang), datetime.now(UTC)
    waiting = [describe_blocked(case, wording, settings.case_url, now) for case in blocked]
    rows = [describe(task, wording, settings.case_url, now) for task in tasks]
    if json_:
        emit([*waiting, *rows])
        return
    heads = [wording.word("worklist", name) for name in _COLUMNS]
    title = wording.sentence("worklist.title", office=wording.office(office), count=len(rows))
    lines: list[tuple[object, ...]] = [
        (
            wording.last_day(row["due"]),
            row["late_days"] or None,
            row["text"],
            wording.word("role", row["addressed_to"]),
            None,
            row["link"] or row["command"],
        )
        for row in waiting
    ]
    lines += [
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
    found: list[str] = []
    for directory in ref.tables.directories.versions:
        found += directory.offices
        found += [team.office_id for team in directory.all_teams]
        found.append(directory.triage_office)
    return list(dict.fromkeys(found))


def describe_blocked(
    case: Blocked, wording: Wording, case_url: str | None, now: datetime
) -> Mapping[str, Any]:
    """Return a blocked case like a task, without an escalation and a rule."""
    due = decide_by(case.since, wording.calendar)
    reasons = ", ".join(wording.word("dead_letter", reason) for reason in case.reasons)
    return {
        **dict.fromkeys(Task._fields),
        "case_id": case.case_id,
        "action": "resolve_dead_letter",
        "office_id": case.office_id,
        "track": case.track,
        "addressed_to": AnswererRole.TEAM_LEAD,
        "raised_at": case.since,
        "due": due,
        "reminders": 0,
        "late_days": max(0, (now - due).days),
        "text": wording.sentence("worklist_blocked", reasons=reasons),
        "command": f"icam dead-letters list --case {case.case_id}",
        "link": f"{case_url.rstrip('/')}/{case.case_id}" if case_url else None,
    }


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
