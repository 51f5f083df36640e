"""librdkafka and psycopg by hand: consume up to 500, one transaction, commit offsets, repeat."""

from __future__ import annotations

from confluent_kafka import Consumer

from schemas.events import INPUT_TOPICS
from tests.bench.contenders.peer import Peer, record_of

_BATCH = 500


def main() -> None:
    """Work until killed."""
    peer = Peer()
    consumer = Consumer(
        {
            "bootstrap.servers": peer.settings.kafka.bootstrap_servers,
            "group.id": peer.settings.kafka.group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe(list(INPUT_TOPICS))
    while True:
        messages = [m for m in consumer.consume(_BATCH, timeout=0.05) if m.error() is None]
        if messages:
            peer.handle([record_of(message) for message in messages])
            consumer.commit(asynchronous=True)


if __name__ == "__main__":
    main()
