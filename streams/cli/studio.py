"""``icam studio``"""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Final

import click

from streams.casework.whatif import Answer, Draft, whatif
from streams.cli.errors import describe_error
from streams.cli.output import echo
from streams.cli.reading import by_reader, described, read_recorded
from streams.cli.whatif_page import page
from streams.cli.whatif_view import view
from streams.runtime.processes import processors
from streams.runtime.settings import Settings
from streams.services.studio.app import Studio, run
from streams.services.studio.asked import Asked
from streams.services.studio.drafts import NoFolder
from streams.services.studio.guard import NotLoopback
from streams.store import dead_letters, events
from streams.store.access import Reader
from streams.store.pool import Connection

_NO_CASE: Final = ""


@click.command()
@click.argument("drafts", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Loopback address to listen on: 127.0.0.1 or ::1.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=6071,
    show_default=True,
    help="Port to listen on; 0 takes a free one.",
)
@click.option(
    "--processes",
    type=click.IntRange(1, 256),
    default=processors,
    show_default="one per core",
    help="Number of parallel processes of a run.",
)
@by_reader
def studio(
    drafts: Path, host: str, port: int, processes: int, reader: str | None, why: str | None
) -> None:
    """Try drafts of the policy or the offices on a page: what each changes and would have decided.

    Serves one page on this machine, in French, Dutch, German and English, until SIGTERM or Ctrl-C.
    It lists the TOML files of the folder DRAFTS and opens no other. Pick a draft of the policy, of
    the office directory, or both; see what differs from the version in force; run the what-if, with
    its --since and --as-dated; read the ten cases; download the report, which is the one that `icam
    whatif --html` writes. One run at a time; it can be cancelled.

    The page shows cases. It listens on loopback only, and answers only who has the printed address:
    do not pass it on. Run it as icam_auditor, icam_operator or icam_reader, or better as a personal
    login with one of these roles: the login decides what may be read. It changes nothing. Who opens
    it and reads the ten cases, and why, is recorded: see icam access.

    \b
    Examples:
      icam studio drafts
      icam studio drafts --as "J. Peeters" --reason "circular of 3 November"
      icam studio drafts --port 0 --processes 2

    Exit codes: 0 success, 2 usage error, 3 the database is unreachable or refuses the role.
    """
    settings, person = Settings(), Reader(reader, why)
    read_recorded(settings, person, "studio", _may_read)
    made = Studio(
        drafts, host, port, _Replays(settings, person, processes), _Renderings(), _said, _announce
    )
    try:
        sys.exit(run(settings, made))
    except (NotLoopback, NoFolder) as error:
        raise click.UsageError(str(error)) from None


async def _may_read(conn: Connection) -> tuple[None, Collection[str]]:
    """Read what a run reads, of no case: a role that may not is refused now, not at the end."""
    await events.log(conn, [_NO_CASE])
    await dead_letters.open_on(conn, [_NO_CASE])
    return None, []


class _Replays:
    """The engine of ``icam whatif``, which records who reads the cases that it shows."""

    def __init__(self, settings: Settings, person: Reader, processes: int) -> None:
        self._settings = settings
        self._person = person
        self._processes = processes

    def run(self, asked: Asked, progress: Callable[[int, int], None]) -> Answer:
        policy, directory, since, as_dated = asked
        answer = whatif(
            self._settings,
            Draft(policy and policy.text, directory and directory.text, as_dated),
            since=since,
            processes=self._processes,
            progress=progress,
        )

        async def shown(_: Connection) -> tuple[None, Collection[str]]:
            return None, [one.case_id for one in answer.result.examples]

        what = described(
            "studio",
            **{
                "policy": policy and policy.name,
                "directory": directory and directory.name,
                "since": since and since.isoformat(timespec="seconds"),
                "as-dated": as_dated,
            },
        )
        read_recorded(self._settings, self._person, what, shown)
        return answer

    def stop(self) -> None:
        """End the processes of the run: it notices at once, not only after their shares."""
        for child in multiprocessing.active_children():
            child.terminate()


class _Renderings:
    view = staticmethod(view)
    report = staticmethod(page)


def _said(error: Exception) -> str:
    known = describe_error(error)
    return known.message if known is not None else f"a bug of ours: {type(error).__name__}"


def _announce(address: str) -> None:
    echo(f"open {address}")
    echo("this address shows cases: do not pass it on", err=True)
