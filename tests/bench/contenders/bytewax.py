"""Bytewax as its documentation advises: its Kafka source, and a custom sink that writes each batch
of up to 500 records of one partition in one transaction.

It reads from the beginning. Bytewax keeps its position in its own recovery store instead of the
consumer group; that store is not used here.
"""

from __future__ import annotations

from typing import Any

import bytewax.operators as op
from bytewax.connectors.kafka import KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.run import cli_main

from schemas.events import INPUT_TOPICS
from tests.bench.contenders.peer import Peer
from tests.bench.contenders.reading import BATCH, Received


class CasePartition(StatelessSinkPartition[Any]):
    """Writes each batch in one transaction."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    def write_batch(self, items: list[Any]) -> None:
        """Write messages of the Kafka source to the database."""
        for start in range(0, len(items), BATCH):
            self._peer.handle([_received(m) for m in items[start : start + BATCH]])


class CaseSink(DynamicSink[Any]):
    """One partition per worker; there is one worker."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    def build(self, step_id: str, worker_index: int, worker_count: int) -> CasePartition:
        """Return the worker's partition."""
        return CasePartition(self._peer)


def _received(message: Any) -> Received:
    return Received(
        message.topic,
        message.partition,
        message.offset,
        message.key,
        message.value,
        message.headers or (),
        message.timestamp[1],
    )


def main() -> None:
    """Work until killed."""
    peer = Peer()
    servers = peer.settings.kafka.bootstrap_servers.split(",")
    flow = Dataflow("cases")
    source: KafkaSource[Any] = KafkaSource(servers, list(INPUT_TOPICS), batch_size=BATCH)
    op.output("database", op.input("kafka", flow, source), CaseSink(peer))
    cli_main(flow)


if __name__ == "__main__":
    main()
