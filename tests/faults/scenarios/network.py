"""The network between the worker and its servers cut, lossy and slow."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import count, cycle, islice, product
from pathlib import Path
from typing import Final, get_args

from schemas.codec import Outgoing
from streams.embedded.kafka import KafkaNode
from streams.embedded.postgres import EmbeddedPostgres
from streams.embedded.worker import WorkerProcess
from tests.faults import wire
from tests.faults.arena import Arena, NotHere, now
from tests.faults.results import Outcome
from tests.faults.wire import Way, Wire
from tests.pipeline.stage import Stage, until

IN_TIME_SECONDS: Final = 60
_LOSS_PERCENT: Final = 30
_LATE_MS: Final = (100, 300)
_TAKEN_SINCE: Final = "SELECT count(*) FROM case_event WHERE recorded_at > %s"


class _Wired(Stage):
    """A stage with its own Kafka, whose workers reach the servers through a wire."""

    def __init__(self, line: Wire, node: KafkaNode, directory: Path) -> None:
        postgres = EmbeddedPostgres(directory / "postgres", at=line.servers)
        super().__init__(node.bootstrap_servers, directory, postgres)
        self.wire = line
        self.ports = {
            "Kafka": [node.port],
            "PostgreSQL": [postgres.port],
            "both": [node.port, postgres.port],
        }
        self._successors = count(1)

    @property
    def environment(self) -> dict[str, str]:
        return {**super().environment, "ICAM_ALLOW_PLAINTEXT": "1"}

    def elsewhere(self) -> WorkerProcess:
        """Return a worker at the servers' end; the caller starts it."""
        name = f"successor-{next(self._successors):03d}"
        made = WorkerProcess(self.directory / name, self.environment)
        self._stack.callback(made.kill)
        return made

    def _make(
        self, directory: Path, environment: Mapping[str, str], script: Path | None
    ) -> WorkerProcess:
        inside, host = self.wire.inside, self.wire.worker
        there = {**environment, "ICAM_HTTP__HOST": host}
        return WorkerProcess(directory, there, script=script, inside=inside, host=host)


@dataclass(frozen=True)
class _Fault:
    what: str
    line: AbstractContextManager[None]
    seconds: float


@contextmanager
def stage(_: str, directory: Path) -> Iterator[Stage]:
    """Return a stage with a wire, and its own servers at one end.

    Raises:
        NotHere: a wire can't be set up here.
    """
    if reason := wire.not_permitted():
        raise NotHere(reason)
    with ExitStack() as stack:
        line = stack.enter_context(Wire(directory))
        node = stack.enter_context(KafkaNode(directory / "kafka", host=str(line.servers.ip)))
        yield stack.enter_context(_Wired(line, node, directory))


def take(arena: Arena) -> Outcome:
    """Cut the wire to either server or both, both ways or one way; lose and delay packets; and make
    the worker's machine vanish while another worker waits.

    Neither end gets a refusal, only silence. No record is dead-lettered, and within a minute after
    each fault all records are ingested and announced. A worker that ended with 1 is started again
    and counted.
    """
    wired = arena.stage
    if not isinstance(wired, _Wired):
        raise TypeError("the stage has no wire")
    outcome = arena.outcome("network cut, lossy, slow")
    faults, vanishings = list(_faults(arena, wired, outcome)), arena.size(5, 1)
    course = arena.course(arena.size(20_000, 600))
    portions = course.portions(len(faults) + vanishings)
    trial = _Trial(arena, wired, outcome)
    for fault, portion in zip(faults, portions, strict=False):
        trial.bear(fault, portion)
    for portion in portions[len(faults) :]:
        trial.vanish(portion)
    outcome.figures["slowest until all was ingested and announced, s"] = trial.slowest
    outcome.figures["times that the worker ended and was started again"] = trial.ended
    arena.settle(outcome, course.ids, dead_letters=0)
    return outcome


class _Trial:
    """One worker at the far end of the wire, and its faults."""

    def __init__(self, arena: Arena, wired: _Wired, outcome: Outcome) -> None:
        self._arena, self._wired, self._outcome = arena, wired, outcome
        self._worker = arena.worker()
        self._worker.start()
        self.slowest, self.ended = 0.0, 0

    def bear(self, fault: _Fault, portion: Sequence[Outgoing]) -> None:
        """Publish before, during and after a fault."""
        third = len(portion) // 3
        self._wired.publish(portion[:third])
        time.sleep(self._arena.dice.uniform(0, 0.3))
        with fault.line:
            began = now()
            self._wired.publish(portion[third : 2 * third])
            self._pass(fault.seconds)
            meanwhile = self._wired.query(_TAKEN_SINCE, began)[0][0]
        healed = now()
        self._wired.publish(portion[2 * third :])
        self._recover(f"{fault.what}, {fault.seconds:.0f} s, {meanwhile} meanwhile", healed)

    def vanish(self, portion: Sequence[Outgoing]) -> None:
        """Cut the power of the worker's machine: its sessions and locks remain."""
        half = len(portion) // 2
        self._wired.publish(portion[:half])
        self._arena.resumed(now(), patience=self._arena.dice.uniform(0, 1))
        successor = self._wired.elsewhere()
        with self._wired.wire.cut(self._wired.ports["both"], "both ways"):
            self._worker.kill()
            self._outcome.kills += 1
            gone = now()
            successor.start(wait=False)
            self._wired.publish(portion[half:])
            self._recover("machine gone", gone, killed=True)
        successor.stop()
        self._worker.start()

    def _recover(self, what: str, since: datetime, *, killed: bool = False) -> None:
        """Wait until records are ingested again, then until all are ingested and announced."""
        outcome = self._outcome

        def again() -> bool:
            return not killed and self._again()

        resumed = self._arena.resumed(since, gone=lambda: again() and False)
        outcome.expect(resumed is not None, f"{what}: nothing was ingested afterwards")
        outcome.resume_seconds += [resumed] if resumed is not None else []
        until(lambda: not again() and self._wired.drained(), 300, f"{what}: all is processed")
        took = (now() - since).total_seconds()
        self.slowest = max(self.slowest, took)
        outcome.expect(took <= IN_TIME_SECONDS, f"{what}: all was done after {took:.0f} s")
        outcome.runs += 1
        self._arena.say(f"{what}: resumed after {resumed}, all done after {took:.1f}")

    def _pass(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._again()
            time.sleep(0.1)

    def _again(self) -> bool:
        """Start the worker again if it ended; return whether it had."""
        code = self._worker.exit_code
        if code is None:
            return False
        self._outcome.expect(code == 1, f"the worker ended with {code}")
        self.ended += 1
        self._worker.start(wait=False)
        return True


def _faults(arena: Arena, wired: _Wired, outcome: Outcome) -> Iterator[_Fault]:
    """Yield the faults in random order; every kind of cut before any repeats."""
    kinds = list(product(wired.ports, get_args(Way)))
    arena.dice.shuffle(kinds)
    cuts = list(islice(cycle(kinds), arena.size(30, 3)))
    for server, way in cuts:
        seconds = arena.dice.uniform(1, 2 if arena.short else 60)
        line = wired.wire.cut(wired.ports[server], way)
        yield _Fault(f"cut from {server}, {way}", line, seconds)
    seconds = arena.size(120, 3)
    yield _Fault(f"{_LOSS_PERCENT} % lost", wired.wire.losing(_LOSS_PERCENT), seconds)
    if wire.can_delay():
        yield _Fault("{}-{} ms late".format(*_LATE_MS), wired.wire.slow(*_LATE_MS), seconds)
    else:
        outcome.notes.append("nothing delayed: there is no /dev/net/tun")
