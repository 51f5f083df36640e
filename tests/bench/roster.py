"""The contenders and how each is started."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from streams.embedded.worker import WorkerProcess
from tests.bench.environments import python_of
from tests.bench.programs import Program, Running

Start = Callable[[Path, Mapping[str, str]], list[Running]]
"""Starts the processes of a contender in a directory, with an environment; does not block."""


@dataclass(frozen=True)
class Contender:
    """One program that does the worker's job, or a part of it."""

    name: str
    start: Start
    writes: bool = True
    """Whether it writes PostgreSQL. If not, it consumes, validates, counts and measures itself."""
    prepare: Callable[[], object] = lambda: None
    """Install the libraries that it needs; called before the first start."""


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
        module = f"tests.bench.contenders.{name.replace('-', '_')}"
        worker = {"ICAM_HTTP__PORT": "0", "ICAM_DATA_DIRECTORY": str(place.absolute() / "data")}
        return [Program([python, "-m", module], place, {**worker, **environment})]

    return start


def _peer(name: str) -> Contender:
    return Contender(name, _module(name, peer=name), prepare=lambda: python_of(name))


ROSTER: Final = {
    contender.name: contender
    for contender in (
        Contender("worker", _workers()),
        Contender("worker-x2", _workers(2)),
        Contender("pipelined", _module("pipelined")),
        _peer("confluent-psycopg"),
        _peer("quix"),
        _peer("bytewax"),
        Contender("stock", _module("stock")),
        Contender("naive", _module("naive")),
        Contender("consume-aiokafka", _module("consume-aiokafka"), writes=False),
        Contender("consume-confluent", _module("consume-confluent"), writes=False),
    )
}
"""By name; ``tests.bench.contenders`` says what each is."""
