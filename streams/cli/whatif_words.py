"""Say the result of a what-if in words: what was tried, the answer, and the figures as tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from typing import Final, NamedTuple

from streams.domain.explain.wording import Wording
from streams.domain.whatif import Change, Difference, Example, Group, Raised, WhatIf

LIMITS: Final = ("nothing_decided", "answers", "several")
BY: Final = ("rule", "office", "track")
"""The tables of proposals that differ."""
_MOST_SAID: Final = 6
"""Differences of one case that are said; the others are mostly its reminders."""


class Row(NamedTuple):
    """One row: its name, its code where that says more than the name, and its figures."""

    name: str
    code: str
    figures: Sequence[int]


class Table(NamedTuple):
    """One table of figures; ``signed`` names the columns that are changes."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Row]
    total: Sequence[int]
    signed: frozenset[int] = frozenset()


class Month(NamedTuple):
    """Proposals of all offices in one month."""

    month: date
    before: int
    after: int


class Office(NamedTuple):
    """Proposals of one office: made in the whole period, and open at its end."""

    office_id: str
    before: int
    after: int
    standing_before: int
    standing_after: int


def tried(result: WhatIf, wording: Wording) -> list[tuple[str, str]]:
    """Return what was tried, as pairs of a label and its text."""

    def draft(mine: str, before: str) -> str:
        return mine if mine != before else f"{mine} ({wording.sentence('whatif.same')})"

    since = result.since
    values = {
        "policy": draft(result.policy, result.policy_before),
        "policy_before": result.policy_before,
        "directory": draft(result.directory, result.directory_before),
        "directory_before": result.directory_before,
        "since": wording.moment(since) if since else wording.sentence("whatif.since_all"),
        "until": wording.moment(result.until),
        "cases": wording.number(result.cases),
        "events": wording.number(result.events),
        "unreadable": wording.number(result.unreadable),
    }
    return [(wording.word("whatif_tried", name), value) for name, value in values.items()]


def versions(result: WhatIf, wording: Wording) -> list[str]:
    """Return which draft was compared with what; a table that is the same is left out."""
    pairs = [
        (result.policy, result.policy_before),
        (result.directory, result.directory_before),
    ]
    changed = [pair for pair in pairs if pair[0] != pair[1]] or pairs[:1]
    return [
        wording.sentence("whatif.versions", after=after, before=before) for after, before in changed
    ]


def answer(result: WhatIf, wording: Wording) -> str:
    """Return in one sentence what the draft would have changed."""
    cases, all_cases = map(wording.number, (result.differing_cases, result.cases))
    counted = changes(result)
    if any(counted.values()) or result.differing_cases:
        parts = [
            wording.sentence(f"whatif_counted.{change}", count=wording.number(counted[change]))
            for change in Change
            if counted[change]
        ]
        if not parts:
            return wording.sentence("whatif.differs_uncounted", cases=cases, all=all_cases)
        said = wording.all_of(parts)
        return wording.sentence("whatif.differs", cases=cases, all=all_cases, changes=said)
    if any(counts.before != counts.after for counts in result.groups.values()):
        return wording.sentence("whatif.offices_only")
    if not result.cases:
        return wording.sentence("whatif.no_cases")
    return wording.sentence("whatif.none", cases=all_cases)


def total(result: WhatIf, wording: Wording) -> str:
    """Return in one sentence how many proposals there are under each."""
    before, after = _totals(result)
    if before == after:
        return wording.sentence("whatif.total_same", after=wording.number(after))
    return wording.sentence(
        "whatif.total",
        before=wording.number(before),
        after=wording.number(after),
        change=wording.signed(after - before),
    )


def unreadable(result: WhatIf, wording: Wording) -> str | None:
    """Return a warning about cases that were not replayed, if there are any."""
    if not result.unreadable:
        return None
    if result.unreadable == 1:
        return wording.sentence("whatif.unreadable_one")
    return wording.sentence("whatif.unreadable", cases=wording.number(result.unreadable))


def limits(wording: Wording) -> list[str]:
    """Return what the figures do not say."""
    return [wording.word("whatif_limit", name) for name in LIMITS]


def changes(result: WhatIf) -> Counter[Change]:
    """Return how many proposals differ, by kind of difference."""
    found = Counter[Change]()
    for counts in result.groups.values():
        found.update(counts.changes)
    return found


def tables(result: WhatIf, wording: Wording) -> Iterator[Table]:
    """Yield the proposals that differ by rule, by office and by track."""
    keys: dict[str, Callable[[Group], str]] = {
        "rule": lambda group: group.rule_id,
        "office": lambda group: group.office_id,
        "track": lambda group: group.track,
    }
    columns = [wording.word("whatif_column", name) for name in ("before", "after", "change")]
    columns += [wording.word("whatif_change", change) for change in Change]
    for by in BY:
        rows = _rows(result, keys[by])
        named = [Row(*name(by, code, wording), figures) for code, figures in sorted(rows.items())]
        whole = [sum(column) for column in zip(*rows.values(), strict=True)] or [0] * len(columns)
        yield Table(
            wording.word("whatif_by", by),
            [wording.word("whatif_column", by), *columns],
            sorted(named, key=_most_changed_first),
            whole,
            signed=frozenset({2}),
        )


def months(result: WhatIf) -> list[Month]:
    """Return the proposals of each month, of all offices; no month between is left out."""
    before, after = Counter[date](), Counter[date]()
    for load in result.loads:
        before[load.month] += load.before
        after[load.month] += load.after
    if not before:
        return []
    return [
        Month(month, before[month], after[month])
        for month in _every_month(min(before), max(before))
    ]


def offices(result: WhatIf) -> list[Office]:
    """Return the load of each office; the one whose load changes most is first."""
    before, after = Counter[str](), Counter[str]()
    for load in result.loads:
        before[load.office_id] += load.before
        after[load.office_id] += load.after
    found = [
        Office(one, before[one], after[one], *result.standing.get(one, (0, 0)))
        for one in before.keys() | result.standing.keys()
    ]
    return sorted(found, key=lambda one: (-abs(one.after - one.before), one.office_id))


def month_table(result: WhatIf, wording: Wording) -> Table:
    """Return the figures of the plot of months."""
    rows = [
        Row(wording.month(one.month), "", (one.before, one.after, one.after - one.before))
        for one in months(result)
    ]
    return _changing(wording.sentence("whatif.months"), ("month",), rows, wording)


def office_table(result: WhatIf, wording: Wording) -> Table:
    """Return the load of each office."""
    found = offices(result)
    rows = [
        Row(
            wording.office(one.office_id),
            "",
            (
                *(one.before, one.after, one.after - one.before),
                *(one.standing_before, one.standing_after),
            ),
        )
        for one in found
    ]
    more = ("standing_before", "standing_after")
    return _changing(wording.sentence("whatif.loads"), ("office",), rows, wording, more)


def load_table(result: WhatIf, wording: Wording) -> Table:
    """Return the loads that change, by office and month."""
    changed = [load for load in result.loads if load.before != load.after]
    rows = [
        Row(
            f"{wording.office(load.office_id)}, {wording.month(load.month)}",
            "",
            (load.before, load.after, load.after - load.before),
        )
        for load in sorted(changed, key=lambda load: (load.office_id, load.month))
    ]
    heads = ("office", "month")
    return _changing(wording.sentence("whatif.loads_months"), heads, rows, wording)


def differences(example: Example, wording: Wording) -> list[str]:
    """Return the first differences of one case, a sentence each, and how many more there are."""
    every = [(one, change) for one in example.differences for change in one.changes]
    said = [_difference(one, change, wording) for one, change in every[:_MOST_SAID]]
    rest = len(every) - len(said)
    if rest:
        name = "whatif.one_more" if rest == 1 else "whatif.more"
        said.append(wording.sentence(name, count=wording.number(rest)))
    return said


def name(by: str, code: str, wording: Wording) -> tuple[str, str]:
    """Return the name of a rule, an office or a track, and its code where people use it."""
    if by == "rule":
        return wording.rule(code) or code, code
    if by == "office":
        return wording.office(code), ""
    return (wording.word("track", code) if wording.has_word("track", code) else code), ""


def _rows(result: WhatIf, key: Callable[[Group], str]) -> dict[str, list[int]]:
    """Return the figures by code: before, after, change, and each kind of difference."""
    found: dict[str, list[int]] = {}
    for group, counts in result.groups.items():
        row = found.setdefault(key(group), [0] * (3 + len(Change)))
        figures = (counts.before, counts.after, counts.after - counts.before)
        for place, figure in enumerate((*figures, *(counts.changes.get(one, 0) for one in Change))):
            row[place] += figure
    return found


def _most_changed_first(row: Row) -> tuple[int, str, str]:
    return -sum(row.figures[3:]), row.name, row.code


def _changing(
    title: str,
    heads: Sequence[str],
    rows: Sequence[Row],
    wording: Wording,
    more: Sequence[str] = (),
) -> Table:
    """Return a table of figures before and after, and their change."""
    columns = [wording.word("whatif_column", one) for one in ("before", "after", "change", *more)]
    first = ", ".join(wording.word("whatif_column", head) for head in heads)
    whole = [sum(row.figures[place] for row in rows) for place in range(len(columns))]
    return Table(title, [first, *columns], rows, whole, signed=frozenset({2}))


def _totals(result: WhatIf) -> tuple[int, int]:
    groups = result.groups.values()
    return sum(one.before for one in groups), sum(one.after for one in groups)


def _every_month(first: date, last: date) -> Iterable[date]:
    for number in range(first.year * 12 + first.month - 1, last.year * 12 + last.month):
        yield date(number // 12, number % 12 + 1, 1)


def _difference(difference: Difference, change: Change, wording: Wording) -> str:
    before, after = difference.before, difference.after
    one = after or before
    one = next(side for side in (after, before) if side is not None)
    say, text = wording.sentence, _proposal(one, wording)
    sentence = f"whatif_example.{change}"
    if before is None or after is None:
        office, moment = wording.office(one.office_id), wording.moment(one.raised_at)
        return say(sentence, text=text, level=one.level, moment=moment, office=office)
    if change in (Change.HIGHER, Change.LOWER):
        return say(sentence, text=text, before=before.level, after=after.level)
    moments = {
        "before": wording.moment(before.raised_at),
        "after": wording.moment(after.raised_at),
    }
    return say(sentence, text=text, **moments)


def _proposal(one: Raised, wording: Wording) -> str:
    text = wording.rule(one.rule_id) or one.rule_id
    if one.round == 1:
        return text
    return wording.sentence("whatif.reminder", text=text, count=one.round - 1)
