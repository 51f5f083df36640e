"""Count at one instant, and suppress the counts before anything else sees them.

Errors::

    PeriodError            the months can't be used; the message says which ones can
"""

from __future__ import annotations

from typing import Final

from streams.reference import ZONE, Reference
from streams.services.board.steps import Steps
from streams.services.statistics import months
from streams.services.statistics.cells import (
    DAY_LIMITS,
    FOLLOWED_DAYS,
    LEVEL,
    Published,
    publish,
)
from streams.store import board, clock, monthly
from streams.store.pool import Pool

_YEAR: Final = 12
"""Months of a report that names none."""


class PeriodError(ValueError):
    """The months of the report can't be used."""


async def read(
    pool: Pool,
    ref: Reference,
    steps: Steps,
    offices: list[str],
    since: str | None = None,
    until: str | None = None,
) -> Published:
    """Return the shown counts from one month to another, both included.

    By default the period ends with the last month that is over, and has twelve months. Reads in one
    snapshot and writes nothing. Only groups leave the server, so memory does not grow with the log.

    Raises:
        PeriodError: the last month lies before the first or after the present one, or there are too
            many.
    """
    async with board.snapshot(pool) as conn:
        now = await clock.now(conn)
        present = months.of(ref.calendar.local_date(now))
        period = _period(since, until, present)
        await monthly.prepare(conn)
        window = monthly.Window(
            ref.calendar.start_of(months.first_day(period[0])),
            ref.calendar.end_of(months.last_day(period[-1])),
            now,
            ZONE,
        )
        ranks = await monthly.ranks(conn, ref.producers.rank)
        counts = [
            *await monthly.appointments(conn, ranks, window),
            *await monthly.proposals(conn, ranks, window, DAY_LIMITS),
            *await monthly.orders(conn, ranks, window, LEVEL, FOLLOWED_DAYS),
        ]
    return publish(steps, counts, period, offices)


def _period(since: str | None, until: str | None, present: str) -> tuple[str, ...]:
    last = until or months.after(present, -1)
    first = since or months.after(last, 1 - _YEAR)
    if last > present:
        raise PeriodError(f"{last} lies ahead: the last month may be {present}")
    found = months.between(first, last)
    if not found:
        raise PeriodError(f"{first} lies after {last}")
    if len(found) > months.MOST:
        raise PeriodError(f"{first} to {last} are {len(found)} months; at most {months.MOST}")
    return found
