"""``icam dead-letters``"""

from __future__ import annotations

import getpass
from typing import Any, Final

import click

from schemas.envelope import Reason
from streams import reference
from streams.cli.choices import NearestChoice, not_one_of
from streams.cli.output import as_json, console, emit, table, with_connection, with_pool
from streams.intake import repair
from streams.runtime.settings import Settings
from streams.store import clock
from streams.store import dead_letters as letters
from streams.store.pool import Connection, Pool

_GROUPS: Final = ("source", "reason", "topic")
_MOST: Final = 10_000


@click.group("dead-letters")
def dead_letters() -> None:
    """List, show, replay or discard dead letters: records that could not be applied.

    A case is not escalated while a dead letter that names it is open.
    """


@dead_letters.command("list")
@click.option("--all", "all_", is_flag=True, help="Include resolved ones.")
@click.option("--reason", type=NearestChoice(Reason), help="Only those with this reason.")
@click.option("--source", help="Only those of this producer; 'unknown' if it can't be read.")
@click.option("--by", type=click.Choice(_GROUPS), help="Count them by this instead.")
@click.option("--case", "case_id", help="Only those that name this case.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@as_json
def list_(
    all_: bool,
    reason: str | None,
    source: str | None,
    by: str | None,
    case_id: str | None,
    limit: int,
    json_: bool,
) -> None:
    """List dead letters, oldest first, without their content.

    \b
    Examples:
      icam dead-letters list --reason schema
      icam dead-letters list --by source
    """
    if by is not None and (reason or source or case_id):
        raise click.UsageError("--by counts all: leave out --reason, --source and --case")

    async def read(conn: Connection) -> list[dict[str, Any]]:
        if by is not None:
            return await letters.grouped(conn, by, open_only=not all_, limit=limit)
        await _expect_source(conn, source)
        return await letters.find(
            conn, open_only=not all_, reason=reason, case_id=case_id, source=source, limit=limit
        )

    rows = with_connection(Settings(), read)
    if json_:
        emit(rows)
        return
    if by is not None:
        console().print(
            table(
                f"Dead letters by {by}",
                (by, "letters", "oldest", "newest", "reasons"),
                [
                    (
                        row["group"],
                        row["letters"],
                        row["oldest_at"].isoformat(timespec="seconds"),
                        row["newest_at"].isoformat(timespec="seconds"),
                        ", ".join(row["reasons"]),
                    )
                    for row in rows
                ],
            )
        )
        return
    console().print(
        table(
            f"Dead letters ({len(rows)})",
            (
                *("id", "recorded", "source", "reason", "detail", "position", "cases", "tries"),
                "resolved",
            ),
            [
                (
                    row["dead_letter_id"],
                    row["recorded_at"].isoformat(timespec="seconds"),
                    row["source"] or letters.UNKNOWN,
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


def _of_many(command: Any) -> Any:
    """Add the options of a decision about one dead letter or many."""
    options = [
        click.argument("dead_letter_id", type=int, required=False),
        click.option("--reason", type=NearestChoice(Reason), help="All open ones of this reason."),
        click.option("--source", help="All open ones of this producer."),
        click.option(
            "--count",
            type=click.IntRange(0),
            help="How many there must be. Without it, only show which would be chosen.",
        ),
        click.option(
            "--who", callback=_not_empty, default=getpass.getuser, help="Who decided, stored."
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def _not_empty(_: click.Context, param: click.Parameter, value: str) -> str:
    if not value.strip():
        raise click.BadParameter("it is stored, so it can't be empty", param=param)
    return value.strip()


async def _expect_source(conn: Connection, source: str | None) -> None:
    if source is not None and source not in (known := await letters.sources(conn)):
        raise click.UsageError(f"--source: {not_one_of(source, known or ['none'])}")


async def _chosen(
    pool: Pool,
    dead_letter_id: int | None,
    reason: str | None,
    source: str | None,
    count: int | None,
) -> list[int]:
    """Return the ids that a command is about; print them and return none if it is a dry run."""
    if dead_letter_id is not None:
        return [dead_letter_id]
    async with pool.acquire() as conn:
        await _expect_source(conn, source)
        found = await letters.find(conn, reason=reason, source=source, limit=_MOST)
    if count is None:
        for row in found:
            named = row["source"] or letters.UNKNOWN
            click.echo(f"{row['dead_letter_id']}  {row['reason']}  {named}  {row['detail']}")
        click.echo(f"{len(found)} would be chosen; nothing was done. Add --count {len(found)}")
        return []
    if count != len(found):
        raise click.UsageError(f"--count {count}, but there are {len(found)}; look again")
    return [row["dead_letter_id"] for row in found]


@dead_letters.command()
@_of_many
@click.option("--all", "all_", is_flag=True, help="Replay every open one, oldest first.")
@click.option(
    "--note",
    default="replayed by hand",
    show_default=True,
    callback=_not_empty,
    help="Why, stored with the dead letter.",
)
@as_json
def replay(
    dead_letter_id: int | None,
    reason: str | None,
    source: str | None,
    count: int | None,
    who: str,
    all_: bool,
    note: str,
    json_: bool,
) -> None:
    """Ingest dead letters again after their cause is fixed.

    Each is replayed in its own transaction, which resolves the dead letter, applies the event and
    decides the case again. A record that is rejected again stays open, and the exit code is 1.

    \b
    Examples:
      icam dead-letters replay 17 --note "producer fixed, ticket 4711"
      icam dead-letters replay --reason schema --source /be/oe/orders
      icam dead-letters replay --reason schema --source /be/oe/orders --count 68
      icam dead-letters replay --all
    """
    many = reason is not None or source is not None
    if [dead_letter_id is not None, all_, many].count(True) != 1:
        raise click.UsageError("give one of: a dead letter id, --all, or --reason and --source")
    settings = Settings()
    ref = reference.load(settings.policy_file, settings.directory_file)

    async def work(pool: Pool) -> list[dict[str, Any]]:
        if all_:
            async with pool.acquire() as conn:
                ids = [row["dead_letter_id"] for row in await letters.find(conn, limit=_MOST)]
        else:
            ids = await _chosen(pool, dead_letter_id, reason, source, count)
        results = []
        for letter_id in ids:
            try:
                replayed = await repair.replay(
                    pool, letter_id, ref, clock.now, note, settings.intake.max_ahead, who
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
@_of_many
@click.option("--note", required=True, callback=_not_empty, help="Why, stored with it.")
def discard(
    dead_letter_id: int | None,
    reason: str | None,
    source: str | None,
    count: int | None,
    who: str,
    note: str,
) -> None:
    """Resolve dead letters without applying them, and decide their cases again.

    \b
    Examples:
      icam dead-letters discard 17 --note "test record of the producer, ticket 4711"
      icam dead-letters discard --reason schema --source /be/test --note "test records"
      icam dead-letters discard --reason schema --source /be/test --note "test records" --count 68
    """
    many = reason is not None or source is not None
    if (dead_letter_id is not None) == many:
        raise click.UsageError("give either a dead letter id, or --reason and --source")
    settings = Settings()
    ref = reference.load(settings.policy_file, settings.directory_file)

    async def work(pool: Pool) -> list[int]:
        ids = await _chosen(pool, dead_letter_id, reason, source, count)
        for letter_id in ids:
            await repair.discard(pool, letter_id, ref, clock.now, note, who)
        return ids

    for letter_id in with_pool(settings, work):
        click.echo(f"{letter_id}  discarded")
