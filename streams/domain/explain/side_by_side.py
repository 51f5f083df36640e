"""Put two explanations of one case side by side, and mark the lines that differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import NamedTuple

from streams.domain.explain.decision_text import Document, Line, Section


class Marked(NamedTuple):
    """One line, and whether the other explanation lacks it."""

    line: Line
    differs: bool


class Side(NamedTuple):
    """One section as one of the two explanations has it."""

    heading: str
    lines: Sequence[Marked]


class Pair(NamedTuple):
    """One section in both explanations; None where one of them lacks it."""

    before: Side | None
    after: Side | None

    @property
    def differs(self) -> bool:
        """Return whether the two are not the same."""
        return self.before != self.after


def side_by_side(before: Document, after: Document) -> list[Pair]:
    """Return the sections of two explanations in pairs, in the order of both."""
    return [_pair(*sections) for sections in _matched(before.sections, after.sections)]


def _matched(
    before: Sequence[Section], after: Sequence[Section]
) -> Iterator[tuple[Section | None, Section | None]]:
    """Yield sections of one heading together, and those without a partner in their order."""
    matcher = SequenceMatcher(
        None, [one.heading for one in before], [one.heading for one in after], autojunk=False
    )
    for _, start, end, other_start, other_end in matcher.get_opcodes():
        yield from zip_longest(before[start:end], after[other_start:other_end])


def _pair(before: Section | None, after: Section | None) -> Pair:
    if before is None or after is None:
        return Pair(_whole(before), _whole(after))
    same, same_after = set[int](), set[int]()
    for block in SequenceMatcher(
        None, before.lines, after.lines, autojunk=False
    ).get_matching_blocks():
        same |= set(range(block.a, block.a + block.size))
        same_after |= set(range(block.b, block.b + block.size))
    return Pair(_side(before, same), _side(after, same_after))


def _whole(section: Section | None) -> Side | None:
    return None if section is None else _side(section, frozenset())


def _side(section: Section, same: set[int] | frozenset[int]) -> Side:
    lines = [Marked(line, number not in same) for number, line in enumerate(section.lines)]
    return Side(section.heading, lines)
