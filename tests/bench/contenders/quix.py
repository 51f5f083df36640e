"""Quix Streams as its documentation advises for databases: a sink that collects records and is
flushed at each checkpoint, before the offsets are committed.

One transaction writes the 500 records of a checkpoint, of all partitions. That is faster than the
library's ``BatchingSink``, which writes once per partition.
"""

from __future__ import annotations

from typing import Any

from quixstreams import Application
from quixstreams.sinks import BaseSink

from schemas.events import INPUT_TOPICS
from tests.bench.contenders.peer import Peer
from tests.bench.contenders.reading import Received


class CaseSink(BaseSink):
    """Collects records of all partitions and writes them in one transaction."""

    def __init__(self, peer: Peer) -> None:
        super().__init__()
        self._peer = peer
        self._records: list[Received] = []

    def add(
        self,
        value: Any,
        key: Any,
        timestamp: int,
        headers: Any,
        topic: str,
        partition: int,
        offset: int,
    ) -> None:
        """Collect one record; nothing is written yet."""
        self._records.append(
            Received(topic, partition, offset, key, value, headers or (), timestamp)
        )

    def flush(self) -> None:
        """Write the collected records; the offsets of the checkpoint are committed afterwards."""
        if self._records:
            self._peer.handle(self._records)
            self._records = []

    def on_paused(self) -> None:
        """Discard the collected records; they are consumed again."""
        self._records = []


def main() -> None:
    """Work until SIGTERM."""
    peer = Peer()
    app = Application(
        broker_address=peer.settings.kafka.bootstrap_servers,
        consumer_group=peer.settings.kafka.group,
        auto_offset_reset="earliest",
        auto_create_topics=False,
        commit_every=500,
        commit_interval=0.5,
        loglevel="WARNING",
    )
    sink = CaseSink(peer)
    for name in INPUT_TOPICS:
        topic = app.topic(name, key_deserializer="bytes", value_deserializer="bytes")
        app.dataframe(topic).sink(sink)
    app.run()


if __name__ == "__main__":
    main()
