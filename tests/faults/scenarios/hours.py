"""Deadlines on both days of a daylight saving change, by the database's clock."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from tests.faults.arena import Arena, now
from tests.faults.due import APPEAL_RULE, TERM_RULE, Sent, appeals, terms
from tests.faults.results import Outcome
from tests.faults.wrong_clock import WrongClock
from tests.pipeline.stage import until

_SPRING, _AUTUMN = (
    datetime(2026, 3, 29, 1, tzinfo=UTC),
    datetime(2026, 10, 25, 1, tzinfo=UTC),
)
"""The instants of the daylight saving changes in Belgium; an event may not lie ahead of Kafka's
clock."""
_AUTUMN_TERM: Final = datetime(2026, 10, 26, 23, tzinfo=UTC)
"""End of the appeal term of an order of 25 September: midnight of the Monday, in winter time."""
_SPRING_TERM: Final = datetime(2026, 3, 30, 22, tzinfo=UTC)
"""The same for an order of 27 February: midnight of the Monday, in summer time."""
_HOUR: Final = timedelta(hours=1)
_SHORTLY: Final = timedelta(seconds=6)
"""Before a change, once all events are in the log: the server starts again within it."""
_FIRED: Final = """
    SELECT extract(epoch FROM raised_at - due_at), due_at FROM escalation
    WHERE rule_id = %s AND case_id LIKE %s AND due_at >= %s
"""


def take(arena: Arena) -> Outcome:
    """Set the database's clock to each day, three or four times; the worker's clock is right.

    Circumstances end within the seconds around the change. Terms that include it end at local
    midnight: in autumn not an hour early, in spring not an hour late.
    """
    cases = arena.size(500, 20)
    outcome = arena.outcome("change of hour")
    clock = _Clock(arena)
    clock.set(_SPRING - _HOUR)
    arena.worker().start()
    ids: set[UUID] = set()

    def publish(facts: Iterable[Sent]) -> None:
        known = dict(facts)
        ids.update(known)
        arena.stage.publish(known.values())
        until(lambda: arena.stage.in_log() == len(ids), 60, "all of it is in the log")

    dice = arena.dice
    publish(terms(dice, "spring-term", cases, _SPRING_TERM - timedelta(days=31, hours=13)))
    around = _SPRING - timedelta(seconds=2)
    publish(appeals(dice, "spring", cases, clock.now(), around, 5))
    clock.set(_SPRING - _SHORTLY)
    clock.wait(_SPRING + timedelta(seconds=4))
    _judge(arena, outcome, APPEAL_RULE, "spring", cases, around)
    clock.set(_SPRING_TERM - timedelta(seconds=4))
    _judge(arena, outcome, TERM_RULE, "spring-term", 0, _SPRING_TERM)
    clock.wait(_SPRING_TERM + timedelta(seconds=4))
    _judge(arena, outcome, TERM_RULE, "spring-term", cases, _SPRING_TERM)
    clock.set(_AUTUMN - _HOUR)
    publish(terms(dice, "autumn-term", cases, _AUTUMN_TERM - timedelta(days=31, hours=15)))
    around = _AUTUMN - timedelta(seconds=2)
    publish(appeals(dice, "autumn", cases, clock.now(), around, 5))
    clock.set(_AUTUMN - _SHORTLY)
    clock.wait(_AUTUMN + timedelta(seconds=4))
    _judge(arena, outcome, APPEAL_RULE, "autumn", cases, around)
    clock.set(_AUTUMN_TERM - _HOUR - timedelta(seconds=2))
    clock.wait(_AUTUMN_TERM - _HOUR + timedelta(seconds=4))
    _judge(arena, outcome, TERM_RULE, "autumn-term", 0, _AUTUMN_TERM)
    clock.set(_AUTUMN_TERM - timedelta(seconds=2))
    clock.wait(_AUTUMN_TERM + timedelta(seconds=4))
    _judge(arena, outcome, TERM_RULE, "autumn-term", cases, _AUTUMN_TERM)
    arena.settle(outcome, ids, dead_letters=0)
    return outcome


class _Clock:
    """The database's clock: it is set while the server is down and runs on from there."""

    def __init__(self, arena: Arena) -> None:
        self._server = arena.stage.postgres
        self._wrong = WrongClock(arena.stage.directory)
        self._off = timedelta()

    def set(self, instant: datetime) -> None:
        self._off = instant - now()
        self._server.stop()
        self._server.environment = self._wrong.off(self._off)
        self._server.start()

    def now(self) -> datetime:
        return now() + self._off

    def wait(self, instant: datetime) -> None:
        time.sleep(max(0.0, (instant - self.now()).total_seconds()))


def _judge(
    arena: Arena, outcome: Outcome, rule: str, name: str, wanted: int, due: datetime
) -> None:
    """Expect that a rule fired within a minute in ``wanted`` cases, due within 5 s after ``due``;
    the rule of a term exactly at ``due``.
    """
    last = due + timedelta(seconds=5 * (rule == APPEAL_RULE))

    def fired() -> list[tuple[float, datetime]]:
        found = arena.stage.query(_FIRED, rule, f"case-{name}-0%", due)
        return [(float(late), at) for late, at in found]

    if wanted:
        until(lambda: len(fired()) >= wanted, 60, f"{name}: deadlines fire")
    found = fired()
    outcome.expect(len(found) == wanted, f"{name}: {len(found)} of {wanted} fired")
    outcome.expect(all(0 <= late < 60 for late, _ in found), f"{name}: one is early or late")
    outcome.expect(all(due <= at <= last for _, at in found), f"{name}: due at another instant")
    outcome.runs += wanted
    arena.say(f"{name}: {len(found)} fired that were due at {due}")
