"""``icam dead-letters``"""

from __future__ import annotations

import asyncio
import getpass
import time
from collections.abc import Collection
from typing import Any, Final

import click

from schemas.rejected import Reason
from streams.cli.choices import NearestChoice, not_one_of
from streams.cli.output import as_json, console, echo, emit, table, with_connection, with_pool
from streams.cli.reading import by_reader, by_reader_of_reasons, described, read_recorded
from streams.intake import repair
from streams.runtime.settings import Settings
from streams.store import dead_letter_requests as requests
from streams.store import dead_letters as letters
from streams.store.access import Reader
from streams.store.pool import Connection, Pool

_GROUPS: Final = ("source", "reason", "topic")
_MOST: Final = 10_000
_PAUSE: Final = 0.2
"""Seconds between two looks for answers."""


@click.group("dead-letters")
def dead_letters() -> None:
    """List, show, replay, discard or approve dead letters: records that could not be applied.

    A discard that may lose a fact which speaks for the person waits until another login approves.
    A case is not escalated while a dead letter that names it is open.
    """


@dead_letters.command("list")
@click.option("--all", "all_", is_flag=True, help="Include resolved ones.")
@click.option("--reason", type=NearestChoice(Reason), help="Only those with this reason.")
@click.option("--source", help="Only those of this producer; 'unknown' if it can't be read.")
@click.option("--by", type=click.Choice(_GROUPS), help="Count them by this instead.")
@click.option("--case", "case_id", help="Only those that name this case.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@by_reader_of_reasons
@as_json
def list_(
    all_: bool,
    reason: str | None,
    source: str | None,
    by: str | None,
    case_id: str | None,
    limit: int,
    reader: str | None,
    why: str | None,
    json_: bool,
) -> None:
    """List dead letters, oldest first, without their content.

    Who reads, and why, is recorded: see icam access. Counts are not.

    \b
    Examples:
      icam dead-letters list --reason schema
      icam dead-letters list --by source
      icam dead-letters list --as "J. Peeters" --why "ticket 4711"
    """
    if by is not None and (reason or source or case_id):
        raise click.UsageError("--by counts all: leave out --reason, --source and --case")

    async def count(conn: Connection) -> list[dict[str, Any]]:
        return await letters.grouped(conn, by or "", open_only=not all_, limit=limit)

    async def read(conn: Connection) -> tuple[list[dict[str, Any]], Collection[str]]:
        await _expect_source(conn, source)
        rows = await letters.find(
            conn, open_only=not all_, reason=reason, case_id=case_id, source=source, limit=limit
        )
        waits = await requests.waiting(conn, [row["dead_letter_id"] for row in rows])
        for row in rows:
            row["waiting"] = [
                one for one in waits if one["dead_letter_id"] == row["dead_letter_id"]
            ]
        return rows, {named for row in rows for named in row["case_ids"]}

    if by is not None:
        rows = with_connection(Settings(), count)
    else:
        what = described("dead-letters list", all=all_, reason=reason, source=source)
        rows = read_recorded(Settings(), Reader(reader, why), what, read)
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
                *("second person", "resolved"),
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
                    "\n".join(
                        f"request {one['request_id']} of {one['who']}: {one['note']}"
                        for one in row["waiting"]
                    ),
                    row["resolution"],
                )
                for row in rows
            ],
        )
    )


@dead_letters.command()
@click.argument("dead_letter_id", type=int)
@by_reader
@as_json
def show(dead_letter_id: int, reader: str | None, why: str | None, json_: bool) -> None:
    """Show one dead letter with its full content.

    The content may be personal data; personal data in the wrong place is one reason to reject a
    record. Who reads, and why, is recorded: see icam access.

    \b
    Examples:
      icam dead-letters show 17
      icam dead-letters show 17 --as "J. Peeters" --reason "ticket 4711"
    """

    async def read(conn: Connection) -> tuple[dict[str, Any] | None, Collection[str]]:
        letter = await letters.get(conn, dead_letter_id)
        return letter, [] if letter is None else letter["case_ids"]

    what = f"dead-letters show {dead_letter_id}"
    letter = read_recorded(Settings(), Reader(reader, why), what, read)
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


def _as_person(command: Any) -> Any:
    """Add the options of who decides, and how long to wait for a worker."""
    return _with(
        command,
        click.option(
            "--who", callback=_not_empty, default=getpass.getuser, help="Who decided, stored."
        ),
        click.option(
            "--wait",
            type=click.FloatRange(0),
            default=30.0,
            show_default=True,
            help="Seconds to wait for the next answer of a worker.",
        ),
    )


def _of_many(command: Any) -> Any:
    """Add the options of a decision about one dead letter or many."""
    return _with(
        _as_person(command),
        click.argument("dead_letter_id", type=int, required=False),
        click.option("--reason", type=NearestChoice(Reason), help="All open ones of this reason."),
        click.option("--source", help="All open ones of this producer."),
        click.option(
            "--count",
            type=click.IntRange(0),
            help="How many there must be. Without it, only show which would be chosen.",
        ),
    )


def _with(command: Any, *options: Any) -> Any:
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
            echo(f"{row['dead_letter_id']}  {row['reason']}  {named}  {row['detail']}")
        echo(f"{len(found)} would be chosen; nothing was done. Add --count {len(found)}")
        return []
    if count != len(found):
        raise click.UsageError(f"--count {count}, but there are {len(found)}; look again")
    return [row["dead_letter_id"] for row in found]


async def _answers(
    pool: Pool, action: requests.Action, ids: list[int], note: str, who: str, wait: float
) -> list[tuple[int, requests.Answer]]:
    """Ask the workers; return their answers by dead letter, in order.

    The answer ``waits`` says which request waits for a second person.

    Raises:
        NoAnswer: there was none for ``wait`` seconds; the requests stay.
        RepairError: a request was refused.
    """
    async with pool.acquire() as conn:
        asked = await requests.ask(conn, action, ids, note, who)
    return await _answered(pool, ids, asked, wait, second=True)


async def _answered(
    pool: Pool, ids: list[int], asked: list[int], wait: float, *, second: bool
) -> list[tuple[int, requests.Answer]]:
    """Return the answers to these requests; with ``second``, one that waits counts as answered."""
    found: dict[int, requests.Answer] = {}
    last = time.monotonic()
    while len(found) < len(asked):
        waiting = [request_id for request_id in asked if request_id not in found]
        async with pool.acquire() as conn:
            new = await requests.answers(conn, waiting)
            if second:
                held = await requests.await_approval(conn, waiting)
                new |= {one: requests.Answer("waits", str(one)) for one in held - set(new)}
        if new:
            found |= new
            last = time.monotonic()
        elif time.monotonic() - last > wait:
            raise repair.NoAnswer(
                f"no worker answered within {wait:g} s: {len(waiting)} of {len(asked)} requests "
                "are open, and the next worker does them; check that one is ready, and its log for "
                "requests_not_read"
            )
        else:
            await asyncio.sleep(_PAUSE)
    for request_id in asked:
        repair.raise_if_refused(found[request_id])
    return [(one, found[request_id]) for one, request_id in zip(ids, asked, strict=True)]


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
    wait: float,
    all_: bool,
    note: str,
    json_: bool,
) -> None:
    """Have a worker ingest dead letters again after their cause is fixed.

    Each is replayed in its own transaction, which resolves the dead letter, applies the event and
    decides the case again. A record that is rejected again stays open, and the exit code is 1. Exit
    code 3 when no worker answers: the request stays, and the next worker does it.

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

    async def work(pool: Pool) -> list[dict[str, Any]]:
        if all_:
            async with pool.acquire() as conn:
                ids = [row["dead_letter_id"] for row in await letters.find(conn, limit=_MOST)]
        else:
            ids = await _chosen(pool, dead_letter_id, reason, source, count)
        return [
            {"dead_letter_id": letter_id, "result": answer.result, "why": answer.why}
            for letter_id, answer in await _answers(pool, "replay", ids, note, who, wait)
        ]

    rows = with_pool(Settings(), work)
    if json_:
        emit(rows)
    else:
        for row in rows:
            echo(f"{row['dead_letter_id']}  {row['result']}  {row['why']}".rstrip())
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
    wait: float,
    note: str,
) -> None:
    """Have a worker resolve dead letters without applying them, and decide their cases again.

    A record that may hold a fact which speaks for the person is not discarded by one person: the
    request waits until another login approves it. Only what the log has already, and records of the
    canary, need no approval. Exit code 3 when no worker answers: the request stays, and the next
    worker does it.

    \b
    Examples:
      icam dead-letters discard 17 --note "test record of the producer, ticket 4711"
      icam dead-letters discard --reason schema --source /be/test --note "test records"
      icam dead-letters discard --reason schema --source /be/test --note "test records" --count 68
    """
    many = reason is not None or source is not None
    if (dead_letter_id is not None) == many:
        raise click.UsageError("give either a dead letter id, or --reason and --source")

    async def work(pool: Pool) -> list[tuple[int, requests.Answer]]:
        ids = await _chosen(pool, dead_letter_id, reason, source, count)
        return await _answers(pool, "discard", ids, note, who, wait)

    waits = []
    for letter_id, answer in with_pool(Settings(), work):
        if answer.result == "waits":
            waits.append(answer.why)
            echo(f"{letter_id}  waits for a second person: request {answer.why}")
        else:
            echo(f"{letter_id}  discarded")
    if waits:
        echo(f"another login does: icam dead-letters approve {' '.join(waits)} --note WHY")


@dead_letters.command()
@click.argument("request_ids", type=int, nargs=-1, required=True, metavar="REQUEST...")
@_as_person
@click.option("--note", required=True, callback=_not_empty, help="Why, stored with it.")
def approve(request_ids: tuple[int, ...], who: str, wait: float, note: str) -> None:
    """Approve discards that another login has asked for, and have a worker do them.

    icam dead-letters list shows the requests that wait, icam dead-letters show the record. Nothing
    is done, and the exit code is 1, if the dead letter was resolved or tried again meanwhile. The
    database refuses the login that asked. Exit code 3 when no worker answers: the approval stays,
    and the next worker does the discard.

    \b
    Examples:
      icam dead-letters approve 5 --note "the producer sent it again, seen in the log"
      icam dead-letters approve 5 6 7 --note "test records, ticket 4711"
    """
    asked = list(dict.fromkeys(request_ids))

    async def work(pool: Pool) -> list[tuple[int, requests.Answer]]:
        async with pool.acquire() as conn:
            ids = await requests.approve(conn, asked, note, who)
        return await _answered(pool, ids, asked, wait, second=False)

    for letter_id, _ in with_pool(Settings(), work):
        echo(f"{letter_id}  discarded")
