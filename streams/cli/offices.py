"""``icam offices``"""

from __future__ import annotations

import getpass
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import click
from rich.progress import Progress

from streams import reference
from streams.casework import versions
from streams.casework.in_force import in_force_source
from streams.casework.offices_plan import Move, OfficesPlan, Side, TeamLoad, plan_offices
from streams.cli.in_force import tables_in_force
from streams.cli.output import as_json, console, echo, emit, table, with_connection
from streams.cli.policy import given
from streams.cli.reading import by_reader, described, read_recorded
from streams.reference import staffing
from streams.runtime.processes import processors
from streams.runtime.settings import Settings
from streams.store import access
from streams.store.access import Reader
from streams.store.pool import Connection

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def offices() -> None:
    """Plan a change of the office directory: which open cases would move, and each team's load.

    docs/domain.md says how a case gets its office, docs/policy.md how to change the directory.
    """


@offices.command()
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write it to a file.")
def show(out: Path | None) -> None:
    """Print the text of the newest directory, to edit it as the next one.

    \b
    Examples:
      icam offices show --out directory.toml
    """
    settings = Settings()

    async def read(conn: Connection) -> str:
        return (await tables_in_force(settings, conn)).directory.body

    body = with_connection(settings, read)
    if out is not None:
        out.write_text(body)
    else:
        click.echo(body, nl=False)


@offices.command()
@click.option("--change", required=True, type=_FILE, help="The changed directory, a TOML file.")
@click.option("--staffing", "staff", type=_FILE, help="The staffing that comes with the change.")
@click.option("--cases", "with_cases", is_flag=True, help="Name the cases that would move.")
@click.option(
    "--processes",
    type=click.IntRange(1, 256),
    default=processors,
    show_default="one per core",
    help="Number of parallel processes.",
)
@click.option("--apply", "apply_", is_flag=True, help="Publish the directory after the plan.")
@click.option("--because", metavar="TEXT", callback=given, help="With --apply: why; stored.")
@click.option(
    "--who",
    metavar="NAME",
    default=getpass.getuser,
    callback=given,
    show_default="your login",
    help="With --apply: who decided; stored beside the login.",
)
@by_reader
@as_json
def plan(
    change: Path,
    staff: Path | None,
    with_cases: bool,
    processes: int,
    apply_: bool,
    because: str | None,
    who: str,
    reader: str | None,
    why: str | None,
    json_: bool,
) -> None:
    """Show which open cases a changed directory would move, from where to where and why.

    Compares it with the directory in force, as of the first day of the changed one, or now if that
    day has come. Shows the load of each team before and after. Exit code 1 when the directory or
    the staffing has faults.

    With --apply the directory is published: it comes into force on its first day, tomorrow at the
    earliest, and workers then announce each move as a routing with its reason. Without, nothing is
    written.

    Cases that several offices may follow properly go where there is room when they are routed; the
    plan assumes the loads of now. With --cases, who reads, and why, is recorded: see icam access.

    \b
    Examples:
      icam offices plan --change directory.toml
      icam offices plan --change directory.toml --apply --because "Charleroi opens"
      icam offices plan --change directory.toml --staffing staffing.toml --json
      icam offices plan --change directory.toml --cases --as "J. Peeters" --reason "Charleroi opens"
    """
    if apply_ and because is None:
        raise click.UsageError("--apply stores why: give --because too")
    settings, person = Settings(), Reader(reader, why)
    now = staffing.load(settings.staffing_file)
    after = staffing.load(staff) if staff is not None else now
    if with_cases:
        with_connection(settings, lambda conn: access.expect_known(conn, person))
    shown = console(stderr=True)
    with Progress(console=shown, disable=json_ or not shown.is_terminal) as bar:
        task = bar.add_task("cases", total=None)
        found = plan_offices(
            settings,
            _text(change),
            now,
            after,
            processes=processes,
            progress=lambda done, of: bar.update(task, completed=done, total=of),
        )
    if with_cases:

        async def moved(_: Connection) -> tuple[None, Collection[str]]:
            return None, [move.case_id for move in found.moves]

        what = described("offices plan", change=change, staffing=staff, cases=True)
        read_recorded(settings, person, what, moved)
    if apply_ and because is not None:
        with_connection(settings, partial(_publish, settings, found.changed.body, because, who))
    groups = _grouped(found.moves)
    if json_:
        emit(_as_data(found, groups, with_cases) | {"published": apply_})
    else:
        _print(found, groups, with_cases)
        if apply_:
            version = found.changed
            echo(f"directory {version.version} published, in force from {version.valid_from}")


async def _publish(settings: Settings, body: str, because: str, who: str, conn: Connection) -> None:
    source = in_force_source(reference.load(*settings.reference_files), settings)
    await versions.publish_directory(conn, source, body, reason=because, who=who, dry_run=False)


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except UnicodeDecodeError:
        raise click.UsageError(f"--change: {file} is not UTF-8") from None


class _Group(NamedTuple):
    """What cases have in common that move alike."""

    before: Side
    after: Side
    rule_id: str
    why: str


def _grouped(moves: Sequence[Move]) -> Mapping[_Group, Sequence[str]]:
    """Return the moved cases by how they move, the largest groups first.

    Languages tell groups apart only where the language of contact changes.
    """
    groups: dict[_Group, list[str]] = defaultdict(list)
    for move in moves:
        before, after = move.before, move.after
        if before.language == after.language:
            before, after = before._replace(language=None), after._replace(language=None)
        groups[_Group(before, after, move.rule_id, move.why)].append(move.case_id)
    return dict(sorted(groups.items(), key=lambda item: (-len(item[1]), str(item[0]))))


def _as_data(
    found: OfficesPlan, groups: Mapping[_Group, Sequence[str]], with_cases: bool
) -> dict[str, Any]:
    moves = []
    for group, case_ids in groups.items():
        row: dict[str, Any] = {
            "from": group.before._asdict(),
            "to": group.after._asdict(),
            "rule_id": group.rule_id,
            "why": group.why,
            "cases": len(case_ids),
        }
        moves.append(row | {"case_ids": case_ids} if with_cases else row)
    return {
        "at": found.at,
        "in_force": {"version": found.in_force.version, "digest": found.in_force.digest},
        "changed": {"version": found.changed.version, "digest": found.changed.digest},
        "open_cases": found.open_cases,
        "unreadable": found.unreadable,
        "moved": sum(move.leaves for move in found.moves),
        "other_language": sum(not move.leaves for move in found.moves),
        "moves": moves,
        "loads": [
            {
                "office_id": load.office_id,
                "track": load.track,
                "cases": {"before": load.cases_before, "after": load.cases_after},
                "capacity": {"before": load.capacity_before, "after": load.capacity_after},
            }
            for load in found.loads
        ],
    }


def _print(found: OfficesPlan, groups: Mapping[_Group, Sequence[str]], with_cases: bool) -> None:
    at = found.at.isoformat(timespec="minutes")
    echo(f"directory {found.in_force.version} -> {found.changed.version}, as of {at}")
    if not groups:
        echo(f"none of {found.open_cases} open cases would move")
    else:
        columns = ("from", "to", "cases", "rule", "why")
        rows = [
            (
                _said(group.before),
                _said(group.after),
                len(case_ids),
                group.rule_id,
                group.why,
            )
            for group, case_ids in groups.items()
        ]
        console().print(table("Cases that would move", columns, rows))
        for group, case_ids in groups.items() if with_cases else ():
            echo(f"{_said(group.before)} -> {_said(group.after)}: {', '.join(case_ids)}")
        left = sum(move.leaves for move in found.moves)
        echo(f"{left} of {found.open_cases} open cases would move to another team")
        if left < len(found.moves):
            echo(f"{len(found.moves) - left} would be contacted in another language")
    heads = ("office", "track", "cases", "capacity", "load", "")
    console().print(table("Load, before -> after", heads, [_load(load) for load in found.loads]))
    if found.unreadable:
        echo(f"{found.unreadable} cases with an event that can't be read are left out")


def _said(side: Side) -> str:
    return f"{side.office_id} {side.track}" + (f" ({side.language})" if side.language else "")


def _load(load: TeamLoad) -> tuple[object, ...]:
    full = load.capacity_after is not None and load.cases_after >= load.capacity_after
    return (
        load.office_id,
        load.track,
        _change(load.cases_before, load.cases_after),
        _change(load.capacity_before, load.capacity_after),
        _change(
            _percent(load.cases_before, load.capacity_before),
            _percent(load.cases_after, load.capacity_after),
        ),
        "full" if full and load.cases_after else None,
    )


def _percent(cases: int, capacity: int | None) -> str | None:
    return f"{cases / capacity:.0%}" if capacity else None


def _change(before: object, after: object) -> str:
    """Return a value, or both if it changes; a value that is not known is ``?``."""
    first, last = ("?" if one is None else str(one) for one in (before, after))
    return first if first == last else f"{first} -> {last}"
