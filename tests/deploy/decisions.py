"""What the domain decides about generated histories.

``python -m tests.deploy.decisions --write FILE`` writes the histories.
``python -m tests.deploy.decisions FILE`` prints where each module of the domain comes from, then
one digest a history, so that two builds of the domain can be compared line by line. Each build
reads the same file: Hypothesis draws otherwise where it finds no source.
"""

from __future__ import annotations

import sys
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import orjson
from hypothesis import HealthCheck, settings
from hypothesis import given as forall

from schemas.codes import Guard
from schemas.events import EVENT_TYPES
from schemas.outcomes import body
from streams.domain.case import Fact
from streams.domain.decision import Announced
from streams.store.digest import digest
from tests.domain.given import applied, case, decide, letters
from tests.domain.histories import arrivals, instants

HISTORIES: Final = 200
_MODELS: Final = {model.__name__: model for model in EVENT_TYPES.values()}


def write(file: Path) -> None:
    """Write the histories, each with the two instants at which it is decided."""
    drawn: list[tuple[list[Any], datetime, datetime]] = []

    @settings(
        max_examples=HISTORIES,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @forall(arrivals(), instants(300), instants(300))
    def draw(told: tuple[list[Fact], list[Fact]], now: datetime, later: datetime) -> None:
        facts = [
            (
                fact.time,
                str(fact.event_id),
                type(fact.event).__name__,
                fact.event.to_json().decode(),
            )
            for fact in told[1]
        ]
        drawn.append((facts, now, later))

    draw()
    file.write_bytes(orjson.dumps(drawn))


def read(file: Path) -> list[tuple[list[Fact], datetime, datetime]]:
    """Return the histories that ``write`` wrote."""
    return [
        (
            [
                Fact(_instant(time), UUID(number), _MODELS[name].read_json(event))
                for time, number, name, event in facts
            ],
            _instant(now),
            _instant(later),
        )
        for facts, now, later in orjson.loads(file.read_bytes())
    ]


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def show(arrived: list[Fact], now: datetime, later: datetime) -> None:
    """Print the digest of one history: its case, what is decided at ``now``, and what then.

    And what is decided then while a dead letter is open, on a topic of circumstances or another.
    """
    first, at = decide(arrived, now), max(now, later)
    known = applied(Announced(), first)
    held = [letters(since=now), letters(guards=sorted(Guard)[::3], since=now)]
    said = sha256(digest(case(*arrived)))
    decisions = [decide(arrived, at, known._replace(open_dead_letters=one)) for one in held]
    for decision in (first, decide(arrived, at, known), *decisions):
        said.update(repr(decision).encode())
        for message in decision.messages:
            said.update(body(message.outcome))
    print(said.hexdigest())


if __name__ == "__main__":
    if sys.argv[1] == "--write":
        write(Path(sys.argv[2]))
    else:
        for name, module in sorted(sys.modules.items()):
            if name.startswith("streams.domain."):
                print(name, "compiled" if str(module.__file__).endswith(".so") else "source")
        for history in read(Path(sys.argv[1])):
            show(*history)
