"""Count the cases that get no attention although they are open, or get it although they ended.

The counterpart of the auditor's check "attention", without reading a case's events. Canary cases
are excluded.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from streams.store.pool import Connection

_DUE_BOUND: Final = timedelta(minutes=5)
"""How long a due case may wait for its decision. It has an alert of its own."""


class Breach(StrEnum):
    """Why a case breaks the promise that no open case is forgotten; a case counts once."""

    NO_NEXT_DATE = "no_next_date"
    NO_REASON = "no_reason"
    NO_OWNER = "no_owner"
    NO_OFFICE = "no_office"
    TOO_LATE = "too_late"
    """The next date is later than the longest pause after the last decision."""
    SILENT = "silent"
    """Nothing was recorded or proposed for longer than the longest pause."""
    ENDED_WITH_DATE = "ended_with_date"
    ENDED_WITH_PROPOSAL = "ended_with_proposal"


async def breaches(conn: Connection, now: datetime, longest_pause_days: int) -> dict[Breach, int]:
    """Return how many cases break the promise, by reason; every reason has a number.

    A case that is due already counts only for its silence: it is about to be decided again. A case
    named in an open dead letter may be silent: the letter asks for attention. Reads all cases.
    """
    pause = timedelta(days=longest_pause_days)
    rows = await conn.fetch(
        """
        SELECT breach, count(*) FROM (
            SELECT CASE
                WHEN ended_at IS NOT NULL THEN CASE
                    WHEN has_standing THEN 'ended_with_proposal'
                    WHEN next_check_at > $1 AND next_reason IS DISTINCT FROM 'reopening'
                        THEN 'ended_with_date'
                    END
                WHEN next_check_at IS NULL THEN 'no_next_date'
                WHEN next_check_at > $1 AND coalesce(next_reason, '') = '' THEN 'no_reason'
                WHEN next_check_at > $1 AND coalesce(owner, '') = '' THEN 'no_owner'
                WHEN next_check_at > $1 AND office_id IS NULL THEN 'no_office'
                WHEN next_check_at > $1 AND next_check_at > updated_at + $2::interval
                    THEN 'too_late'
                WHEN coalesce(last_event_at < $3, true) AND coalesce(last_raised_at < $3, true)
                 AND NOT in_dead_letter THEN 'silent'
                END AS breach
            FROM case_figure) AS judged
        WHERE breach IS NOT NULL GROUP BY 1
        """,
        now,
        pause,
        now - pause - _DUE_BOUND,
    )
    found = dict.fromkeys(Breach, 0)
    found |= {Breach(row["breach"]): row["count"] for row in rows}
    return found
