"""Kafka restarted, killed with its log kept, and away for minutes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from streams.embedded.kafka import KafkaNode
from tests.faults.arena import Arena, now, shuffled
from tests.faults.results import Outcome
from tests.pipeline.stage import until


def take(arena: Arena) -> Outcome:
    """Make the broker unavailable in every way; one worker recovers without dead letters."""
    node = arena.node
    if node is None:
        raise RuntimeError("the broker named in the environment is not ours to restart")
    restarts, kills = arena.size(20, 0), arena.size(5, 1)
    deeds = shuffled(arena.dice, ["restart"] * restarts + ["kill"] * kills + ["outage"])
    course = arena.course(arena.size(10_000, 600))
    outcome = arena.outcome("Kafka away")
    worker = arena.worker()
    worker.start()
    for deed, portion in zip(deeds, course.portions(len(deeds)), strict=True):
        half = len(portion) // 2
        arena.stage.publish(portion[:half])
        time.sleep(arena.dice.uniform(0, 0.3))
        with _away(node, deed):
            if deed == "outage":
                until(lambda: worker.probe("readyz")[0] == 503, 30, "the worker is not ready")
                time.sleep(arena.size(120, 0))
        began = now()
        arena.stage.publish(portion[half:])
        resumed = arena.resumed(began)
        outcome.expect(resumed is not None, f"nothing was ingested after a {deed}")
        outcome.resume_seconds += [resumed] if resumed is not None else []
        outcome.runs += 1
        outcome.kills += deed == "kill"
        arena.say(f"{deed}: resumed after {resumed}")
    outcome.expect(worker.exit_code is None, f"the worker ended with {worker.exit_code}")
    arena.settle(outcome, course.ids, dead_letters=0)
    return outcome


@contextmanager
def _away(node: KafkaNode, deed: str) -> Iterator[None]:
    """Stop the broker during the block; start it again at its end, also after an error."""
    if deed == "kill":
        node.kill()
    else:
        node.stop()
    try:
        yield
    finally:
        node.start()
