"""librdkafka's mock cluster, from the ``confluent-kafka`` wheel, in its own process.

A test double: it speaks the protocol, keeps about 5 MiB per partition, loses everything at exit,
refuses requests to create topics, and answers an idle fetch only at the end of its maximum wait. It
proves no guarantee about delivery; tests on real Kafka do (``streams.embedded.kafka``).
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from confluent_kafka import KafkaException, Producer

from streams.embedded import process
from streams.embedded.errors import ServerDidNotStart
from streams.embedded.server import Server

PARTITIONS: Final = 4
"""Partitions of every topic, fixed by librdkafka."""

_ROOT: Final = Path(__file__).parents[2]


class EmbeddedBroker(Server):
    """One mock broker with the given topics, each of ``PARTITIONS`` partitions.

    It ends with this process, even if this process is killed, and leaves nothing behind. After a
    restart it is empty and listens on another port. It creates any topic that a client asks about.
    """

    def __init__(self, topics: Iterable[str]) -> None:
        self._topics = list(topics)
        self.bootstrap_servers = ""

    def start(self) -> None:
        """Start it and wait until it listens. Blocks.

        Raises:
            ServerDidNotStart: it ended before it printed its address.
        """
        if self.running:
            return
        self._process = process.spawn(
            process.leashed([sys.executable, "-m", "streams.embedded.broker", *self._topics]),
            stdin=subprocess.PIPE,  # it ends when this closes, so with us
            stdout=subprocess.PIPE,
            cwd=_ROOT,
        )
        if self._process.stdout is None:
            raise ServerDidNotStart("the embedded broker has no output")
        address, _, error = self._process.stdout.readline().decode().strip().partition(" ")
        if error or not address:
            code = self._process.wait()
            self.stop()
            raise ServerDidNotStart(f"the embedded broker ended: {error or f'code {code}'}")
        self.bootstrap_servers = address

    def stop(self) -> None:
        """End it; its records are lost."""
        if self._process is not None:
            with self._process:  # closes its pipes and reaps it
                self._process.kill()


def _serve(topics: Iterable[str]) -> None:
    """Run the mock cluster of a producer and print its address, until the input ends."""
    producer = Producer({"test.mock.num.brokers": 1, "log_level": 2})
    for name in topics:
        producer.list_topics(name, timeout=10)  # a request about a topic creates it
    [broker] = producer.list_topics(timeout=10).brokers.values()
    print(f"{broker.host}:{broker.port}", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    try:
        _serve(sys.argv[1:])
    except KafkaException as error:
        print("-", error)
        sys.exit(1)
