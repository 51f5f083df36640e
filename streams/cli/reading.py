"""Commands that show what is stored about cases record who reads, what and why."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import Any, TypeVar

import click

from streams.cli.output import with_connection
from streams.runtime.settings import Settings
from streams.store import access
from streams.store.access import Reader
from streams.store.pool import Connection

T = TypeVar("T")
_Command = TypeVar("_Command", bound=Callable[..., Any])


def by_reader(command: _Command) -> _Command:
    """Add the options that say who reads and why, both None or not empty."""
    return _options(command, "--reason", "--why")


def by_reader_of_reasons(command: _Command) -> _Command:
    """Add the same options to a command whose ``--reason`` is that of a dead letter."""
    return _options(command, "--why")


def _options(command: _Command, *names: str) -> _Command:
    reason = click.option(*names, "why", metavar="TEXT", callback=_given, help="Why; stored.")
    name = click.option(
        "--as",
        "reader",
        metavar="NAME",
        callback=_given,
        help="Who reads: a person or a role; stored. A shared login must say who and why; a "
        "personal login is stored by its own name.",
    )
    return name(reason(command))


def _given(_: click.Context, param: click.Parameter, value: str | None) -> str | None:
    if value is not None and not value.strip():
        raise click.BadParameter("it is stored, so it can't be empty", param=param)
    return value.strip() if value is not None else None


def read_recorded(
    settings: Settings,
    reader: Reader,
    what: str,
    read: Callable[[Connection], Awaitable[tuple[T, Collection[str]]]],
) -> T:
    """Open a connection, read, record the reading and return what was read. Blocks.

    ``read`` returns what it read, and the cases that it is about.

    Raises:
        AccessError: the reading can't be recorded; nothing was read.
    """
    return with_connection(settings, lambda conn: access.recorded(conn, reader, what, read))


def described(command: str, **options: object) -> str:
    """Return a command with the options that were given, as it is recorded."""
    given = (
        f" --{name}" + (f" {value}" if value is not True else "")
        for name, value in options.items()
        if value is not None and value is not False
    )
    return command + "".join(given)
