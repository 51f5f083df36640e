"""The faults of a run, as data drawn from its seed: printed with a finding, and replayable."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from random import Random


class What(StrEnum):
    """A fault, or an action of an operator, at a moment of the run."""

    CRASH = "a worker is killed"
    STOP = "a worker gets SIGTERM"
    START = "a worker starts"
    FREEZE = "a worker is frozen"
    CUT_OFF = "a worker is frozen and the server ends its connections"
    DATABASE_AWAY = "the database restarts"
    BROKER_AWAY = "the broker acknowledges nothing"
    DAYS = "days pass"
    DISCARD = "an operator discards the open dead letters"


class Trouble(StrEnum):
    """The fault of one statement or commit."""

    REFUSED = "refused"
    LOST = "connection lost before it"
    LOST_AFTER = "connection lost after it"
    KILLED = "the worker is killed in it"


@dataclass(frozen=True, slots=True)
class Fault:
    """``who`` selects one of the running workers; ``size`` is in seconds, or in days."""

    at: float
    what: What
    who: int = 0
    size: float = 0.0

    def __str__(self) -> str:
        return f"{self.at:8.3f}  {self.what} (who {self.who}, size {self.size:g})"


@dataclass(frozen=True, slots=True)
class Schedule:
    """All parameters of one run."""

    seed: int
    workers: int
    partitions: int
    writers: int
    batch_max: int
    cases: int
    scattered: bool
    """Partitions are assigned singly, as by Faust: a case's topics are on several workers."""
    gap: float
    """Maximum seconds between two records of a burst."""
    refused_share: float
    """Share of messages that the broker never acknowledges."""
    faults: tuple[Fault, ...]
    statements: Mapping[int, Trouble]
    """Faults by statement number, counted over all workers."""
    commits: Mapping[int, Trouble]

    @classmethod
    def of(cls, seed: int) -> Schedule:
        """Draw the schedule of a seed."""
        dice = Random(f"schedule/{seed}")
        jumps = [4.0 * nth + dice.uniform(0, 3) for nth in range(dice.randint(5, 8))]
        faults = [Fault(at, What.DAYS, size=dice.randint(5, 30)) for at in jumps]
        for _ in range(dice.choice((0, 2, 4, 7))):
            # Most faults fall into the second with the most work.
            at = dice.choice(jumps) + dice.choice((0.4, 0.4, 2.0)) * dice.random()
            faults += _disturbance(dice, at)
        rough = dice.choice((0.0, 0.005, 0.02))
        return cls(
            seed=seed,
            workers=dice.choice((1, 2, 2, 3)),
            partitions=dice.choice((1, 2, 3, 4)),
            writers=dice.choice((1, 2, 2, 3)),
            batch_max=dice.choice((1, 3, 8, 20)),
            cases=dice.randint(3, 9),
            scattered=dice.random() < 0.5,
            gap=dice.choice((0.0, 0.001, 0.02, 0.2)),
            refused_share=dice.choice((0.0, 0.02, 0.1)),
            faults=tuple(sorted(faults, key=lambda fault: fault.at)),
            statements=dict(_troubles(dice, 3000, rough)),
            commits=dict(_troubles(dice, 400, 3 * rough)),
        )

    def lines(self) -> list[str]:
        """Return the schedule as text."""
        return [
            f"seed {self.seed}: {self.cases} cases, {self.workers} workers of {self.writers} "
            f"writers, {self.partitions} partitions{' dealt singly' * self.scattered}, "
            f"batches up to {self.batch_max}, at most {self.gap} s between records, "
            f"{self.refused_share:.0%} of messages refused",
            *map(str, self.faults),
            *(f"statement {number}: {trouble}" for number, trouble in self.statements.items()),
            *(f"commit {number}: {trouble}" for number, trouble in self.commits.items()),
        ]


def _disturbance(dice: Random, at: float) -> Iterator[Fault]:
    who = dice.randrange(6)
    what = dice.choice([what for what in What if what not in (What.DAYS, What.START)])
    match what:
        case What.CRASH | What.STOP:
            yield Fault(at, what, who)
            yield Fault(at + dice.uniform(0.1, 12), What.START)
        case What.FREEZE | What.CUT_OFF:
            yield Fault(at, what, who, round(dice.choice((1, 8, 20, 40)) * dice.uniform(0.5, 1), 3))
        case What.DATABASE_AWAY | What.BROKER_AWAY:
            yield Fault(at, what, who, round(dice.uniform(0.2, 6), 3))
        case _:
            yield Fault(at, what, who)


def _troubles(dice: Random, count: int, share: float) -> Iterator[tuple[int, Trouble]]:
    kinds = (Trouble.REFUSED, Trouble.LOST, Trouble.LOST_AFTER, Trouble.KILLED)
    for number in range(count):
        if dice.random() < share:
            yield number, dice.choices(kinds, (6, 3, 5, 1))[0]


class Weather:
    """Counts statements and commits, and returns the fault of each."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self._statements = 0
        self._commits = 0
        self.calm = False

    def statement(self) -> Trouble | None:
        """Return the fault of the next statement."""
        self._statements += 1
        return None if self.calm else self._schedule.statements.get(self._statements)

    def commit(self) -> Trouble | None:
        """Return the fault of the next commit."""
        self._commits += 1
        return None if self.calm else self._schedule.commits.get(self._commits)
