"""The records on the topics: the same in every run, with one duplicate per hundred.

Every history ends at ``END``, and the clocks of databases are frozen there, so every contender must
reach the same decisions, in any order and at any speed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final

from schemas.codec import Outgoing
from streams.simulate.publishing import Kind
from streams.simulate.settings import SimulationSettings
from streams.simulate.stream import stream

END: Final = datetime(2026, 10, 31, tzinfo=UTC)
_DAYS: Final = 90
_EVENTS_AT_FULL_SCALE: Final = 17_000
_REFERENCE: Final = re.compile(rb"(?<=-)(?:[0-9a-f]{16}|[0-9a-f]{12})(?![0-9a-f])")
"""The last part of an opaque reference, or of a UUID."""


@dataclass(frozen=True)
class History:
    """Records in publishing order, and their number of distinct events."""

    records: tuple[Outgoing, ...]
    events: int


def history(
    events: int, *, seed: int = 1, end: datetime = END, duplicates: float = 0.01
) -> History:
    """Return ``events`` distinct events of ninety days up to ``end``, and their duplicates.

    A larger number means a larger country, not a longer time.
    """
    settings = SimulationSettings(
        seed=seed,
        scale=max(0.05, 1.1 * events / _EVENTS_AT_FULL_SCALE),
        start=end - timedelta(days=_DAYS),
        end=end,
        duplicates=duplicates,
    )
    found: list[Outgoing] = []
    distinct = 0
    for planned in stream(settings):
        if distinct == events:
            break
        found.append(planned.record)
        distinct += planned.kind is Kind.VALID
    if distinct < events:
        raise ValueError(f"the simulation gave {distinct} of {events} events")
    return History(tuple(found), distinct)


def clone(
    records: tuple[Outgoing, ...], number: int, prefix: bytes = b"case-"
) -> Iterator[Outgoing]:
    """Yield copies of records with other case ids, event ids and references.

    Clones of different numbers share no id; number 0 is the original. Case ids begin with
    ``prefix``.
    """
    salt = Random(number).getrandbits(64) if number else 0
    wide, narrow = salt, salt & (1 << 48) - 1

    def masked(found: re.Match[bytes]) -> bytes:
        old = found[0]
        mask = wide if len(old) == 16 else narrow
        return b"%0*x" % (len(old), int(old, 16) ^ mask)

    def other(text: bytes) -> bytes:
        return _REFERENCE.sub(masked, text).replace(b"case-", prefix)

    for record in records:
        yield Outgoing(
            record.topic,
            other(record.key),
            other(record.value),
            tuple((name, other(value)) for name, value in record.headers),
        )
