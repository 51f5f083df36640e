"""``icam policy``"""

from __future__ import annotations

import getpass
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.progress import Progress

from streams import reference
from streams.casework import versions
from streams.casework.in_force import InForce, in_force_source
from streams.casework.versions import Moved
from streams.cli.output import as_json, console, echo, emit, table, with_connection
from streams.domain.policy.lint import lint_together
from streams.domain.policy.load import PolicyError, load_policy
from streams.domain.policy.rules import Policy
from streams.reference import Reference
from streams.runtime.settings import Settings
from streams.store import clock, publications
from streams.store.pool import Connection
from streams.store.publications import Publication

_Command = TypeVar("_Command", bound=Any)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def given(_: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Refuse an empty text: it is stored."""
    if value is not None and not value.strip():
        raise click.BadParameter("it is stored, so it can't be empty", param=param)
    return value


def by_author(command: _Command) -> _Command:
    """Add the options that say who publishes or moves, and why."""
    because = click.option(
        "--because", metavar="TEXT", required=True, callback=given, help="Why; stored."
    )
    who = click.option(
        "--who",
        metavar="NAME",
        default=getpass.getuser,
        callback=given,
        show_default="your login",
        help="Who decided; stored beside the login.",
    )
    return because(who(command))


@click.group()
def policy() -> None:
    """Lint, publish and list versions of the policy, and move open cases to a version.

    A case keeps the version in force when its order was notified, unless a later version says that
    it applies to open cases, or an official moves the case. What was complete before a version
    applied to a case is judged by the earlier version. docs/policy.md shows the way from a draft
    to a move.
    """


@policy.command()
@click.argument("files", nargs=-1, required=True, type=_FILE)
@as_json
def lint(files: tuple[Path, ...], json_: bool) -> None:
    """Check versions of the policy, each by itself and all together; exit 1 if one has a fault.

    Needs no database.

    \b
    Examples:
      icam policy lint draft.toml
      icam policy lint 2026.2.toml 2026.3.toml --json
    """
    faults: list[str] = []
    loaded: list[Policy] = []
    for file in files:
        try:
            loaded.append(load_policy(file.read_text()))
        except PolicyError as error:
            faults += [f"{file}: {fault}" for fault in error.faults]
    if len(loaded) > 1:
        faults += lint_together(loaded, max(one.valid_from for one in loaded))
    if json_:
        emit({"versions": [_version(one) for one in loaded], "faults": faults})
    else:
        for one in loaded:
            echo(f"{one.version}: {len(one.rules)} rules, valid from {one.valid_from}")
        for fault in faults:
            echo(f"fault  {fault}")
    if faults:
        raise SystemExit(1)


def _version(one: Policy) -> dict[str, Any]:
    transition = one.transition
    return {
        "version": one.version,
        "digest": one.digest,
        "valid_from": one.valid_from,
        "open_cases_from": transition.open_cases_from if transition is not None else None,
        "rules": len(one.rules),
    }


@policy.command("list")
@as_json
def list_(json_: bool) -> None:
    """List the versions that count, and everything that was published or moved, by whom and why.

    \b
    Examples:
      icam policy list
      icam policy list --json
    """
    settings = Settings()

    async def read(conn: Connection) -> tuple[Reference, list[Publication], datetime]:
        ref = await _source(settings).current(conn)
        return ref, await publications.history(conn), await clock.now(conn)

    ref, history, now = with_connection(settings, read)
    today = ref.calendar.local_date(now)
    in_force = ref.tables.policies.on(today)
    if json_:
        emit(
            {
                "in_force": in_force.version,
                "versions": [_version(one) for one in ref.tables.policies.versions],
                "history": [one._asdict() for one in history],
            }
        )
        return
    rows = []
    for one in ref.tables.policies.versions:
        state = "in force" if one is in_force else "ahead" if one.valid_from > today else "earlier"
        cases = f"open cases from {one.transition.open_cases_from}" if one.transition else "new"
        rows.append((one.version, one.valid_from, state, cases, one.digest[:12]))
    columns = ("version", "valid from", "state", "applies to", "digest")
    console().print(table("Versions of the policy", columns, rows))
    console().print(
        table(
            "Published and moved",
            ("no.", "what", "version", "valid from", "cases", "why", "who", "login", "when"),
            [
                (
                    one.number,
                    one.kind,
                    one.version,
                    one.valid_from,
                    one.cases or None,
                    one.reason,
                    one.who,
                    one.login,
                    one.published_at.astimezone(UTC).isoformat(timespec="seconds"),
                )
                for one in history
            ],
        )
    )
    if not history:
        echo("nothing was published: the worker's own files are in force")


@policy.command()
@click.argument("version")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write it to a file.")
def show(version: str, out: Path | None) -> None:
    """Print the text of a version, to edit it as the next one.

    \b
    Examples:
      icam policy show 2026.2
      icam policy show 2026.2 --out draft.toml
    """
    settings = Settings()
    ref = with_connection(settings, _source(settings).current)
    for one in ref.tables.policies.versions:
        if one.version == version:
            if out is not None:
                out.write_text(one.body)
            else:
                click.echo(one.body, nl=False)
            return
    names = ", ".join(one.version for one in ref.tables.policies.versions)
    raise click.UsageError(f"no version {version}; there are {names}")


@policy.command()
@click.argument("file", type=_FILE)
@click.option("--dry-run", is_flag=True, help="Only check it together with those published.")
@by_author
@as_json
def publish(file: Path, dry_run: bool, because: str, who: str, json_: bool) -> None:
    """Publish a version of the policy, which comes into force on its first day.

    It is checked together with those published. The first day is tomorrow at the earliest; until
    then a version of the same first day replaces it. Workers read it within seconds, without a
    restart.

    \b
    Examples:
      icam policy publish draft.toml --because "circular of 3 November" --dry-run
      icam policy publish draft.toml --because "circular of 3 November" --who "J. Peeters"
    """
    settings, text = Settings(), file.read_text()

    async def work(conn: Connection) -> Policy:
        return await versions.publish_policy(
            conn, _source(settings), text, reason=because, who=who, dry_run=dry_run
        )

    one = with_connection(settings, work)
    if json_:
        emit(_version(one) | {"published": not dry_run})
    else:
        done = "can be published" if dry_run else "published"
        echo(f"version {one.version} {done}, in force from {one.valid_from}")


@policy.command()
@click.argument("version")
@by_author
@as_json
def withdraw(version: str, because: str, who: str, json_: bool) -> None:
    """Withdraw a version that has a mistake: it decides about no case from now on.

    Cases come under the version before it again, within seconds. What it alone proposed is
    withdrawn, with the reason. A version that lies ahead can be withdrawn too.

    \b
    Examples:
      icam policy withdraw 2026.3 --because "the term of the silence rule is wrong"
    """
    settings = Settings()

    async def work(conn: Connection) -> Policy:
        return await versions.withdraw_policy(
            conn, _source(settings), version, reason=because, who=who
        )

    left = with_connection(settings, work)
    if json_:
        emit({"withdrawn": version, "in_force": left.version})
    else:
        echo(f"version {version} withdrawn; in force is {left.version}")


@policy.command()
@click.option("--to", "version", metavar="VERSION", required=True, help="A version in force.")
@click.option("--dry-run", is_flag=True, help="Only say what the move would do at once.")
@click.option("--apply", "apply_", is_flag=True, help="Move the cases.")
@by_author
@as_json
def migrate(version: str, dry_run: bool, apply_: bool, because: str, who: str, json_: bool) -> None:
    """Move all open cases to a version in force; who, when and why is stored.

    From then on the version applies to them. What was complete before stays as the earlier version
    has it, so that a move raises and withdraws little at once. A later order of the same person
    takes the version of its own day.

    \b
    Examples:
      icam policy migrate --to 2026.3 --dry-run --because "equal treatment"
      icam policy migrate --to 2026.3 --apply --because "equal treatment" --who "J. Peeters"
    """
    if dry_run == apply_:
        raise click.UsageError("give --dry-run or --apply")
    settings, shown = Settings(), console(stderr=True)
    with Progress(console=shown, disable=json_ or not shown.is_terminal) as bar:
        task = bar.add_task("cases", total=None)

        async def work(conn: Connection) -> Moved:
            return await versions.move_open_cases(
                conn,
                _source(settings),
                version,
                reason=because,
                who=who,
                apply=apply_,
                progress=lambda done, of: bar.update(task, completed=done, total=of),
            )

        found = with_connection(settings, work)
    if json_:
        emit(
            {
                "version": found.version,
                "moved": found.number is not None,
                "number": found.number,
                "cases": len(found.cases),
                "from": found.by_version,
                "raised": found.raised,
                "withdrawn": found.withdrawn,
            }
        )
        return
    done = "moved" if found.number is not None else "would be moved"
    echo(f"{len(found.cases)} open cases {done} to {found.version}{_counted(found.by_version)}")
    echo(f"raised at once: {found.raised.total()}{_counted(found.raised)}")
    echo(f"withdrawn at once: {found.withdrawn.total()}{_counted(found.withdrawn)}")


def _counted(counts: Counter[str]) -> str:
    parts = ", ".join(f"{name}: {number}" for name, number in sorted(counts.items()))
    return f" ({parts})" if parts else ""


def _source(settings: Settings) -> InForce:
    return in_force_source(reference.load(*settings.reference_files), settings)
