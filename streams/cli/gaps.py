"""``icam gaps``"""

from __future__ import annotations

from typing import Any

import click

from streams.cli.output import as_json, console, emit, table, with_connection
from streams.runtime.settings import Settings
from streams.store import gaps as gaps_
from streams.store.pool import Connection


@click.group()
def gaps() -> None:
    """List and resolve gaps: offsets of an input topic that were gone before they were read.

    The records are lost here. Only their producer can send them again.
    """


@gaps.command("list")
@click.option("--all", "all_", is_flag=True, help="Include resolved ones.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@as_json
def list_(all_: bool, limit: int, json_: bool) -> None:
    """List gaps, oldest first."""

    async def read(conn: Connection) -> list[dict[str, Any]]:
        return await gaps_.find(conn, open_only=not all_, limit=limit)

    rows = with_connection(Settings(), read)
    if json_:
        emit(rows)
        return
    console().print(
        table(
            f"Gaps ({len(rows)})",
            ("id", "recorded", "partition", "first", "last", "reason", "resolved"),
            [
                (
                    row["gap_id"],
                    row["recorded_at"].isoformat(timespec="seconds"),
                    f"{row['topic']}/{row['partition']}",
                    row["first_offset"],
                    row["next_offset"] - 1,
                    row["reason"],
                    row["resolved_note"],
                )
                for row in rows
            ],
        )
    )


@gaps.command()
@click.argument("gap_id", type=int)
@click.option("--note", required=True, help="What was done; it is stored.")
def resolve(gap_id: int, note: str) -> None:
    """Resolve a gap, once its producer has sent the records again or none is needed.

    Exit code 1 when there is no such open gap.
    """
    if not note.strip():
        raise click.UsageError("say in --note what was done")

    async def write(conn: Connection) -> bool:
        return await gaps_.resolve(conn, gap_id, note)

    if not with_connection(Settings(), write):
        raise click.ClickException(f"no open gap {gap_id}: see icam gaps list")
    console().print(f"gap {gap_id} resolved")
