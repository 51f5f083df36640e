"""librdkafka's mock cluster, from the ``confluent-kafka`` wheel, in a process of its own.

A test double: it speaks the protocol, keeps about 5 MiB a partition, forgets at exit, can't make
topics on request and answers an idle fetch only when its wait is over. It never proves a promise
about delivery; real Kafka does that (``streams.embedded.kafka``).
"""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self

from streams.embedded import process
from streams.embedded.errors import ServerDidNotStart, ToolMissing

_PRODUCER: Final = 0


class EmbeddedBroker:
    """One mock broker with the topics given, by name and number of partitions."""

    def __init__(self, topics: Mapping[str, int]) -> None:
        self._topics = dict(topics)
        self._process: subprocess.Popen[str] | None = None
        self.bootstrap_servers = ""

    def start(self) -> None:
        """Start it and wait until it listens. Blocks.

        Raises:
            ServerDidNotStart: it ended before it said where it listens.
        """
        self._process = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-m", "streams.embedded.broker", json.dumps(self._topics)],
            stdin=subprocess.PIPE,  # it ends when this closes, so with us
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        if self._process.stdout is None:
            raise ServerDidNotStart("the embedded broker has no output")
        self.bootstrap_servers = self._process.stdout.readline().strip()
        if not self.bootstrap_servers:
            raise ServerDidNotStart(f"the embedded broker ended with {self._process.wait()}")

    def stop(self) -> None:
        """End it; what it held is gone."""
        if self._process is not None:
            with self._process:
                self._process.kill()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _serve(topics: Mapping[str, int]) -> None:
    library = _library()
    config = library.rd_kafka_conf_new()
    error = ctypes.create_string_buffer(512)
    handle = library.rd_kafka_new(_PRODUCER, config, error, len(error))
    cluster = library.rd_kafka_mock_cluster_new(handle, 1)
    for name, partitions in topics.items():
        library.rd_kafka_mock_topic_create(cluster, name.encode(), partitions, 1)
    print(library.rd_kafka_mock_cluster_bootstraps(cluster).decode(), flush=True)
    sys.stdin.read()


def _library() -> Any:
    import confluent_kafka

    folder = Path(confluent_kafka.__file__).parent.parent / "confluent_kafka.libs"
    found = sorted(folder.glob("librdkafka*"))
    if not found:
        raise ToolMissing("the confluent-kafka wheel on this platform has no librdkafka of its own")
    library = ctypes.CDLL(str(found[0]))
    pointer = ctypes.c_void_p
    library.rd_kafka_conf_new.restype = pointer
    library.rd_kafka_new.restype = pointer
    library.rd_kafka_new.argtypes = [ctypes.c_int, pointer, ctypes.c_char_p, ctypes.c_size_t]
    library.rd_kafka_mock_cluster_new.restype = pointer
    library.rd_kafka_mock_cluster_new.argtypes = [pointer, ctypes.c_int]
    library.rd_kafka_mock_topic_create.argtypes = [
        pointer,
        ctypes.c_char_p,
        ctypes.c_int,
        ctypes.c_int,
    ]
    library.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
    library.rd_kafka_mock_cluster_bootstraps.argtypes = [pointer]
    return library


if __name__ == "__main__":
    process.die_with_parent()
    _serve(json.loads(sys.argv[1]))
