"""The report on fairness in words, in four languages: tables, a reading, and its limits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from streams.domain.explain.wording import Wording
from streams.services.statistics import months
from streams.services.statistics.cells import DELIVERY, UNKNOWN
from streams.services.statistics.fairness import Comparison, Fairness, Row, days
from streams.services.statistics.intervals import Interval, Median

_KINDS: Final = {
    "language": "procedure_language",
    "channel": "channel",
    "track": "track",
    DELIVERY: "delivery",
}
"""Kind of the words for the rows of each table; offices have their names in the directory."""
_LIMITS: Final = ("zero", "cause", "traits", "absent", "misses", "recent", "once", "rounded")
_NOTHING: Final = "–"
"""A cell without a figure."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One table in words."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


def title(report: Fairness, wording: Wording) -> str:
    """Return the title, with the first and the last day of the period."""
    first, last = months.first_day(report.months[0]), months.last_day(report.months[-1])
    formats, language = wording.formats, wording.language
    return wording.sentence(
        "fairness.title", first=formats.day(first, language), last=formats.day(last, language)
    )


def tables(report: Fairness, wording: Wording) -> Iterator[Shown]:
    """Yield, for each table of the report, its counts and its shares with their differences."""
    for table in report.tables:
        by = wording.word("table", table.by)
        names = {row.name: row_name(table.by, row.name, wording) for row in table.rows}
        counted = list(table.rows[0].counts)
        timed = table.by != DELIVERY
        days_column = [wording.word("column", "days")] if timed else []
        yield Shown(
            wording.sentence("fairness.counts", by=by),
            [by, *(wording.word("counted", name) for name in counted), *days_column],
            [
                [
                    names[row.name],
                    *(str(row.counts[name]) for name in counted),
                    *([_waiting(row.waiting, wording)] if timed else []),
                ]
                for row in table.rows
            ],
        )
        yield Shown(
            wording.sentence("fairness.shares", by=by),
            [
                wording.word("column", name)
                for name in ("measure", "row", "share", "others", "difference")
            ],
            [
                [
                    wording.word("share", name),
                    names[row.name],
                    _percent(row.shares[name], wording),
                    _percent(row.others[name], wording),
                    _points(row.differences[name], wording),
                ]
                for name in table.shares
                for row in table.rows
                if row.shares[name] is not None
            ],
        )


def reading(report: Fairness, wording: Wording) -> Iterator[str]:
    """Yield the report in plain words: for each table and share, the largest difference."""
    for table in report.tables:
        yield wording.sentence("fairness.by", by=wording.word("table", table.by))
        for name in table.shares:
            yield _largest(table, name, wording)
        yield from _times(table, wording)


def limits(report: Fairness, wording: Wording) -> Iterator[str]:
    """Yield what the figures do not say."""
    for limit in _LIMITS:
        yield wording.sentence(f"fairness.limit_{limit}")
    yield wording.sentence("fairness.limit_many", count=report.compared)


def row_name(by: str, row: str, wording: Wording) -> str:
    """Return the name of a row."""
    if row == UNKNOWN:
        return wording.word("not_said", UNKNOWN)
    kind = _KINDS.get(by)
    if kind is None:
        return wording.office(row)
    return wording.word(kind, row) if wording.has_word(kind, row) else row


def _largest(table: Comparison, name: str, wording: Wording) -> str:
    """Return a sentence about the row that differs most from the others."""
    label = wording.word("share", name)
    measure = label[0].upper() + label[1:]
    found = [
        (abs(gap.value), row, mine, others, gap)
        for row in table.rows
        if (mine := row.shares[name]) is not None
        and (others := row.others[name]) is not None
        and (gap := row.differences[name]) is not None
    ]
    if not found:
        return wording.sentence("fairness.too_few", measure=measure)
    _, row, mine, others, gap = max(found, key=lambda one: one[0])
    sentence = wording.sentence(
        "fairness.largest",
        measure=measure,
        row=row_name(table.by, row.name, wording),
        share=wording.sentence("fairness.percent", value=_hundredths(mine.value)),
        others=wording.sentence("fairness.percent", value=_hundredths(others.value)),
        difference=_signed(gap.value),
        low=_signed(gap.low),
        high=_signed(gap.high),
    )
    kind = "fairness.not_apart" if gap.includes_zero else "fairness.apart"
    return f"{sentence} {wording.sentence(kind)}"


def _times(table: Comparison, wording: Wording) -> Iterator[str]:
    """Yield which rows had half of their answers within which time."""
    by_class: dict[int, list[Row]] = {}
    for row in table.rows:
        if row.waiting is not None:
            by_class.setdefault(row.waiting.at, []).append(row)
    for number, rows in sorted(by_class.items()):
        names = wording.all_of(row_name(table.by, row.name, wording) for row in rows)
        found = days(number)
        if found.less_than is not None:
            yield wording.sentence("fairness.half_within", days=found.less_than, rows=names)
        elif found.at_least is not None:
            yield wording.sentence("fairness.half_after", days=found.at_least, rows=names)
        else:
            yield wording.sentence("fairness.half_open", rows=names)


def _percent(found: Interval | None, wording: Wording) -> str:
    if found is None:
        return _NOTHING
    value, low, high = map(_hundredths, found)
    return wording.sentence("fairness.percent_between", value=value, low=low, high=high)


def _points(found: Interval | None, wording: Wording) -> str:
    if found is None:
        return _NOTHING
    value, low, high = map(_signed, found)
    return wording.sentence("fairness.points_between", value=value, low=low, high=high)


def _waiting(found: Median | None, wording: Wording) -> str:
    """Return the class of the median in days, with the limits of its interval."""
    if found is None:
        return _NOTHING
    low = days(found.low).at_least
    if low is None:
        return wording.sentence("fairness.days_never")
    beyond = days(found.high).less_than
    high = str(beyond) if beyond is not None else _class(found.high, wording)
    return wording.sentence(
        "fairness.days_between", value=_class(found.at, wording), low=low, high=high
    )


def _class(number: int, wording: Wording) -> str:
    found = days(number)
    if found.at_least is None:
        return wording.sentence("fairness.days_never")
    if found.less_than is None:
        return wording.sentence("fairness.days_more", days=found.at_least)
    return wording.sentence("fairness.days_range", start=found.at_least, end=found.less_than)


def _hundredths(value: float) -> int:
    return round(value * 100)


def _signed(value: float) -> str:
    """Return percentage points with their sign; the minus sign is U+2212."""
    points = _hundredths(value)
    return f"{points:+d}".replace("-", "−") if points else "0"
