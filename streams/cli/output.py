"""Print command output: tables for people, or JSON for machines, never both."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from schemas.visible import HIDDEN, visible
from streams.runtime.settings import Settings
from streams.store.pool import Connection, Pool, open_pool

T = TypeVar("T")

as_json = click.option("--json", "json_", is_flag=True, help="Print JSON.")


class _Console(Console):
    """A console that shows hidden characters as escapes; no text acts on the terminal."""

    def print(self, *objects: Any, **kwargs: Any) -> None:
        """Print texts and renderables; a text may have our markup unless ``markup`` is false."""
        super().print(*(visible(o) if isinstance(o, str) else o for o in objects), **kwargs)


def console(*, stderr: bool = False) -> Console:
    """Return a console; 160 columns wide when the output is not a terminal."""
    terminal = _Console(stderr=stderr, highlight=False)
    if terminal.is_terminal:
        return terminal
    return _Console(stderr=stderr, highlight=False, width=160)


def echo(text: str, *, err: bool = False) -> None:
    """Print a line, its hidden characters as escapes."""
    click.echo(visible(text), err=err)


def emit(data: Any) -> None:
    """Print one JSON document; instants and UUIDs as text, bytes as hexadecimal.

    Hidden characters are escaped as JSON escapes them.
    """
    try:
        text = orjson.dumps(data, default=_text, option=orjson.OPT_INDENT_2).decode()
    except TypeError:  # a surrogate: the name of a header that is not UTF-8
        text = json.dumps(data, default=_text, indent=2)
    click.echo(HIDDEN.sub(lambda found: f"\\u{ord(found.group()):04x}", text))


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Table:
    """Return a table; None becomes an empty cell, and no cell is read as markup."""
    drawn = Table(title=Text(visible(title)), title_justify="left", header_style="bold")
    for column in columns:
        drawn.add_column(column, overflow="fold")
    for row in rows:
        drawn.add_row(*(Text("" if cell is None else visible(str(cell))) for cell in row))
    return drawn


def write_page(file: Path, content: str) -> None:
    """Write a page about a person: only the user who asked for it may read it.

    Raises:
        click.UsageError: the file can't be written.
    """
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as written:
            os.fchmod(descriptor, 0o600)  # the file may have been there
            written.write(content)
    except OSError as error:
        raise click.UsageError(f"--html: {file} can't be written: {error.strerror}") from None


def with_pool(
    settings: Settings, work: Callable[[Pool], Awaitable[T]], *, writes: bool = False
) -> T:
    """Open a connection pool, run ``work`` with it, and close it. Blocks."""

    async def run() -> T:
        pool = await open_pool(settings.database, "icam-cli", writes=writes)
        try:
            return await work(pool)
        finally:
            await pool.close()

    return asyncio.run(run())


def with_connection(settings: Settings, work: Callable[[Connection], Awaitable[T]]) -> T:
    """Open one connection, run ``work`` with it, and close it. Blocks."""

    async def run(pool: Pool) -> T:
        async with pool.acquire() as conn:
            return await work(conn)

    return with_pool(settings, run)


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.hex()
    return str(value)
