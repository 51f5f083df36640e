"""What commands print: tables for people, JSON for machines, never both."""

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

as_json = click.option("--json", "json_", is_flag=True, help="Print JSON for machines.")


def console(*, stderr: bool = False) -> Console:
    """Return a console that wraps no line when its output goes to a file."""
    found = Console(stderr=stderr, highlight=False)
    return found if found.is_terminal else Console(stderr=stderr, highlight=False, width=160)


def emit(data: Any) -> None:
    """Print one JSON document; instants, UUIDs and bytes have a text form."""
    click.echo(orjson.dumps(data, default=_text, option=orjson.OPT_INDENT_2).decode())


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Table:
    """Return a table for people."""
    made = Table(title=title, title_justify="left", header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold")
    for row in rows:
        made.add_row(*("" if cell is None else str(cell) for cell in row))
    return made


def with_pool(settings: Settings, work: Callable[[Pool], Awaitable[T]]) -> T:
    """Run ``work`` with a pool of our own. Blocks."""

    async def run() -> T:
        pool = await open_pool(settings.database, "icam-cli")
        try:
            return await work(pool)
        finally:
            await pool.close()

    return asyncio.run(run())


def with_connection(settings: Settings, work: Callable[[Connection], Awaitable[T]]) -> T:
    """Run ``work`` with one connection. Blocks."""

    async def run(pool: Pool) -> T:
        async with pool.acquire() as conn:
            return await work(conn)

    return with_pool(settings, run)


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.hex()
    return str(value)
