"""librdkafka and psycopg by hand: consume up to 500, one transaction, commit offsets, repeat."""

from __future__ import annotations

from tests.bench.contenders.peer import Peer
from tests.bench.contenders.reading import confluent_batches


def main() -> None:
    """Work until killed."""
    peer = Peer()
    for batch in confluent_batches(peer.settings.kafka):
        peer.handle(batch)


if __name__ == "__main__":
    main()
