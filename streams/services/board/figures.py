"""Business figures: counts over all cases, read every half minute, and their public form."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from streams.domain.staffing import Staffing
from streams.services.board.steps import Shown, Steps, Table
from streams.store.board import Moved, Reached
from streams.store.statistics import Entered
from streams.store.worklist import Due

DAYS: Final = 14
"""Length of the trend of escalations, in days."""
HOURS: Final = 24
"""Number of hours for which upcoming deadlines are shown."""

CONCLUSIONS: Final = ("residence_prospect", "voluntary_return_accepted", "voluntary_return_refused")
"""Conclusions of an interview that end the counselling; ``undecided`` leads to a next interview."""
ATTENTION_RUNBOOK: Final = "IcamCaseForgotten"
"""Alert and runbook of open cases that get no attention."""
WHEN_DUE: Final = ("late", "today", "week", "later")
_HOUR_SECONDS: Final = 3600
_STEPS: Final = ("ordered", "invited", "undecided", *CONCLUSIONS)


@dataclass(frozen=True, slots=True)
class Book:
    """One reading of all cases and of the escalation ledger, as of one instant."""

    as_of: datetime
    today: date
    """The Belgian calendar day."""
    offices: Sequence[tuple[str, str, int]]
    """Tuples of office, track and number of cases."""
    reached: Sequence[Reached]
    ledger: Sequence[Entered]
    moved: Sequence[Moved]
    due_by_hour: Sequence[int]
    work: Sequence[Due]
    """Standing proposals by office and due date; their total is that of the ledger."""
    forgotten: int
    """Number of cases that break the promise that every open case gets attention."""


@dataclass(frozen=True, slots=True)
class PublicFigures:
    """Convert a reading to the figures of the page, in steps unless ``ops`` is true."""

    offices: Sequence[str]
    """Offices and teams in the order of the page. A closed office may still have cases."""
    levels: Sequence[int]
    """Escalation levels of the policy."""
    staffing: Staffing
    steps: Steps

    @property
    def ops(self) -> bool:
        """Whether counts are exact."""
        return self.steps.exact

    def to_public_json(self, book: Book) -> dict[str, Any]:
        """Return the figures for the page."""
        by_office, steps = self._cases(book)
        by_level, work = self._standing(book)
        return {
            "attention": self._attention(book),
            "cases": by_office.total,
            "offices": [self._office(name, n, book) for name, n in by_office.cells.items()],
            "funnel": _funnel(steps),
            "escalations": self._escalations(book, by_level),
            "work": self._work(work),
            "due": _row(self.steps.table("due", self._hours(book))),
        }

    def _cases(self, book: Book) -> tuple[Table[str], Table[str]]:
        """Return cases by office and by furthest step."""
        of_office = Counter[str]()
        for office_id, _, cases in book.offices:
            of_office[office_id] += cases
        names = dict.fromkeys((*self.offices, *sorted(of_office)))
        at_step = Counter[str]()
        for step, conclusion, cases in book.reached:
            at_step[conclusion or step] += cases
        return (
            self.steps.table("offices", {name: of_office[name] for name in names}, self.offices),
            self.steps.table("funnel", {step: at_step[step] for step in _STEPS}),
        )

    def _hours(self, book: Book) -> dict[int, int]:
        """Return cases by the hour in which they fall due, so that an hour keeps its offset."""
        first = int(book.as_of.timestamp() // _HOUR_SECONDS)
        return {first + hour: cases for hour, cases in enumerate(book.due_by_hour)}

    def _office(self, office_id: str, cases: Shown, book: Book) -> dict[str, Any]:
        today = book.today
        teams = [line.track for line in self.staffing.on(today) if line.office_id == office_id]
        capacities = [self.staffing.capacity(office_id, track, today) or 0 for track in teams]
        figures: dict[str, Any] = {
            "id": office_id,
            "cases": cases,
            "capacity": sum(capacities) or None,
        }
        if self.ops:
            figures["tracks"] = [
                {
                    "track": track,
                    "cases": n,
                    "capacity": self.staffing.capacity(office_id, track, today),
                }
                for case_office, track, n in book.offices
                if case_office == office_id
            ]
        return figures

    def _attention(self, book: Book) -> dict[str, Any]:
        """Return the promise that every open case gets attention, in the form of a signal."""
        return {
            "name": "attention",
            "value": self.steps.count("forgotten", book.forgotten),
            "state": "act" if book.forgotten else "well",
            "runbook": ATTENTION_RUNBOOK,
        }

    def _standing(self, book: Book) -> tuple[Table[int], Table[tuple[str, str]]]:
        """Return standing proposals by level, and by office and due date."""
        standing = Counter[int]()
        for entry in book.ledger:
            if entry.open:
                standing[entry.level] += entry.escalations
        levels = sorted({*self.levels, *standing})
        of_office = {due.office_id: due for due in book.work}
        names = dict.fromkeys((*self.offices, *sorted(of_office)))
        counts = {
            (name, when): getattr(of_office[name], when) if name in of_office else 0
            for name in names
            for when in WHEN_DUE
        }
        return (
            self.steps.table("levels", {level: standing[level] for level in levels}, self.levels),
            self.steps.table("work", counts),
        )

    def _work(self, work: Table[tuple[str, str]]) -> list[dict[str, Any]]:
        """Return, by office, how many proposals are late or fall due; offices without any too.

        A closed office is left out while 0 is shown for it.
        """
        rows: list[dict[str, Any]] = [
            {"id": name, **{when: work.cells[name, when] for when in WHEN_DUE}}
            for name in dict.fromkeys(name for name, _ in work.cells)
        ]
        return [row for row in rows if row["id"] in self.offices or any(map(row.get, WHEN_DUE))]

    def _escalations(self, book: Book, by_level: Table[int]) -> dict[str, Any]:
        levels = list(by_level.cells)
        days = [book.today - timedelta(days=back) for back in range(DAYS - 1, -1, -1)]
        raised = _by_day(days, ((moved.day, moved.raised) for moved in book.moved))
        withdrawn = _by_day(days, ((moved.day, moved.withdrawn) for moved in book.moved))
        figures: dict[str, Any] = {
            "open": {"total": by_level.total, "levels": _levels(by_level)},
            "days": [day.isoformat() for day in days],
            "raised": _row(self.steps.table("raised", raised)),
            "withdrawn": _row(self.steps.table("withdrawn", withdrawn)),
        }
        if self.ops:
            figures["moved"] = [
                {
                    "level": level,
                    "raised": sum(m.raised for m in book.moved if m.level == level),
                    "withdrawn": sum(m.withdrawn for m in book.moved if m.level == level),
                }
                for level in levels
            ]
        return figures


def _funnel(steps: Table[str]) -> dict[str, int]:
    """Return the number of cases that reached each step, and the conclusions of interviews."""
    reached = {
        name: steps.sum_of(_STEPS[first:])
        for first, name in enumerate(("orders", "appointments", "interviews", "outcomes"))
    }
    return reached | {name: steps.cells[name] for name in CONCLUSIONS}


def _by_day(days: Sequence[date], counts: Iterable[tuple[date, int]]) -> dict[date, int]:
    sums = dict.fromkeys(days, 0)
    for day, count in counts:
        if day in sums:
            sums[day] += count
    return sums


def _row(table: Table[Any]) -> dict[str, Any]:
    return {"total": table.total, "cells": list(table.cells.values())}


def _levels(table: Table[int]) -> list[dict[str, Any]]:
    return [{"level": level, "cases": shown} for level, shown in table.cells.items()]
