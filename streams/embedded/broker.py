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
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from streams.embedded import process
from streams.embedded.errors import EmbeddedError, ServerDidNotStart, ToolMissing
from streams.embedded.server import Server

_PRODUCER: Final = 0
_ROOT: Final = Path(__file__).parents[2]


class EmbeddedBroker(Server):
    """One mock broker with the topics given, by name and number of partitions.

    It ends when this process ends, whatever ends it, and leaves nothing behind. Started again, it
    is empty and listens elsewhere. A topic it does not know it makes when a client asks for it.
    """

    def __init__(self, topics: Mapping[str, int]) -> None:
        self._topics = dict(topics)
        self.bootstrap_servers = ""

    def start(self) -> None:
        """Start it and wait until it listens. Blocks.

        Raises:
            ToolMissing: the library is not there.
            ServerDidNotStart: it ended before it said where it listens, or refused a topic.
        """
        if self.running:
            return
        library = _library()
        child = [sys.executable, "-m", "streams.embedded.broker", str(library)]
        self._process = process.spawn(
            process.leashed([*child, json.dumps(self._topics)]),
            stdin=subprocess.PIPE,  # it ends when this closes, so with us
            stdout=subprocess.PIPE,
            cwd=_ROOT,
        )
        if self._process.stdout is None:
            raise ServerDidNotStart("the embedded broker has no output")
        where, _, error = self._process.stdout.readline().decode().strip().partition(" ")
        if error or not where:
            ended = self._process.wait()
            self.stop()
            raise ServerDidNotStart(
                f"the embedded broker for {self._topics} ended: {error or f'code {ended}'}"
            )
        self.bootstrap_servers = where

    def stop(self) -> None:
        """End it; what it held is gone."""
        if self._process is not None:
            with self._process:  # closes its pipes and reaps it
                self._process.kill()


def _serve(library: Any, topics: Mapping[str, int]) -> None:
    error = ctypes.create_string_buffer(512)
    handle = library.rd_kafka_new(_PRODUCER, library.rd_kafka_conf_new(), error, len(error))
    if not handle:
        raise ServerDidNotStart(error.value.decode())
    cluster = library.rd_kafka_mock_cluster_new(handle, 1)
    if not cluster:
        raise ServerDidNotStart("librdkafka made no mock cluster")
    for name, partitions in topics.items():
        code = library.rd_kafka_mock_topic_create(cluster, name.encode(), partitions, 1)
        if code != 0:
            reason = library.rd_kafka_err2str(code).decode()
            raise ServerDidNotStart(f"topic {name} with {partitions} partitions: {reason}")
    print(library.rd_kafka_mock_cluster_bootstraps(cluster).decode(), flush=True)
    sys.stdin.read()


def _library() -> Path:
    spec = find_spec("confluent_kafka")
    if spec is None or spec.origin is None:
        raise ToolMissing("embedded broker: pip install confluent-kafka")
    folder = Path(spec.origin).parent.parent / "confluent_kafka.libs"
    found = sorted(folder.glob("librdkafka*"))
    if not found:
        raise ToolMissing(
            "embedded broker: this confluent-kafka has no librdkafka of its own; "
            "install its wheel for Linux"
        )
    return found[0]


def _load(path: Path) -> Any:
    # It first: it brings what the bundled library itself depends on.
    import confluent_kafka  # noqa: F401

    library = ctypes.CDLL(str(path))
    pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
    library.rd_kafka_conf_new.restype = pointer
    library.rd_kafka_new.restype = pointer
    library.rd_kafka_new.argtypes = [number, pointer, text, ctypes.c_size_t]
    library.rd_kafka_mock_cluster_new.restype = pointer
    library.rd_kafka_mock_cluster_new.argtypes = [pointer, number]
    library.rd_kafka_mock_topic_create.argtypes = [pointer, text, number, number]
    library.rd_kafka_mock_cluster_bootstraps.restype = text
    library.rd_kafka_mock_cluster_bootstraps.argtypes = [pointer]
    library.rd_kafka_err2str.restype = text
    library.rd_kafka_err2str.argtypes = [number]
    return library


if __name__ == "__main__":
    try:
        _serve(_load(Path(sys.argv[1])), json.loads(sys.argv[2]))
    except (EmbeddedError, OSError, ImportError) as error:
        print("-", error)
        sys.exit(1)
