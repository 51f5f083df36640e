"""Records in, cases reconsidered: decode, apply in one transaction, retry, isolate.

Knows no Faust: a record is a value, and a return means that the batch is in the database.

Errors::

    IntakeError
    `-- BrokenDeploy       our code failed on too many records in a row: stop, nothing acknowledged
"""

from __future__ import annotations

import asyncio
import random
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final
from uuid import UUID

import structlog

from schemas.codec import Decoded, decode
from schemas.envelope import Headers, Reason, Rejected, cases_named
from schemas.outcomes import Outcome
from streams import casework
from streams.domain.case import Fact
from streams.metrics import Metrics
from streams.reference import Reference
from streams.settings import Intake as Limits
from streams.store import dead_letters, events
from streams.store.clock import Clock
from streams.store.dead_letters import Letter
from streams.store.errors import is_transient
from streams.store.events import Position
from streams.store.pool import Connection, Pool

log = structlog.get_logger(__name__)

_PROJECT: Final = Path(__file__).parent


class IntakeError(Exception):
    """Intake can't go on."""


class BrokenDeploy(IntakeError):
    """Our code failed on too many records in a row.

    Nothing of the batch is acknowledged. Roll the deployment back, or mend the bug; the records
    are delivered again, and those set aside meanwhile wait in ``icam dead-letters list``.
    """


@dataclass(frozen=True, slots=True)
class Record:
    """One Kafka record as it came."""

    position: Position
    key: bytes | None
    value: bytes | None
    headers: Headers


@dataclass(frozen=True, slots=True)
class Accepted:
    """A record that is an event."""

    record: Record
    event: Decoded


@dataclass(frozen=True, slots=True)
class Malformed:
    """A record that can't be one, and why."""

    record: Record
    reason: Reason
    detail: str
    subject: str | None = None


Item = Accepted | Malformed


@dataclass(frozen=True, slots=True)
class Tally:
    """What one batch came to; every record has exactly one verdict."""

    verdicts: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Records by topic and verdict: ``applied``, ``duplicate`` or ``dead_lettered``."""
    reasons: Counter[str] = field(default_factory=Counter)
    """Dead letters by reason."""
    outcomes: tuple[Outcome, ...] = ()
    """What was announced, in order."""

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.verdicts + other.verdicts,
            self.reasons + other.reasons,
            self.outcomes + other.outcomes,
        )

    def count(self, verdict: str) -> int:
        """Return how many records got a verdict, over all topics."""
        return sum(n for (_, name), n in self.verdicts.items() if name == verdict)


def judge(record: Record) -> Item:
    """Return what a record is: a value, never an exception."""
    try:
        event = decode(record.position.topic, record.key, record.value, record.headers)
    except Rejected as rejection:
        return Malformed(record, rejection.reason, rejection.detail, rejection.subject)
    return Accepted(record, event)


class Intake:
    """Takes batches into the database. One instance a worker; ``handle`` is not reentrant."""

    def __init__(
        self,
        pool: Pool,
        reference: Reference,
        clock: Clock,
        metrics: Metrics,
        limits: Limits,
        committed: Callable[[], None] = lambda: None,
    ) -> None:
        self._pool = pool
        self._reference = reference
        self._clock = clock
        self._metrics = metrics
        self._limits = limits
        self._committed = committed
        self._bugs_in_a_row = 0

    async def handle(self, records: Sequence[Record]) -> Tally:
        """Bring a batch into the database; on return it is committed and may be acknowledged.

        May be repeated with the same records: they are then duplicates. Blocks, retrying for
        ever, while the database is away; cancelling is safe at any point.

        Raises:
            BrokenDeploy: too many records in a row fail in our own code.
        """
        started = time.monotonic()
        items = [judge(record) for record in records]
        try:
            tally = await self._persist(items)
        except Exception as error:
            log.error("batch_failed", error=_where(error), records=len(items))
            tally = await self._isolate(items)
        self._observe(len(items), tally, time.monotonic() - started)
        return tally

    async def _persist(self, items: Sequence[Item]) -> Tally:
        """Apply items, retrying for ever what passes by itself."""
        attempt = 0
        while True:
            try:
                tally = await self.apply(items)
            except Exception as error:
                if not is_transient(error):
                    raise
                self._metrics.intake_retrying.set(1)
                attempt += 1
                cap = min(self._limits.retry_cap_seconds, 0.1 * 2 ** min(attempt, 10))
                log.warning("database_away", error=type(error).__name__, attempt=attempt)
                await asyncio.sleep(random.uniform(cap / 2, cap))  # noqa: S311 - jitter
            else:
                self._metrics.intake_retrying.set(0)
                self._committed()
                return tally

    async def _isolate(self, items: Sequence[Item]) -> Tally:
        """Apply items one by one and set aside those on which our code fails."""
        total = Tally()
        for item in items:
            try:
                tally = await self._persist([item])
                self._bugs_in_a_row = 0
            except Exception as error:
                where = _where(error)
                self._bugs_in_a_row += 1
                if self._bugs_in_a_row >= self._limits.max_bugs_in_a_row:
                    raise BrokenDeploy(
                        f"{self._bugs_in_a_row} records in a row failed in our own code, last "
                        f"{where}: roll back or mend it; nothing of this batch is acknowledged"
                    ) from error
                log.error("record_set_aside", position=str(item.record.position), error=where)
                tally = await self._persist([Malformed(item.record, Reason.BUG, where)])
            total += tally
        return total

    async def apply(self, items: Sequence[Item]) -> Tally:
        """Apply items in one transaction: all of it is in the database afterwards, or nothing."""
        async with self._pool.acquire() as conn, conn.transaction():
            return await apply(conn, items, self._reference, await self._clock(conn))

    def _observe(self, records: int, tally: Tally, seconds: float) -> None:
        m = self._metrics
        for (topic, verdict), count in tally.verdicts.items():
            m.records.labels(topic, verdict).inc(count)
        for reason, count in tally.reasons.items():
            m.dead_lettered.labels(reason).inc(count)
        m.batch_seconds.observe(seconds)
        m.batch_records.observe(records)
        m.last_batch.set_to_current_time()
        m.announced(tally.outcomes)


async def apply(
    conn: Connection, items: Sequence[Item], reference: Reference, now: datetime
) -> Tally:
    """Apply items inside the caller's transaction.

    1. Append the events not seen before; the primary key drops what was.
    2. Tell a duplicate from an id reused with other content, by digest.
    3. Set the malformed aside, whole.
    4. Reconsider every case with a new event or a new dead letter.
    """
    first: dict[UUID, Accepted] = {}
    malformed = [item for item in items if isinstance(item, Malformed)]
    again = [
        item
        for item in items
        if isinstance(item, Accepted) and first.setdefault(item.event.event_id, item) is not item
    ]

    added: set[UUID] = set()
    if first:
        arrived = [(item.event, item.record.position) for item in first.values()]
        added = await events.append(conn, arrived)

    again += [item for event_id, item in first.items() if event_id not in added]
    known = await events.digests(conn, [i.event.event_id for i in again]) if again else {}
    verdicts = Counter((i.record.position.topic, "applied") for i in map(first.__getitem__, added))
    for item in again:
        if known[item.event.event_id] == item.event.digest:
            verdicts[item.record.position.topic, "duplicate"] += 1
        else:
            detail = "this event id is in the log with other content"
            malformed.append(Malformed(item.record, Reason.ID_REUSED, detail))

    letters = [_letter(item) for item in malformed]
    if letters:
        await dead_letters.put(conn, letters)
    if added:
        positions = [first[event_id].record.position for event_id in added]
        await dead_letters.applied_after_all(conn, positions)
    verdicts.update((item.record.position.topic, "dead_lettered") for item in malformed)

    new: dict[str, list[Fact]] = {}
    for event_id in added:
        event = first[event_id].event
        new.setdefault(event.case_id, []).append(Fact(event.time, event_id, event.event))
    named = {case_id for letter in letters for case_id in letter.case_ids}
    effects = await casework.reconsider(conn, new, named, reference, now)
    return Tally(verdicts, Counter(str(item.reason) for item in malformed), effects.outcomes)


def _letter(item: Malformed) -> Letter:
    record = item.record
    return Letter(
        record.position,
        record.key,
        record.value,
        record.headers,
        item.reason,
        item.detail,
        cases_named(record.key, record.headers, item.subject),
    )


def _where(error: BaseException) -> str:
    """Name an error by type and place; its message may repeat what a record held, so it is cut."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f for f in frames if Path(f.filename).is_relative_to(_PROJECT)]
    place = f"{Path(ours[-1].filename).relative_to(_PROJECT)}:{ours[-1].lineno}" if ours else "?"
    return f"{type(error).__name__} at {place}"
