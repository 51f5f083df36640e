"""Bytewax, as its documentation advises: its own Kafka source and a custom sink that writes each
batch it is handed, up to 500 records of one partition, in one transaction. It reads from the
beginning and keeps its place in a recovery store of its own, left out here, instead of the group.
"""

from __future__ import annotations

from typing import Any

import bytewax.operators as op
from bytewax.connectors.kafka import KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.run import cli_main

from schemas.events import INPUT_TOPICS
from streams.intake.record import Record
from streams.store.events import Position
from tests.bench.contenders.peer import Peer

_BATCH = 500


class CasePartition(StatelessSinkPartition[Any]):
    """Writes what it is handed, a transaction a batch."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    def write_batch(self, items: list[Any]) -> None:
        """Bring messages of the Kafka source into the database."""
        records = [
            Record(Position(m.topic, m.partition, m.offset), m.key, m.value, m.headers)
            for m in items
        ]
        for start in range(0, len(records), _BATCH):
            self._peer.handle(records[start : start + _BATCH])


class CaseSink(DynamicSink[Any]):
    """One partition a worker; there is one worker."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    def build(self, step_id: str, worker_index: int, worker_count: int) -> CasePartition:
        """Return the worker's partition."""
        return CasePartition(self._peer)


def main() -> None:
    """Work until killed."""
    peer = Peer()
    servers = peer.settings.kafka.bootstrap_servers.split(",")
    flow = Dataflow("cases")
    source: KafkaSource[Any] = KafkaSource(servers, list(INPUT_TOPICS), batch_size=_BATCH)
    op.output("database", op.input("kafka", flow, source), CaseSink(peer))
    cli_main(flow)


if __name__ == "__main__":
    main()
