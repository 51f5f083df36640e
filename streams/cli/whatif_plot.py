"""Draw the proposals of a what-if by month, with the words that stand for the plot."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from streams.cli import whatif_words as words
from streams.cli.plots import Plot, Point, Texts, lines_with_changes
from streams.domain.explain.wording import Wording
from streams.domain.whatif import WhatIf

SERIES = ("before", "after")


class MonthPlot(NamedTuple):
    """The plot and its texts."""

    plot: Plot
    texts: Texts


def month_plot(
    result: WhatIf, wording: Wording, written: Callable[[str], str] = str
) -> MonthPlot | None:
    """Return the plot of the months; None without any. ``written`` is how the page writes texts."""
    found = words.months(result)
    if not found:
        return None
    most = max(found, key=lambda one: (abs(one.after - one.before), -one.month.toordinal()))
    described = wording.sentence(
        "whatif.months_described",
        first=wording.month(found[0].month),
        last=wording.month(found[-1].month),
        before=wording.number(sum(one.before for one in found)),
        after=wording.number(sum(one.after for one in found)),
        month=wording.month(most.month),
        most_before=wording.number(most.before),
        most_after=wording.number(most.after),
    )
    texts = Texts(
        written(wording.sentence("whatif.months")),
        written(described),
        written(wording.sentence("whatif.months_change")),
        lambda figure: written(wording.number(figure)),
        lambda figure: written(wording.signed(figure)),
    )
    points = [
        Point(
            (
                written(wording.formats.short_month(one.month, wording.language)),
                str(one.month.year),
            ),
            one.before,
            one.after,
        )
        for one in found
    ]
    return MonthPlot(lines_with_changes(points, texts), texts)
