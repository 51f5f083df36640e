"""A discrete-event simulation of workers, database and broker, to estimate larger machines.

Modelled: a worker is one Python thread and some lanes; a lane decodes and decides (client CPU,
under the interpreter lock), then its backend writes (server CPU, its own process), then its commit
waits for the disk. A share of the client CPU is the relay's; one relay, in the first worker, works
for all workers. The processes of a machine share its cores in time slices. Not modelled: locks
between workers (cases are split by partition), checkpoints, a saturated disk or network.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import simpy

_SLICE: Final = 1000.0
"""Time slice of a process on a core, in microseconds."""
_WARM, _LONG = 1e6, 11e6
"""Virtual microseconds until counting starts, and until the end."""

Steps: TypeAlias = Generator[simpy.Event, Any, None]


@dataclass(frozen=True, slots=True)
class Costs:
    """Costs of one event, in microseconds."""

    client: float
    """CPU of the worker, relay included."""
    server: float
    """CPU of PostgreSQL."""
    broker: float = 30.0
    """CPU of Kafka, one node: 12 to 60 in runs on the same two cores, most of it for output."""
    relay_share: float = 0.1
    """Share of the client's CPU, and of the server's, for publishing; from profiles."""
    flush: float = 1500.0
    """Wait of one commit for the disk, without CPU."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The processes and cores of one deployment."""

    workers: int = 1
    lanes: int = 2
    worker_cores: int = 2
    database_cores: int = 0
    """Cores of the database's own machine; 0 if it shares the workers' machine."""
    batch: int = 400


def rate(costs: Costs, shape: Shape) -> float:
    """Return the events per second at which a backlog is processed."""
    env = simpy.Environment()
    here = simpy.Resource(env, shape.worker_cores)
    there = simpy.Resource(env, shape.database_cores) if shape.database_cores else here
    done: list[tuple[float, int]] = []

    def burn(us: float, core: simpy.Resource, lock: simpy.Resource | None = None) -> Steps:
        while us > 0:
            part = min(us, _SLICE)
            us -= part
            if lock is None:
                with core.request() as turn:
                    yield turn
                    yield env.timeout(part)
            else:
                with lock.request() as held:
                    yield held
                    with core.request() as turn:
                        yield turn
                        yield env.timeout(part)

    def lane(lock: simpy.Resource, decided: simpy.Store) -> Steps:
        ours, backend = (cost * (1 - costs.relay_share) for cost in (costs.client, costs.server))
        n = shape.batch
        while True:
            yield from burn(n * costs.broker, there)
            # Decode; lock and read; decide; write; commit.
            for client, server in ((0.3, 0.3), (0.7, 0.7)):
                yield from burn(n * ours * client, here, lock)
                yield from burn(n * backend * server, there)
            yield env.timeout(costs.flush)
            done.append((env.now, n))
            yield decided.put(n)

    def relay(lock: simpy.Resource, decided: simpy.Store) -> Steps:
        while True:
            n = yield decided.get()
            yield from burn(n * costs.server * costs.relay_share, there)
            yield from burn(n * costs.client * costs.relay_share, here, lock)

    # For a steady state the lanes wait for a slow relay; in the real system subscribers wait.
    decided = simpy.Store(env, capacity=4 * shape.lanes * shape.workers)
    locks = [simpy.Resource(env, 1) for _ in range(shape.workers)]
    for lock in locks:
        for _ in range(shape.lanes):
            env.process(lane(lock, decided))
    env.process(relay(locks[0], decided))
    env.run(until=_LONG)
    return 1e6 * sum(n for at, n in done if at > _WARM) / (_LONG - _WARM)


def saturated(costs: Costs, shape: Shape, found: float) -> str:
    """Return the most used resource at a rate, with its share in use."""
    database = shape.database_cores or shape.worker_cores
    client, server = costs.client, costs.server + costs.broker
    loads = {
        "the workers' Python threads": found * client / 1e6 / shape.workers,
        "the database's cores": found * server / 1e6 / database if shape.database_cores else 0.0,
        "the cores of the machine": (
            0.0 if shape.database_cores else found * (client + server) / 1e6 / shape.worker_cores
        ),
        "the workers' cores": found * client / 1e6 / shape.worker_cores,
        "the one relay": found * costs.relay_share * (client + costs.server) / 1e6,
    }
    name, load = max(loads.items(), key=lambda item: item[1])
    return f"{name} ({load:.0%})"


GROWTH: Final[Sequence[Shape]] = (
    Shape(),
    Shape(workers=2),
    Shape(worker_cores=1, database_cores=2),
    Shape(workers=2, worker_cores=2, database_cores=2),
    Shape(workers=4, worker_cores=4, database_cores=4),
    Shape(workers=8, worker_cores=8, database_cores=8),
    Shape(workers=12, worker_cores=12, database_cores=8),
    Shape(workers=12, worker_cores=12, database_cores=16),
)
"""The shapes of docs/capacity.md."""
