"""Tens of thousands of invalid records among valid ones."""

from __future__ import annotations

from typing import Final

from schemas.codec import Outgoing
from tests.bench.processes import peak_rss_kib, rss_kib
from tests.faults.arena import Arena, now
from tests.faults.results import Outcome

_BOUND_MIB: Final = 400


def take(arena: Arena) -> Outcome:
    """Publish many invalid records with valid ones between; memory stays bounded."""
    invalid = arena.size(50_000, 2_000)
    course = arena.course(arena.size(10_000, 500))
    outcome = arena.outcome("invalid records in bulk")
    worker = arena.worker()
    worker.start()
    before = rss_kib(worker.pid) / 1024
    begun = now()
    arena.stage.publish(_mixed(arena, course.records, invalid))
    outcome.runs = invalid
    arena.settle(outcome, course.ids, dead_letters=invalid, patience=900)
    peak = peak_rss_kib(worker.pid) / 1024
    outcome.figures["memory before, MiB"] = before
    outcome.figures["most memory, MiB"] = peak
    outcome.expect(peak < _BOUND_MIB, f"{peak:.0f} MiB, bound {_BOUND_MIB}")
    last = arena.stage.query("SELECT max(recorded_at) FROM dead_letter")[0][0]
    outcome.figures["invalid records a second"] = invalid / (last - begun).total_seconds()
    return outcome


def _mixed(arena: Arena, valid: list[Outgoing], invalid: int) -> list[Outgoing]:
    """Return the valid records in their order, with the invalid ones spread between them."""
    slots = sorted(arena.dice.randrange(len(valid) + 1) for _ in range(invalid))
    found: list[Outgoing] = []
    taken = 0
    for number, slot in enumerate(slots):
        found += valid[taken:slot]
        taken = slot
        model = arena.dice.choice(valid)
        size = arena.dice.choice((0, 20, 2_000))
        spoilt = arena.dice.randbytes(size) + b"{" + model.value[: arena.dice.randint(0, 60)]
        found.append(Outgoing(model.topic, f"invalid-{number:06d}".encode(), spoilt, model.headers))
    return found + valid[taken:]
