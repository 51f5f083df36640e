"""Print command output: tables for people, or JSON for machines, never both."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import click
import orjson
from rich.console import Console
from rich.table import Table

from streams.runtime.settings import Settings
from streams.store.pool import Connection, Pool, open_pool

T = TypeVar("T")

as_json = click.option("--json", "json_", is_flag=True, help="Print JSON.")


def console(*, stderr: bool = False) -> Console:
    """Return a console; 160 columns wide when the output is not a terminal."""
    terminal = Console(stderr=stderr, highlight=False)
    if terminal.is_terminal:
        return terminal
    return Console(stderr=stderr, highlight=False, width=160)


def emit(data: Any) -> None:
    """Print one JSON document; instants and UUIDs as text, bytes as hexadecimal."""
    click.echo(orjson.dumps(data, default=_text, option=orjson.OPT_INDENT_2).decode())


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Table:
    """Return a table; None becomes an empty cell."""
    drawn = Table(title=title, title_justify="left", header_style="bold")
    for column in columns:
        drawn.add_column(column, overflow="fold")
    for row in rows:
        drawn.add_row(*("" if cell is None else str(cell) for cell in row))
    return drawn


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
