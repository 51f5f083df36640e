"""Dead letters by the position of their record: id, letter, resolution; when recorded, apart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from streams.store.dead_letters import DeadLetter, OpenDeadLetter
from streams.store.pool import Connection
from tests.schedules.connection import link
from tests.schedules.database import Transaction

TABLE, RECORDED = "dead_letter", "dead_letter_recorded"


async def put(conn: Connection, letters: Iterable[DeadLetter]) -> None:
    async with link(conn).statement("dead_letters.put") as mine:
        for letter in letters:
            number = link(conn).database.next_number("dead_letter")
            if await mine.insert(TABLE, letter.position, (number, letter, None)):
                mine.write(RECORDED, letter.position, link(conn).database.now())


async def open_on(conn: Connection, case_ids: Sequence[str]) -> list[OpenDeadLetter]:
    async with link(conn).statement("dead_letters.open_on") as mine:
        return open_letters(mine, case_ids)


def open_letters(mine: Transaction, case_ids: Sequence[str]) -> list[OpenDeadLetter]:
    """Return the open dead letters that name these cases, as a transaction sees them."""
    return [
        OpenDeadLetter(
            number,
            letter.position,
            letter.reason,
            letter.case_ids,
            mine.get(RECORDED, letter.position),
        )
        for _, (number, letter, resolution) in mine.rows(TABLE)
        if resolution is None and any(case_id in case_ids for case_id in letter.case_ids)
    ]


async def applied_after_all(conn: Connection, dead_letter_ids: Sequence[int]) -> None:
    for number in dead_letter_ids:
        await resolve(conn, number, "replayed", "applied when delivered again")


async def resolve(
    conn: Connection,
    dead_letter_id: int,
    resolution: str,
    note: str,
    who: str | None = None,
) -> bool:
    async with link(conn).statement("dead_letters.resolve") as mine:
        for position, (number, letter, resolved) in list(mine.rows(TABLE)):
            if number == dead_letter_id and resolved is None:
                await mine.lock(TABLE, position)
                mine.write(TABLE, position, (number, letter, resolution))
                return True
    return False


async def get(
    conn: Connection, dead_letter_id: int, *, lock: bool = False
) -> dict[str, Any] | None:
    async with link(conn).statement("dead_letters.get") as mine:
        for position, (number, _, _) in list(mine.rows(TABLE)):
            if number == dead_letter_id:
                if lock:
                    await mine.lock(TABLE, position)
                _, letter, resolution = mine.get(TABLE, position)
                return {
                    "topic": position.topic,
                    "partition": position.partition,
                    "offset": position.offset,
                    "key": letter.key,
                    "value": letter.value,
                    "headers": tuple(letter.headers),
                    "case_ids": list(letter.case_ids),
                    "resolved_at": resolution,
                    "resolution": resolution,
                }
    return None
