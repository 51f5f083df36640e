"""The state of a running worker: its parts write it, metrics and health probes read it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class WorkerState:
    """What the parts of one worker last reported. One event loop reads and writes it."""

    database_away: bool = False
    """Whether the last probe of the database failed. Written by the start and the probe."""
    database_says: str = ""
    """What to do about it; empty while it answers."""
    batches_retrying: int = 0
    """Batches that wait for the database to come back. Written by the intake."""
    last_batch_at: float = 0.0
    """Unix time of the last committed batch; 0 before the first. Written by the intake."""
    relay_failing: bool = False
    """Whether the outbox can't be published at present. Written by the relay."""
    membership_refused: str = ""
    """The error with which Kafka refuses this worker in its group. Written by its probe."""
    relay_held_since: float = 0.0
    """Unix time since which this worker publishes the outbox; 0 if it does not."""
    relay_holder: str = ""
    """Who publishes the outbox and since when, as last seen. Written by the relay."""
    partitions_assigned: int = 0
    """Input partitions of this worker. Written by the readiness probe, as the consumer has them."""
    partitions_expected: int = 0
    """Partitions of the input topics, for all workers together. Written likewise."""
    partitions_fetched: int = 0
    """Partitions of this worker whose broker delivers. Written likewise."""
    records_behind: int = 0
    """Records of this worker's partitions that it has not done. Written by the liveness probe."""
    partitions_held: tuple[str, ...] = ()
    """Partitions of this worker that can't be read, as ``topic[number]``. Written likewise."""

    def database_is_away(self, says: str) -> None:
        """Note that the database can't be used, and what to do about it."""
        self.database_away, self.database_says = True, says

    def database_is_back(self) -> None:
        """Note that the database answers."""
        self.database_away, self.database_says = False, ""

    @property
    def waits_for_database(self) -> bool:
        """Whether the worker makes no progress because the database does not answer."""
        return self.database_away or self.batches_retrying > 0
