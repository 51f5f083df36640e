"""The network between the worker and its servers cut, lossy and slow."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from itertools import cycle, islice, product
from pathlib import Path
from typing import Final, get_args

from streams.embedded.kafka import KafkaNode
from streams.embedded.postgres import EmbeddedPostgres
from streams.embedded.worker import WorkerProcess
from tests.faults import wire
from tests.faults.arena import Arena, now
from tests.faults.results import Outcome
from tests.faults.wire import Way, Wire
from tests.pipeline.stage import Stage, until

IN_TIME_SECONDS: Final = 60
_LOSS_PERCENT: Final = 30
_LATE_MS: Final = (100, 300)

not_permitted = wire.not_permitted


class _Wired(Stage):
    """A stage with a Kafka of its own, whose workers reach the servers by a wire."""

    def __init__(self, line: Wire, node: KafkaNode, directory: Path) -> None:
        postgres = EmbeddedPostgres(directory / "postgres", at=line.servers)
        super().__init__(node.bootstrap_servers, directory, postgres)
        self.wire = line
        self.ports = {
            "Kafka": [node.port],
            "PostgreSQL": [postgres.port],
            "both": [node.port, postgres.port],
        }

    def _make(
        self, directory: Path, environment: Mapping[str, str], script: Path | None
    ) -> WorkerProcess:
        inside, host = self.wire.inside, self.wire.worker
        return WorkerProcess(directory, environment, script=script, inside=inside, host=host)


@dataclass(frozen=True)
class _Fault:
    what: str
    line: AbstractContextManager[None]
    seconds: float


@contextmanager
def stage(_: str, directory: Path) -> Iterator[Stage]:
    """Have a wire, and at one end of it servers of the scenario's own."""
    with ExitStack() as stack:
        line = stack.enter_context(Wire(directory))
        node = stack.enter_context(KafkaNode(directory / "kafka", host=str(line.servers.ip)))
        yield stack.enter_context(_Wired(line, node, directory))


def take(arena: Arena) -> Outcome:
    """Cut the wire to either server or both, both ways or one way; lose and delay packets.

    Nobody is told: only silence says that the other end is gone. Nothing is set aside, and within
    a minute of each fault's end all is taken in and announced. A worker that ended with 1 is
    started again, and counted.
    """
    wired = arena.stage
    if not isinstance(wired, _Wired):
        raise TypeError("the stage has no wire")
    outcome = arena.outcome("network cut, lossy, slow")
    faults = list(_faults(arena, wired, outcome))
    course = arena.course(arena.size(20_000, 900))
    worker = arena.worker()
    worker.start()
    ended, slowest = 0, 0.0

    def again() -> bool:
        """Start the worker again when it ended; whether it had."""
        nonlocal ended
        code = worker.exit_code
        if code is None:
            return False
        outcome.expect(code == 1, f"the worker ended with {code}")
        ended += 1
        worker.start(wait=False)
        return True

    for fault, portion in zip(faults, course.portions(len(faults)), strict=True):
        third = len(portion) // 3
        wired.publish(portion[:third])
        time.sleep(arena.dice.uniform(0, 0.3))
        with fault.line:
            began = now()
            wired.publish(portion[third : 2 * third])
            _pass(fault.seconds, again)
            meanwhile = wired.query("SELECT count(*) FROM case_event WHERE recorded_at > %s", began)
        healed = now()
        wired.publish(portion[2 * third :])
        resumed = arena.resumed(healed, gone=lambda: again() and False)
        outcome.expect(resumed is not None, f"{fault.what}: nothing was taken in afterwards")
        outcome.resume_seconds += [resumed] if resumed is not None else []
        until(lambda: not again() and wired.drained(), 300, f"{fault.what}: all is worked through")
        took = (now() - healed).total_seconds()
        slowest = max(slowest, took)
        outcome.expect(took <= IN_TIME_SECONDS, f"{fault.what}: all was done after {took:.0f} s")
        outcome.runs += 1
        arena.say(
            f"{fault.what}, {fault.seconds:.0f} s: {meanwhile[0][0]} taken in meanwhile,"
            f" resumed after {resumed}, all done after {took:.1f}"
        )
    outcome.figures["slowest until all was taken in and announced, s"] = slowest
    outcome.figures["times that the worker ended and was started again"] = ended
    arena.settle(outcome, course.ids, set_aside=0)
    return outcome


def _faults(arena: Arena, wired: _Wired, outcome: Outcome) -> Iterator[_Fault]:
    """Yield the faults in the order of the dice; every kind of cut before one comes again."""
    kinds = list(product(wired.ports, get_args(Way)))
    arena.dice.shuffle(kinds)
    cuts = list(islice(cycle(kinds), arena.size(30, 3)))
    for server, way in cuts:
        seconds = arena.dice.uniform(1, 3 if arena.short else 60)
        line = wired.wire.cut(wired.ports[server], way)
        yield _Fault(f"cut from {server}, {way}", line, seconds)
    seconds = arena.size(120, 4)
    yield _Fault(f"{_LOSS_PERCENT} % lost", wired.wire.losing(_LOSS_PERCENT), seconds)
    if wire.can_delay():
        yield _Fault("{}-{} ms late".format(*_LATE_MS), wired.wire.slow(*_LATE_MS), seconds)
    else:
        outcome.notes.append("nothing delayed: there is no /dev/net/tun")


def _pass(seconds: float, meanwhile: Callable[[], object]) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        meanwhile()
        time.sleep(0.1)
