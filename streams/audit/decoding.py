"""Decode a record as a worker had to: by the table of producers, as of the record's arrival."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, NamedTuple

from schemas.codec import Decoded, decode
from schemas.producers import Producers
from schemas.rejected import Rejected
from streams.audit.database import Snapshot
from streams.audit.log import LogRecord

_ANY_TIME: Final = timedelta(days=36_525)
"""Times end in 2100: none lies further ahead. How far one may lie ahead is a setting of workers."""


class Authority(NamedTuple):
    """The table of producers, and since when workers obey one; None if none did yet."""

    producers: Producers
    since: datetime | None

    def may_be_replayed(self, record: LogRecord) -> bool:
        """Return whether a record is an event if it is applied later, by a person."""
        try:
            decode(
                record.place.topic,
                record.key,
                record.value,
                record.headers,
                producers=None if self.since is None else self.producers,
            )
        except Rejected:
            return False
        return True

    def decode(self, record: LogRecord, max_ahead: timedelta = _ANY_TIME) -> Decoded:
        """Return the event in a record. A record without a time arrived whenever it is allowed.

        Raises:
            Rejected: the record is not a valid event, or its source may not say it.
        """
        at = record.timestamp
        obeyed = self.since is not None and (at is None or at >= self.since)
        return decode(
            record.place.topic,
            record.key,
            record.value,
            record.headers,
            at,
            max_ahead,
            self.producers if obeyed else None,
        )


def authority(snap: Snapshot, producers: Producers) -> Authority:
    """Return the table with the instant at which the first worker used a table of producers."""
    first = snap.one("SELECT min(first_used) FROM reference_table WHERE kind = 'producers'")
    return Authority(producers, first)
