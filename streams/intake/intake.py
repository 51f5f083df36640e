"""Records in, cases reconsidered: judge, apply in one transaction, retry, isolate.

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
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import structlog

from schemas import canary
from schemas.envelope import Reason
from streams.intake.batch import BatchResult, apply_batch
from streams.intake.record import DecodedRecord, Malformed, Record, decode_record
from streams.reference import Reference
from streams.runtime import crash
from streams.runtime.metrics import Metrics
from streams.runtime.settings import IntakeSettings as Limits
from streams.store.clock import Clock
from streams.store.errors import is_transient
from streams.store.pool import Pool

log = structlog.get_logger(__name__)

_PROJECT: Final = Path(__file__).parents[1]


class IntakeError(Exception):
    """Intake can't go on."""


class BrokenDeploy(IntakeError):
    """Our code failed on too many records in a row.

    Nothing of the batch is acknowledged. Roll the deployment back, or mend the bug; the records
    are delivered again, and those set aside meanwhile wait in ``icam dead-letters list``.
    """


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

    async def handle(self, records: Sequence[Record]) -> BatchResult:
        """Bring a batch into the database; on return it is committed and may be acknowledged.

        May be repeated with the same records: they are then duplicates. Blocks, retrying for
        ever, while the database is away; cancelling is safe at any point.

        Raises:
            BrokenDeploy: too many records in a row fail in our own code.
        """
        started = time.monotonic()
        items = [decode_record(record) for record in records]
        try:
            result = await self._persist(items)
        except Exception as error:
            log.error("batch_failed", error=_where(error), records=len(items))
            result = await self._isolate(items)
        self._observe(len(items), result, time.monotonic() - started)
        return result

    async def _persist(self, items: Sequence[DecodedRecord]) -> BatchResult:
        """Apply items, retrying for ever what passes by itself."""
        attempt = 0
        try:
            while True:
                try:
                    result = await self.apply(items)
                except Exception as error:
                    if not is_transient(error):
                        raise
                    if not attempt:
                        self._metrics.intake_retrying.inc()
                    attempt += 1
                    cap = min(self._limits.retry_cap_seconds, 0.1 * 2 ** min(attempt, 10))
                    log.warning("database_away", error=type(error).__name__, attempt=attempt)
                    await asyncio.sleep(random.uniform(cap / 2, cap))  # noqa: S311 - jitter
                else:
                    self._committed()
                    return result
        finally:
            if attempt:
                self._metrics.intake_retrying.dec()

    async def _isolate(self, items: Sequence[DecodedRecord]) -> BatchResult:
        """Apply items one by one and set aside those on which our code fails."""
        total = BatchResult()
        for item in items:
            try:
                result = await self._persist([item])
                self._bugs_in_a_row = 0
            except Exception as error:
                where = _where(error)
                self._bugs_in_a_row += 1
                if self._bugs_in_a_row >= self._limits.max_bugs_in_a_row:
                    log.critical("broken_deploy", records=self._bugs_in_a_row, error=where)
                    raise BrokenDeploy(
                        f"{self._bugs_in_a_row} records in a row failed in our own code, last "
                        f"{where}: roll back or mend it; nothing of this batch is acknowledged"
                    ) from error
                log.error("record_set_aside", position=str(item.record.position), error=where)
                result = await self._persist([Malformed(item.record, Reason.BUG, where)])
            total += result
        return total

    async def apply(self, items: Sequence[DecodedRecord]) -> BatchResult:
        """Apply items in one transaction: all of it is in the database afterwards, or nothing."""
        async with self._pool.acquire() as conn, conn.transaction():
            result = await apply_batch(conn, items, self._reference, self._clock)
            crash.point("before_commit")
        crash.point("after_commit")
        return result

    def _observe(self, records: int, result: BatchResult, seconds: float) -> None:
        m = self._metrics
        for (topic, source, verdict), count in result.verdicts.items():
            m.records.labels(topic, verdict).inc(count)
            if source != canary.SOURCE:
                m.producer_records.labels(m.producer(source), verdict).inc(count)
        for (topic, reason), count in result.reasons.items():
            m.dead_lettered.labels(topic, reason).inc(count)
        m.observe_applied(result.taken, result.at)
        m.batch_seconds.observe(seconds)
        m.batch_records.observe(records)
        m.last_batch.set_to_current_time()
        m.count_announced(result.outcomes)


def _where(error: BaseException) -> str:
    """Name an error by type and place; its message may repeat what a record held, so it is cut."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f for f in frames if Path(f.filename).is_relative_to(_PROJECT)]
    place = f"{Path(ours[-1].filename).relative_to(_PROJECT)}:{ours[-1].lineno}" if ours else "?"
    return f"{type(error).__name__} at {place}"
