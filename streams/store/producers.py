"""Per-producer event volume, recency and usual gap."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, NamedTuple

from streams.store.pool import Connection

_WINDOW: Final = timedelta(days=14)
_DAY: Final = timedelta(days=1)


class ProducerActivity(NamedTuple):
    """Activity of one producer in the last two weeks."""

    producer: str
    last_at: datetime
    events_last_day: int
    usual_gap_seconds: float | None
    """99th percentile of the gaps between its events within the office hours of one day; None when
    there is no such gap."""


async def producer_activity(
    conn: Connection, now: datetime, zone: str, opens: int, closes: int, limit: int
) -> list[ProducerActivity]:
    """Return at most ``limit`` producers of the last two weeks, busiest first, without the canary.

    ``opens`` and ``closes`` are the office hours, as full hours in the time zone ``zone``, Monday
    to Friday. Reads only events recorded in the last two weeks.
    """
    rows = await conn.fetch(
        """
        WITH lately AS (
            SELECT source, recorded_at, recorded_at AT TIME ZONE $3 AS local
            FROM event_arrival
            WHERE recorded_at > $1::timestamptz - $2::interval
        ), office_hours AS (
            SELECT source, recorded_at - lag(recorded_at) OVER (
                PARTITION BY source, local::date ORDER BY recorded_at) AS gap
            FROM lately
            WHERE extract(isodow FROM local) < 6
              AND extract(hour FROM local) >= $4 AND extract(hour FROM local) < $5
        ), gaps AS (
            SELECT source, percentile_cont(0.99) WITHIN GROUP (ORDER BY extract(epoch FROM gap))
                   AS usual
            FROM office_hours WHERE gap IS NOT NULL GROUP BY source
        )
        SELECT source, max(recorded_at),
               count(*) FILTER (WHERE recorded_at > $1::timestamptz - $6::interval), max(usual)
        FROM lately LEFT JOIN gaps USING (source)
        GROUP BY source ORDER BY count(*) DESC, source LIMIT $7
        """,
        now,
        _WINDOW,
        zone,
        opens,
        closes,
        _DAY,
        limit,
    )
    return [ProducerActivity(*row) for row in rows]
