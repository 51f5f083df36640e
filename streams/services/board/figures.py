"""The business figures: what is counted over all cases every half minute, and how it is shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from streams.reference.staffing import Staffing
from streams.services.board.suppression import Shown, Table, protect, suppress, withhold
from streams.store.board import Moved, Reached
from streams.store.statistics import Entered

DAYS: Final = 14
"""How far back the trend of escalations goes."""
HOURS: Final = 24
"""How far ahead deadlines are shown."""

CONCLUSIONS: Final = ("residence_prospect", "voluntary_return_accepted", "voluntary_return_refused")
"""What an interview may lead to; ``undecided`` leads to the next one."""
_STEPS: Final = ("ordered", "invited", "undecided", *CONCLUSIONS)


@dataclass(frozen=True, slots=True)
class Book:
    """One reading of all cases and of the ledger, as of one instant."""

    as_of: datetime
    today: date
    """The local day."""
    offices: Sequence[tuple[str, str, int]]
    """Office, track and number of cases."""
    reached: Sequence[Reached]
    ledger: Sequence[Entered]
    moved: Sequence[Moved]
    due_by_hour: Sequence[int]


@dataclass(frozen=True, slots=True)
class PublicFigures:
    """Says what a reading holds, as far as it may be shown."""

    offices: Sequence[str]
    """Offices and teams in the order of the page; one that is closed may still have cases."""
    levels: Sequence[int]
    """Levels that the policy knows."""
    staffing: Staffing
    ops: bool

    def to_public_json(self, book: Book) -> dict[str, Any]:
        """Return the figures as the page gets them."""
        by_office, steps = self._cases(book)
        return {
            "cases": by_office.total,
            "offices": [self._office(name, n, book) for name, n in by_office.cells.items()],
            "funnel": _funnel(steps),
            "escalations": self._escalations(book),
            "due": _row(protect(dict(enumerate(book.due_by_hour)), ops=self.ops)),
        }

    def _cases(self, book: Book) -> tuple[Table[str], Table[str]]:
        """Return cases by office and by step: two ways to split the same total."""
        found = Counter[str]()
        for office_id, _, cases in book.offices:
            found[office_id] += cases
        names = dict.fromkeys((*self.offices, *sorted(found)))
        came = Counter[str]()
        for step, conclusion, cases in book.reached:
            came[conclusion or step] += cases
        by_office = protect({name: found[name] for name in names}, ops=self.ops)
        steps = protect({step: came[step] for step in _STEPS}, ops=self.ops)
        if "kept" in (by_office.total, steps.total):
            return withhold(by_office), withhold(steps)
        return by_office, steps

    def _office(self, office_id: str, cases: Shown, book: Book) -> dict[str, Any]:
        teams = [team for team in self.staffing.teams if team.office_id == office_id]
        told: dict[str, Any] = {
            "id": office_id,
            "cases": cases,
            "capacity": sum(team.capacity for team in teams) or None,
        }
        if self.ops:
            told["tracks"] = [
                {"track": track, "cases": n, "capacity": self.staffing.capacity(office_id, track)}
                for where, track, n in book.offices
                if where == office_id
            ]
        return told

    def _escalations(self, book: Book) -> dict[str, Any]:
        standing = Counter[int]()
        for entry in book.ledger:
            if entry.open:
                standing[entry.level] += entry.escalations
        levels = sorted({*self.levels, *standing})
        by_level = protect({level: standing[level] for level in levels}, ops=self.ops)
        days = [book.today - timedelta(days=back) for back in range(DAYS - 1, -1, -1)]
        raised = _by(days, ((moved.day, moved.raised) for moved in book.moved))
        withdrawn = _by(days, ((moved.day, moved.withdrawn) for moved in book.moved))
        told = {
            "open": {"total": by_level.total, "levels": _levels(by_level)},
            "days": [day.isoformat() for day in days],
            **self._trend(raised, withdrawn, standing.total()),
        }
        if self.ops:
            told["moved"] = [
                {
                    "level": level,
                    "raised": sum(m.raised for m in book.moved if m.level == level),
                    "withdrawn": sum(m.withdrawn for m in book.moved if m.level == level),
                }
                for level in levels
            ]
        return told

    def _trend(
        self, raised: dict[date, int], withdrawn: dict[date, int], standing: int
    ) -> dict[str, Any]:
        """Return what was raised and withdrawn each day.

        While all that was ever raised is younger than the trend, raised less withdrawn is what
        stands: where one of the three is small, the other two would tell it.
        """
        tables = protect(raised, ops=self.ops), protect(withdrawn, ops=self.ops)
        sums = (sum(raised.values()), sum(withdrawn.values()), standing)
        if any(suppress(count, ops=self.ops) == "few" for count in sums):
            tables = withhold(tables[0]), withhold(tables[1])
        return {"raised": _row(tables[0]), "withdrawn": _row(tables[1])}


def _funnel(steps: Table[str]) -> dict[str, Shown]:
    """Return how many cases came at least so far, and what interviews concluded."""
    so_far = {
        name: steps.sum_of(_STEPS[at:])
        for at, name in enumerate(("orders", "appointments", "interviews", "outcomes"))
    }
    return so_far | {name: steps.cells[name] for name in CONCLUSIONS}


def _by(days: Sequence[date], counts: Iterable[tuple[date, int]]) -> dict[date, int]:
    found = dict.fromkeys(days, 0)
    for day, count in counts:
        if day in found:
            found[day] += count
    return found


def _row(table: Table[Any]) -> dict[str, Any]:
    return {"total": table.total, "cells": list(table.cells.values())}


def _levels(table: Table[int]) -> list[dict[str, Any]]:
    return [{"level": level, "cases": shown} for level, shown in table.cells.items()]
