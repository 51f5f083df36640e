"""PostgreSQL restarted, killed, away for minutes, and its connections cut."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from tests.faults.arena import Arena, now, shuffled
from tests.faults.results import Outcome
from tests.pipeline.stage import until


def take(arena: Arena) -> Outcome:
    """Make the database unavailable in every way; one worker recovers without dead letters."""
    restarts, kills, cuts = arena.size(20, 1), arena.size(5, 1), arena.size(500, 20)
    deeds = shuffled(arena.dice, ["restart"] * restarts + ["kill"] * kills + ["outage"])
    course = arena.course(arena.size(20_000, 1_000))
    outcome = arena.outcome("PostgreSQL away, connections cut")
    *portions, rest = course.portions(len(deeds) + 1)
    server = arena.stage.postgres
    away: Mapping[str, Callable[[], None]] = {
        "restart": server.stop,
        "kill": server.kill,
        "outage": server.stop,
    }
    worker = arena.worker()
    worker.start()
    for deed, portion in zip(deeds, portions, strict=True):
        half = len(portion) // 2
        arena.stage.publish(portion[:half])
        time.sleep(arena.dice.uniform(0, 0.3))
        away[deed]()
        arena.stage.publish(portion[half:])
        if deed == "outage":
            # The intake notices at once, the gauges at their next look: both end in 503.
            until(lambda: worker.probe("readyz")[1].get("database_away") is True, 30, "it says why")
            outcome.expect(worker.probe("readyz")[0] == 503, "it says that it is ready")
            outcome.expect(worker.probe("livez")[0] == 200, "it is taken for stuck")
            time.sleep(arena.size(600, 0))
        began = now()
        server.start()
        if deed == "outage":
            until(worker.ready, 30, "the worker is ready again")
        resumed = arena.resumed(began)
        outcome.expect(resumed is not None, f"nothing was ingested after a {deed}")
        outcome.resume_seconds += [resumed] if resumed is not None else []
        outcome.runs += 1
        outcome.kills += deed == "kill"
        arena.say(f"{deed}: resumed after {resumed}")
    cut, rate = 0, max(20.0, len(rest) / max(4.0, cuts / 20))
    with arena.flowing(rest, rate):
        while cut < cuts:
            cut += arena.cut_connections(1)
            time.sleep(arena.dice.uniform(0, 0.1))
    outcome.runs += cut
    outcome.figures["connections cut"] = cut
    outcome.expect(worker.exit_code is None, f"the worker ended with {worker.exit_code}")
    arena.settle(outcome, course.ids, dead_letters=0)
    return outcome
