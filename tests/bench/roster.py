"""The contenders: what each is, and how it is started."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from streams.embedded.worker import WorkerProcess
from tests.bench.environments import ROOT, python_of
from tests.bench.programs import Program, Running


class Kind(StrEnum):
    """Where a contender's work is found, and so how it is measured."""

    DATABASE = "database"
    """In PostgreSQL; watched from outside."""
    OWN_STATE = "own state"
    """In its own state stores; it dumps them at its end, with its own figures."""
    CONSUME = "consume only"
    """Nowhere: it validates and counts; a ceiling, not a rival."""


Start = Callable[[Path, Mapping[str, str]], list[Running]]
"""Starts the processes of a contender in a directory, with an environment; does not wait."""


@dataclass(frozen=True)
class Contender:
    """One program that does the job, or a part of it."""

    name: str
    about: str
    kind: Kind
    start: Start
    prepare: Callable[[], object] = lambda: None
    """Builds what the first start would else have to wait for."""


def _workers(number: int = 1) -> Start:
    def start(place: Path, environment: Mapping[str, str]) -> list[Running]:
        made = [WorkerProcess(place / f"worker-{n}", environment) for n in range(number)]
        for worker in made:
            worker.start(wait=False)
        return list(made)

    return start


def _module(name: str, peer: str | None = None) -> Start:
    def start(place: Path, environment: Mapping[str, str]) -> list[Running]:
        python = python_of(peer) if peer else Path(sys.executable)
        command: list[str | Path] = [python, "-m", f"tests.bench.contenders.{name}"]
        worker = {"ICAM_HTTP__PORT": "0", "ICAM_DATA_DIRECTORY": str(place.absolute() / "data")}
        return [Program(command, place, {**worker, **environment})]

    return start


def _peer(name: str, about: str) -> Contender:
    script = name.replace("-", "_")
    return Contender(
        name, about, Kind.DATABASE, _module(script, peer=name), lambda: python_of(name)
    )


_JAVA_HOME: Final = ROOT / ".run" / "bench-env" / "kafka-streams"


def _kafka_streams(place: Path, environment: Mapping[str, str]) -> list[Running]:
    from tests.bench.kafka_streams import contender

    place.mkdir(parents=True, exist_ok=True)
    reference = place.absolute() / "reference.json"
    subprocess.run(
        [sys.executable, "-m", "tests.bench.kafka_streams.export", reference], check=True, cwd=ROOT
    )
    more = {
        "ICAM_BENCH_REFERENCE": str(reference),
        "ICAM_BENCH_STATE": str(place.absolute() / "state"),
    }
    command = contender.command(contender.build(_JAVA_HOME), reference)
    return [Program(command, place, {**environment, **more})]


def _build_kafka_streams() -> None:
    from tests.bench.kafka_streams import contender

    contender.build(_JAVA_HOME)


ROSTER: Final = {
    contender.name: contender
    for contender in (
        Contender("worker", "icam worker", Kind.DATABASE, _workers()),
        Contender("worker-x2", "icam worker, two processes", Kind.DATABASE, _workers(2)),
        Contender(
            "pipelined",
            "aiokafka and asyncpg by hand: the practical limit",
            Kind.DATABASE,
            _module("pipelined"),
        ),
        _peer("confluent-psycopg", "librdkafka and psycopg by hand"),
        _peer("quix", "Quix Streams"),
        _peer("bytewax", "Bytewax"),
        Contender(
            "take500",
            "Faust's own delivery, batches of 500",
            Kind.DATABASE,
            _module("stock"),
        ),
        Contender(
            "naive",
            "Faust, one transaction an event",
            Kind.DATABASE,
            _module("naive"),
        ),
        Contender(
            "kafka-streams",
            "Kafka Streams: changelogs instead of a database",
            Kind.OWN_STATE,
            _kafka_streams,
            _build_kafka_streams,
        ),
        Contender(
            "consume-aiokafka",
            "aiokafka: consume and validate",
            Kind.CONSUME,
            _module("consume_aiokafka"),
        ),
        Contender(
            "consume-confluent",
            "librdkafka: consume and validate",
            Kind.CONSUME,
            _module("consume_confluent"),
        ),
    )
}
