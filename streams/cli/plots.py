"""Draw plots as SVG: percentages across, pixels down, so that text keeps its size on a phone.

Colours are classes, which the style of the page defines. A plot is a list of shapes: the report
writes them as HTML, and the page of the studio builds its elements from them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

_LEFT: Final = 13.0
"""Percent of the width for the labels of the scale."""
_MARK: Final = 11.5
_TOP: Final = 14
_LINES: Final = 190
"""Height of the upper part, in pixels; so the others."""
_GAP: Final = 44
_BARS: Final = 84
_LABELS: Final = 40
_FIGURE: Final = 16
"""Height of a figure above or below a bar."""
_MOST_LABELS: Final = 6
_MOST_MARKS: Final = 40
_MOST_FIGURES: Final = 12
_WIDEST_BAR: Final = 6.0


class Point(NamedTuple):
    """The two figures of one month, and the two lines of its label."""

    label: tuple[str, str]
    before: int
    after: int

    @property
    def change(self) -> int:
        """Return how many more there are after than before."""
        return self.after - self.before


class Texts(NamedTuple):
    """The texts of a plot, and how figures are written."""

    title: str
    description: str
    changes: str
    """Title of the lower part."""
    number: Callable[[int], str]
    signed: Callable[[int], str]


class Shape(NamedTuple):
    """One element of a plot: its name, its attributes and its text."""

    name: str
    attributes: Mapping[str, str]
    text: str = ""


class Plot(NamedTuple):
    """A plot: its height in pixels, and its shapes from back to front."""

    height: int
    shapes: Sequence[Shape]


def lines_with_changes(points: Sequence[Point], texts: Texts) -> Plot:
    """Return two lines over months, and a bar for each change below."""
    height = _TOP + _LINES + _GAP + _BARS + _LABELS
    shapes = (*_lines(points, texts), *_bars(points, texts), *_labels(points, height))
    return Plot(height, shapes)


def in_svg(plot: Plot, texts: Texts, name: str) -> str:
    """Return a plot as an element of a page. Its texts are HTML; ``name`` begins its ids."""
    return "\n".join(
        [
            f'<svg class="plot" width="100%" height="{plot.height}" role="img"'
            f' aria-labelledby="{name}-title" aria-describedby="{name}-desc">',
            f'<title id="{name}-title">{texts.title}</title>',
            f'<desc id="{name}-desc">{texts.description}</desc>',
            *map(_written, plot.shapes),
            "</svg>",
        ]
    )


def _written(shape: Shape) -> str:
    attributes = "".join(f' {name}="{value}"' for name, value in shape.attributes.items())
    if not shape.text:
        return f"<{shape.name}{attributes}/>"
    return f"<{shape.name}{attributes}>{shape.text}</{shape.name}>"


def bar_of_change(change: int, most: int) -> str:
    """Return a bar from the middle: to the right for more, to the left for less.

    It has no text: the figure stands in the same row.
    """
    share = 50 * abs(change) / most if most else 0.0
    start = 50.0 if change > 0 else 50 - share
    bar = (
        f'<rect class="{_kind(change)}" x="{start:.2f}%" y="2" width="{share:.2f}%" height="12"/>'
        if change
        else ""
    )
    zero = '<line class="zero" x1="50%" x2="50%" y1="0" y2="16"/>'
    return f'<svg class="bar" width="100%" height="16" aria-hidden="true">{bar}{zero}</svg>'


def ticks(most: int) -> list[int]:
    """Return at most five round figures from zero on, the last at least ``most``."""
    step = 1
    while most > 4 * step:
        step = _next(step)
    return list(range(0, max(most, 1) + step, step))


def _next(step: int) -> int:
    """Return the step after one of 1, 2, 5, 10, 20, 50 and so on."""
    return step * 5 // 2 if str(step).startswith("2") else step * 2


def _lines(points: Sequence[Point], texts: Texts) -> Iterator[Shape]:
    marks = ticks(max(max(one.before, one.after) for one in points))
    highest = marks[-1]

    def level(figure: int) -> str:
        return f"{_TOP + _LINES * (1 - figure / highest):.1f}"

    for mark in marks:
        y = level(mark)
        yield _across("grid" if mark else "zero", y)
        yield _mark(y, texts.number(mark))
    for series in ("before", "after"):
        figures = [getattr(one, series) for one in points]
        places = [(_middle(n, points), level(one)) for n, one in enumerate(figures)]
        for (x1, y1), (x2, y2) in pairwise(places):
            yield _shape("line", series, x1=x1, y1=y1, x2=x2, y2=y2)
        if len(points) <= _MOST_MARKS:
            for x, y in places:
                yield _shape("circle", series, cx=x, cy=y, r="3.5")


def _bars(points: Sequence[Point], texts: Texts) -> Iterator[Shape]:
    top = _TOP + _LINES + _GAP
    up = max(0, *(one.change for one in points))
    down = max(0, *(-one.change for one in points))
    unit = (_BARS - 2 * _FIGURE) / max(up + down, 1)
    zero = top + _FIGURE + up * unit
    width = min(0.6 * _band(points), _WIDEST_BAR)
    yield _shape("text", "part", texts.changes, x="0", y=str(top - 12))
    yield _across("zero", f"{zero:.1f}")
    shown = len(points) <= _MOST_FIGURES
    for mark in {0} if shown else sorted({0, up, -down}):
        yield _mark(f"{zero - mark * unit:.1f}", texts.signed(mark))
    for number, point in enumerate(points):
        if not point.change:
            continue
        size = abs(point.change) * unit
        start = _LEFT + _band(points) * (number + 0.5) - width / 2
        y = zero - size if point.change > 0 else zero
        yield _shape(
            "rect",
            _kind(point.change),
            x=f"{start:.2f}%",
            y=f"{y:.1f}",
            width=f"{width:.2f}%",
            height=f"{size:.1f}",
        )
        if shown:
            beyond = zero - size - 4 if point.change > 0 else zero + size + 12
            text = texts.signed(point.change)
            yield _shape("text", "figure", text, x=_middle(number, points), y=f"{beyond:.1f}")


def _labels(points: Sequence[Point], height: int) -> Iterator[Shape]:
    """Yield the labels of some months, at equal distances."""
    every = -(-len(points) // _MOST_LABELS)
    for number in range(0, len(points), every):
        x = _middle(number, points)
        for line, y in zip(points[number].label, (height - 20, height - 5), strict=True):
            yield _shape("text", "month", line, x=x, y=str(y))


def _shape(name: str, kind: str, text: str = "", /, **attributes: str) -> Shape:
    return Shape(name, {"class": kind, **attributes}, text)


def _across(kind: str, y: str) -> Shape:
    return _shape("line", kind, x1=f"{_LEFT}%", x2="100%", y1=y, y2=y)


def _mark(y: str, text: str) -> Shape:
    return _shape("text", "mark", text, x=f"{_MARK}%", y=y, dy="4")


def _kind(change: int) -> str:
    return "more" if change > 0 else "less"


def _band(points: Sequence[Point]) -> float:
    return (100 - _LEFT) / len(points)


def _middle(number: int, points: Sequence[Point]) -> str:
    return f"{_LEFT + _band(points) * (number + 0.5):.2f}%"
