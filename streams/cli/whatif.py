"""``icam whatif``"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from rich.progress import Progress

from streams.casework.whatif import Answer, Draft, whatif
from streams.cli.inspect import language
from streams.cli.instants import instant
from streams.cli.output import as_json, console, echo, emit, with_connection, write_page
from streams.cli.reading import by_reader, described, read_recorded
from streams.cli.whatif_data import whatif_as_data
from streams.cli.whatif_page import page
from streams.cli.whatif_text import text
from streams.domain.directory.load import DirectoryError, load_directory
from streams.domain.policy.load import PolicyError, load_policy
from streams.runtime.processes import ProcessEnded, processors
from streams.runtime.settings import Settings
from streams.store import access
from streams.store.access import Reader
from streams.store.pool import Connection

_INTERRUPTED = 130
_PROCESSES = 2
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def _since(_: click.Context, param: click.Parameter, value: str | None) -> datetime | None:
    """Return an instant; a day means its start, and a time without an offset is in Brussels."""
    return instant(value, param) if value is not None else None


@click.command("whatif")
@click.option("--policy", type=_FILE, help="Draft of the policy.")
@click.option("--directory", type=_FILE, help="Draft of the office directory.")
@click.option(
    "--since",
    metavar="TIME",
    callback=_since,
    help="Report differences from this time on; a day means its start. Default: all.",
)
@click.option(
    "--as-dated",
    is_flag=True,
    help="Let the draft keep its first day. By default it is tried as if it had been in force "
    "instead of the version in force at the end of the history.",
)
@click.option(
    "--processes",
    type=click.IntRange(1, 256),
    default=lambda: min(processors(), _PROCESSES),
    show_default="2, or 1 on one core",
    help="Number of parallel processes. Each has a connection, and the role may have few.",
)
@click.option(
    "--resume",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Keep what is done in the file, and go on from there if the run was interrupted.",
)
@click.option(
    "--html",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the report as one page for the file too.",
)
@language
@by_reader
@as_json
def command(
    policy: Path | None,
    directory: Path | None,
    since: datetime | None,
    as_dated: bool,
    processes: int,
    resume: Path | None,
    html: Path | None,
    lang: str,
    reader: str | None,
    why: str | None,
    json_: bool,
) -> None:
    """Replay the recorded history under a draft, and show what it would have decided otherwise.

    Decides every case again at each instant at which something was recorded or a term ended: once
    by the tables in force and once by the draft. Shows the escalations that are added, removed, or
    moved in time or level, the load of each office, and up to ten cases, explained under both.

    A case keeps the version of the day on which its order was notified, so a draft that is valid
    from a later day would change nothing in the past. It is therefore tried as if it had been in
    force instead of the newest version, with that version's first day and transition. With
    --as-dated its own first day holds.

    Writes nothing: every transaction is read-only, and the server is asked whether it wrote. Who
    reads the ten cases, and why, is recorded afterwards: see icam access. A draft with faults is
    not tried; the exit code is then 1, and 130 when the run was interrupted.

    \b
    Examples:
      icam whatif --policy draft.toml
      icam whatif --policy draft.toml --since 2026-06-01 --lang nl --html report.html
      icam whatif --directory offices.toml --json --as "J. Peeters" --reason "Charleroi opens"
      icam whatif --policy draft.toml --resume run.jsonl
    """
    if policy is None and directory is None:
        raise click.UsageError("give --policy or --directory: the draft to try")
    draft = Draft(
        _checked("--policy", policy, load_policy, json_),
        _checked("--directory", directory, load_directory, json_),
        as_dated,
    )
    settings, person = Settings(), Reader(reader, why)
    with_connection(settings, lambda conn: access.expect_known(conn, person))
    try:
        answer = _replay(settings, draft, since, processes, resume, json_)
    except KeyboardInterrupt:
        _say_how_to_go_on(resume)
        sys.exit(_INTERRUPTED)
    except ProcessEnded:
        _say_how_to_go_on(resume)
        raise

    async def shown(_: Connection) -> tuple[None, Collection[str]]:
        return None, [one.case_id for one in answer.result.examples]

    what = described(
        "whatif",
        **{
            "policy": policy,
            "directory": directory,
            "since": since.isoformat(timespec="seconds") if since is not None else None,
            "as-dated": as_dated,
        },
    )
    read_recorded(settings, person, what, shown)
    if html is not None:
        write_page(html, page(answer.result, lang, answer.names))
    if json_:
        emit(whatif_as_data(answer.result))
        return
    out = console()
    for line in text(answer.result, lang, answer.names):
        out.print(line, markup=False)


def _replay(
    settings: Settings,
    draft: Draft,
    since: datetime | None,
    processes: int,
    resume: Path | None,
    json_: bool,
) -> Answer:
    shown = console(stderr=True)
    with Progress(console=shown, disable=json_ or not shown.is_terminal) as bar:
        task = bar.add_task("cases", total=None)
        return whatif(
            settings,
            draft,
            since=since,
            processes=processes,
            resume=resume,
            progress=lambda done, of: bar.update(task, completed=done, total=of),
        )


def _checked(
    option: str, file: Path | None, load: Callable[[str], object], json_: bool
) -> str | None:
    """Return the text of a draft; print its faults as ``icam policy lint`` does, if it has any."""
    if file is None:
        return None
    try:
        content = file.read_text()
    except UnicodeDecodeError:
        raise click.UsageError(f"{option}: {file} is not UTF-8") from None
    try:
        load(content)
    except (PolicyError, DirectoryError) as error:
        faults: list[Any] = [f"{file}: {fault}" for fault in error.faults]
        if json_:
            emit({"versions": [], "faults": faults})
        else:
            for fault in faults:
                echo(f"fault  {fault}")
        raise SystemExit(1) from None
    return content


def _say_how_to_go_on(resume: Path | None) -> None:
    if resume is not None and resume.exists():
        echo(f"icam: interrupted; give the same command again to go on from {resume}", err=True)
    else:
        echo("icam: interrupted; with --resume FILE a run can go on later", err=True)
