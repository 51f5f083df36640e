"""Write the result of a what-if as lines of text, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.cells import cell_len

from streams import reference
from streams.cli import whatif_words as words
from streams.domain.explain.side_by_side import Side, side_by_side
from streams.domain.explain.wording import Wording
from streams.domain.whatif import Example, WhatIf
from streams.reference import Reference

_NONE = "–"


def text(result: WhatIf, language: str, ref: Reference | None = None) -> Iterator[str]:
    """Yield the report line by line: the answer, what was tried, tables, and the examples.

    ``ref`` names the rules and offices, as in the page. Of the explanations only the lines that
    differ are shown. Texts are as stored: whoever prints them escapes what acts on a terminal.
    """
    wording = (ref or reference.load()).wording(language)
    yield wording.sentence("whatif.title")
    yield from words.versions(result, wording)
    yield ""
    yield words.answer(result, wording)
    if result.groups:
        yield words.total(result, wording)
    warning = words.unreadable(result, wording)
    if warning is not None:
        yield warning
    yield from _heading(wording.sentence("whatif.tried"))
    yield from _columns([(f"{label}:", value) for label, value in words.tried(result, wording)])
    if result.groups:
        for table in words.tables(result, wording):
            yield from _table(table, wording)
    for table in (words.month_table(result, wording), words.office_table(result, wording)):
        if table.rows:
            yield from _table(table, wording)
    yield from _examples(result, wording)
    yield from _heading(wording.sentence("whatif.limits"))
    for line in words.limits(wording):
        yield f"  - {line}"


def _heading(heading: str) -> Iterator[str]:
    yield ""
    yield heading


def _table(table: words.Table, wording: Wording) -> Iterator[str]:
    """Yield a table; a rule is named by its id, as in the file of the policy."""
    yield from _heading(table.title)
    total = wording.word("whatif_column", "total")
    rows = [(row.code or row.name, row.figures) for row in table.rows] + [(total, table.total)]
    yield from _columns(
        [
            tuple(table.columns),
            *(
                (
                    name,
                    *(
                        _figure(figure, wording, signed=place in table.signed)
                        for place, figure in enumerate(figures)
                    ),
                )
                for name, figures in rows
            ),
        ]
    )


def _figure(figure: int, wording: Wording, *, signed: bool) -> str:
    if not figure:
        return _NONE
    return wording.signed(figure) if signed else wording.number(figure)


def _columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield rows with their columns aligned: the first to the left, figures to the right."""
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    first, *others = widths
    for name, *cells in rows:
        line = f"  {_padding(name, first, left=True)}"
        if len(cells) == 1:
            yield f"{line}  {cells[0]}"
        else:
            shown = zip(cells, others, strict=True)
            yield line + "".join(f"  {_padding(cell, width)}" for cell, width in shown)


def _padding(cell: str, width: int, *, left: bool = False) -> str:
    spaces = " " * (width - cell_len(cell))
    return cell + spaces if left else spaces + cell


def _examples(result: WhatIf, wording: Wording) -> Iterator[str]:
    if not result.examples:
        return
    count = wording.number(len(result.examples))
    yield from _heading(wording.sentence("whatif.examples", count=count))
    yield wording.sentence("whatif.examples_chosen")
    for example in result.examples:
        yield from _example(example, wording)


def _example(example: Example, wording: Wording) -> Iterator[str]:
    yield ""
    yield wording.sentence("whatif.case", case=example.case_id)
    yield f"  {wording.sentence('whatif.case_at', moment=wording.moment(example.at))}"
    for line in words.differences(example, wording):
        yield f"  * {line}"
    language = wording.language
    for pair in side_by_side(example.before[language], example.after[language]):
        if pair.differs:
            yield from _side(pair.before, "-")
            yield from _side(pair.after, "+")


def _side(side: Side | None, sign: str) -> Iterator[str]:
    if side is None:
        return
    lines = [line for line, differs in side.lines if differs]
    if lines:
        yield f"  {sign} {side.heading}"
    for line in lines:
        yield f"  {sign} {'  ' * (line.depth + 1)}{line.text}"
