"""``icam dead-letters``"""

from __future__ import annotations

from typing import Any

import click

from streams import reference
from streams.cli.output import as_json, console, emit, table, with_connection, with_pool
from streams.intake import repair
from streams.runtime.settings import Settings
from streams.store import clock
from streams.store import dead_letters as letters
from streams.store.pool import Connection, Pool


@click.group("dead-letters")
def dead_letters() -> None:
    """List, show, replay or discard dead letters: records that could not be applied.

    A case is not escalated while a dead letter that names it is open.
    """


@dead_letters.command("list")
@click.option("--all", "all_", is_flag=True, help="Include resolved ones.")
@click.option("--reason", help="Only those with this reason.")
@click.option("--case", "case_id", help="Only those that name this case.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@as_json
def list_(all_: bool, reason: str | None, case_id: str | None, limit: int, json_: bool) -> None:
    """List dead letters, oldest first, without their content.

    \b
    Example:
      icam dead-letters list --reason schema
    """

    async def read(conn: Connection) -> list[dict[str, Any]]:
        return await letters.find(
            conn, open_only=not all_, reason=reason, case_id=case_id, limit=limit
        )

    rows = with_connection(Settings(), read)
    if json_:
        emit(rows)
        return
    console().print(
        table(
            f"Dead letters ({len(rows)})",
            ("id", "recorded", "reason", "detail", "position", "cases", "tries", "resolved"),
            [
                (
                    row["dead_letter_id"],
                    row["recorded_at"].isoformat(timespec="seconds"),
                    row["reason"],
                    row["detail"],
                    f"{row['topic']}/{row['partition']}/{row['offset']}",
                    ", ".join(row["case_ids"]),
                    row["attempts"],
                    row["resolution"],
                )
                for row in rows
            ],
        )
    )


@dead_letters.command()
@click.argument("dead_letter_id", type=int)
@as_json
def show(dead_letter_id: int, json_: bool) -> None:
    """Show one dead letter with its full content.

    The content may be personal data; personal data in the wrong place is one reason to reject a
    record.
    """

    async def read(conn: Connection) -> dict[str, Any] | None:
        return await letters.get(conn, dead_letter_id)

    letter = with_connection(Settings(), read)
    if letter is None:
        raise repair.NoSuchLetter(f"no dead letter {dead_letter_id}; see: icam dead-letters list")
    if json_:
        emit(letter)
        return
    readable = {
        **letter,
        "key": repr(letter["key"]),
        "value": repr(letter["value"]),
        "headers": "\n".join(f"{name}: {value!r}" for name, value in letter["headers"]),
    }
    rows = list(readable.items())
    console().print(table(f"Dead letter {dead_letter_id}", ("field", "value"), rows))


@dead_letters.command()
@click.argument("dead_letter_id", type=int, required=False)
@click.option("--all", "all_", is_flag=True, help="Replay every open one, oldest first.")
@click.option(
    "--note",
    default="replayed by hand",
    show_default=True,
    help="Reason, stored with the dead letter.",
)
@as_json
def replay(dead_letter_id: int | None, all_: bool, note: str, json_: bool) -> None:
    """Ingest dead letters again after their cause is fixed.

    Each is replayed in its own transaction, which resolves the dead letter, applies the event and
    decides the case again. A record that is rejected again stays open, and the exit code is 1.

    \b
    Examples:
      icam dead-letters replay 17 --note "producer fixed, ticket 4711"
      icam dead-letters replay --all
    """
    if (dead_letter_id is None) != all_:
        raise click.UsageError("give either a dead letter id or --all")
    settings = Settings()
    ref = reference.load(settings.policy_file, settings.directory_file)

    async def work(pool: Pool) -> list[dict[str, Any]]:
        if dead_letter_id is not None:
            ids = [dead_letter_id]
        else:
            async with pool.acquire() as conn:
                ids = [row["dead_letter_id"] for row in await letters.find(conn, limit=10_000)]
        results = []
        for letter_id in ids:
            try:
                replayed = await repair.replay(
                    pool, letter_id, ref, clock.now, note, settings.intake.max_ahead
                )
            except repair.StillRejected as error:
                result, why = "rejected", str(error)
            else:
                result, why = next(verdict for *_, verdict in replayed.verdicts), ""
            results.append({"dead_letter_id": letter_id, "result": result, "why": why})
        return results

    rows = with_pool(settings, work)
    if json_:
        emit(rows)
    else:
        for row in rows:
            click.echo(f"{row['dead_letter_id']}  {row['result']}  {row['why']}".rstrip())
    if any(row["result"] == "rejected" for row in rows):
        raise SystemExit(1)


@dead_letters.command()
@click.argument("dead_letter_id", type=int)
@click.option("--note", required=True, help="Reason, stored with it.")
def discard(dead_letter_id: int, note: str) -> None:
    """Resolve a dead letter without applying it, and decide its cases again.

    \b
    Example:
      icam dead-letters discard 17 --note "test record of the producer, ticket 4711"
    """
    settings = Settings()
    ref = reference.load(settings.policy_file, settings.directory_file)

    async def work(pool: Pool) -> None:
        await repair.discard(pool, dead_letter_id, ref, clock.now, note)

    with_pool(settings, work)
    click.echo(f"{dead_letter_id}  discarded")
