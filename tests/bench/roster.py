"""The contenders and how each is started."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

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
    version: Literal["head", "base"] = "head"
    """The commit whose code it runs."""
    compiled: bool = True
    """Whether it runs the compiled domain, as the image does."""
    tables: Path | None = None
    """Its own tables, as SQL; None if it uses those of the migrations."""
    decides: bool = True
    """Whether it decides cases. If not, it has no projections, and publishes filler."""
    python: Callable[[], Path] = lambda: Path(sys.executable)
    """Return its interpreter; called before the first start, it installs what is missing."""


def _workers(number: int = 1) -> Start:
    def start(place: Path, environment: Mapping[str, str]) -> list[Running]:
        made = [WorkerProcess(place / f"worker-{n}", environment) for n in range(number)]
        for worker in made:
            worker.start(wait=False)
        return list(made)

    return start


def module(name: str, peer: str | None = None) -> Start:
    """Return what starts a module of ``contenders``, with the libraries of a peer or ours."""

    def start(place: Path, environment: Mapping[str, str]) -> list[Running]:
        python = python_of(peer) if peer else Path(sys.executable)
        named = f"tests.bench.contenders.{name.replace('-', '_')}"
        worker = {"ICAM_HTTP__PORT": "0", "ICAM_DATA_DIRECTORY": str(place.absolute() / "data")}
        return [Program([python, "-m", named], place, {**worker, **environment})]

    return start


_SQL: Final = Path(__file__).parent / "contenders"


def _rival(name: str) -> Contender:
    """Return a contender with libraries, tables and SQL of its own."""
    return Contender(
        name,
        module(name, peer=name),
        tables=_SQL / "rival.sql",
        python=lambda: python_of(name),
    )


ROSTER: Final = {
    contender.name: contender
    for contender in (
        Contender("worker", _workers()),
        Contender("base", _workers(), version="base"),
        Contender("worker-interpreted", _workers(), compiled=False),
        Contender("base-interpreted", _workers(), version="base", compiled=False),
        Contender("worker-x2", _workers(2)),
        Contender("floor", module("floor"), tables=_SQL / "floor.sql", decides=False),
        Contender("pipelined", module("pipelined")),
        _rival("confluent-psycopg"),
        _rival("quix"),
        _rival("bytewax"),
        Contender("stock", module("stock")),
        Contender("naive", module("naive")),
        Contender("consume-aiokafka", module("consume-aiokafka"), writes=False),
        Contender("consume-confluent", module("consume-confluent"), writes=False),
    )
}
"""By name; ``tests.bench.contenders`` says what each is."""
RIVALS: Final = ("quix", "bytewax", "confluent-psycopg")
"""What a user would write instead."""
