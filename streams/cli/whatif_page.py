"""Write the result of a what-if as one page: it loads nothing and needs no script to be read."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final

from streams import reference
from streams.cli import whatif_words as words
from streams.cli.plots import bar_of_change, in_svg
from streams.cli.whatif_plot import SERIES, month_plot
from streams.domain.explain.side_by_side import Marked, Pair, Side, side_by_side
from streams.domain.explain.wording import Wording
from streams.domain.whatif import Example, WhatIf
from streams.reference import Reference
from streams.services.web.files import shared_style
from streams.services.web.typeset import in_html

_STYLE: Final = Path(__file__).with_name("whatif.css").read_text() + shared_style("plot.css")
_DIGEST: Final = b64encode(sha256(_STYLE.encode()).digest()).decode()
_ALLOWED: Final = f"default-src 'none'; style-src 'sha256-{_DIGEST}'"
"""A page that a browser lets load nothing and run nothing, whatever were written into it."""

_CHANGE: Final = 2
"""Place of the change among the figures of a row."""
_ROLES: Final = {
    name: f' role="{name}"'
    for name in ("table", "rowgroup", "row", "rowheader", "columnheader", "cell")
}
"""Roles that a table keeps where its rows are laid out as cards."""


def page(result: WhatIf, language: str, ref: Reference | None = None) -> str:
    """Return the page, complete with its style. Equal results give the same bytes.

    ``ref`` names the rules and offices: the tables in force with those of the draft. Without it
    those that are shipped do, and what they don't know is shown by its code.
    """
    return _Page(result, (ref or reference.load()).wording(language)).html()


class _Page:
    """The page in one language."""

    def __init__(self, result: WhatIf, wording: Wording) -> None:
        self._result = result
        self._wording = wording

    def html(self) -> str:
        title = self._say("whatif.title")
        parts = [
            "<!doctype html>",
            f'<html lang="{self._wording.language}">',
            '<head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_ALLOWED}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            '<meta name="robots" content="noindex">',
            f"<title>{title}</title>",
            f"<style>{_STYLE}</style></head>",
            f"<body><header><h1>{title}</h1>",
            *(f"<p>{self._text(one)}</p>" for one in words.versions(self._result, self._wording)),
            "</header><main>",
            *self._answer(),
            *self._tried(),
            *self._figures(),
            *self._months(),
            *self._offices(),
            *self._examples(),
            *self._limits(),
            "</main></body></html>",
            "",
        ]
        return "\n".join(parts)

    def _answer(self) -> Iterator[str]:
        yield '<div class="answer">'
        yield f"<p><strong>{self._text(words.answer(self._result, self._wording))}</strong></p>"
        if self._result.groups:
            yield f"<p>{self._text(words.total(self._result, self._wording))}</p>"
        warning = words.unreadable(self._result, self._wording)
        if warning is not None:
            yield f'<p class="warning"><span aria-hidden="true">⚠ </span>{self._text(warning)}</p>'
        yield "</div>"

    def _tried(self) -> Iterator[str]:
        yield f'<section><h2>{self._say("whatif.tried")}</h2><dl class="tried">'
        for label, value in words.tried(self._result, self._wording):
            yield f"<div><dt>{self._text(label)}</dt><dd>{self._text(value)}</dd></div>"
        yield "</dl></section>"

    def _figures(self) -> Iterator[str]:
        if not self._result.groups:
            return
        yield f"<section><h2>{self._say('whatif.figures')}</h2>"
        for table in words.tables(self._result, self._wording):
            yield from self._table(table, cards=True)
        yield "</section>"

    def _months(self) -> Iterator[str]:
        found = month_plot(self._result, self._wording, self._text)
        if found is None:
            return
        yield f"<section><h2>{found.texts.title}</h2>"
        yield '<ul class="keys">'
        for series in SERIES:
            label = self._text(self._wording.word("whatif_column", series))
            yield f"<li>{_key(series)}{label}</li>"
        yield "</ul>"
        yield in_svg(found.plot, found.texts, "months")
        table = words.month_table(self._result, self._wording)
        yield f"<details><summary>{self._say('whatif.months_table')}</summary>"
        yield from self._table(table, titled=False)
        yield "</details></section>"

    def _offices(self) -> Iterator[str]:
        table = words.office_table(self._result, self._wording)
        if not table.rows:
            return
        yield f"<section><h2>{self._text(table.title)}</h2>"
        most = max(abs(row.figures[_CHANGE]) for row in table.rows)
        yield from self._table(table, titled=False, cards=True, bars=most)
        months = words.load_table(self._result, self._wording)
        if months.rows:
            yield f"<details><summary>{self._text(months.title)}</summary>"
            yield from self._table(months, titled=False)
            yield "</details>"
        yield "</section>"

    def _table(
        self,
        table: words.Table,
        *,
        titled: bool = True,
        cards: bool = False,
        bars: int | None = None,
    ) -> Iterator[str]:
        """Yield a table; with ``cards`` each row is a card on a phone, with roles that last there.

        ``bars`` is the largest change, as which the bar of a change is drawn in full.
        """
        role = _ROLES if cards else dict.fromkeys(_ROLES, "")
        hidden = "" if titled else ' class="hidden"'
        heads = [self._text(column) for column in table.columns]

        def row(name: str, figures: Sequence[int], drawn: str) -> str:
            drawn = f'<td class="drawn"{role["cell"]}>{drawn}</td>' if bars is not None else ""
            cells = "".join(
                self._cell(figure, heads[place + 1], role["cell"], signed=place in table.signed)
                for place, figure in enumerate(figures)
            )
            head = f'<th scope="row"{role["rowheader"]}>{name}</th>'
            return f"<tr{role['row']}>{head}{cells}{drawn}</tr>"

        kind = ' class="cards"' if cards else ""
        yield f"<table{kind}{role['table']}>"
        yield f"<caption{hidden}>{self._text(table.title)}</caption>"
        cells = "".join(f'<th scope="col"{role["columnheader"]}>{head}</th>' for head in heads)
        cells += f"<td{role['cell']}></td>" if bars is not None else ""
        yield f"<thead{role['rowgroup']}><tr{role['row']}>{cells}</tr></thead>"
        yield f"<tbody{role['rowgroup']}>"
        for one in table.rows:
            code = f" <code>{self._text(one.code)}</code>" if one.code not in ("", one.name) else ""
            drawn = bar_of_change(one.figures[_CHANGE], bars or 0)
            yield row(f"{self._text(one.name)}{code}", one.figures, drawn)
        total = self._text(self._wording.word("whatif_column", "total"))
        yield f"</tbody><tfoot{role['rowgroup']}>{row(total, table.total, '')}</tfoot></table>"

    def _cell(self, figure: int, head: str, role: str, *, signed: bool) -> str:
        none = "" if figure else ' class="none"'
        shown = self._text(self._figure(figure, signed=signed))
        return f'<td{none}{role} data-head="{head}">{shown}</td>'

    def _figure(self, figure: int, *, signed: bool) -> str:
        return self._wording.signed(figure) if signed else self._wording.number(figure)

    def _examples(self) -> Iterator[str]:
        examples = self._result.examples
        if not examples:
            return
        heading = self._say("whatif.examples", count=self._wording.number(len(examples)))
        yield f'<section class="examples"><h2>{heading}</h2>'
        yield f"<p>{self._say('whatif.examples_chosen')}</p>"
        for number, example in enumerate(examples, 1):
            yield from self._example(number, example)
        yield "</section>"

    def _example(self, number: int, example: Example) -> Iterator[str]:
        language = self._wording.language
        yield f'<article aria-labelledby="case-{number}">'
        case = self._say("whatif.case", case=example.case_id)
        yield f'<h3 id="case-{number}">{number}. {case}</h3>'
        yield f"<p>{self._say('whatif.case_at', moment=self._wording.moment(example.at))}</p>"
        yield '<ul class="differences">'
        for line in words.differences(example, self._wording):
            yield f"<li>{self._text(line)}</li>"
        yield "</ul>"
        opened = " open" if number == 1 else ""
        yield f"<details{opened}><summary>{self._say('whatif.explanations')}</summary>"
        pairs = side_by_side(example.before[language], example.after[language])
        differing = [pair for pair in pairs if pair.differs]
        for pair in differing:
            yield from self._pair(pair)
        if not differing:
            yield f"<p>{self._say('whatif.equal_explanations')}</p>"
        yield from self._equal([pair.before for pair in pairs if not pair.differs])
        yield "</details></article>"

    def _pair(self, pair: Pair) -> Iterator[str]:
        yield '<div class="pair">'
        for name, side in (("before", pair.before), ("after", pair.after)):
            label = self._say(f"whatif.side_{name}")
            yield f'<div class="side {name}"><p class="which">{label}</p>'
            if side is None:
                yield f'<p class="missing">{self._say("whatif.side_missing")}</p>'
            else:
                yield f"<h4>{self._text(side.heading)}</h4>"
                yield self._lines(side.lines, name)
            yield "</div>"
        yield "</div>"

    def _equal(self, sides: Iterable[Side | None]) -> Iterator[str]:
        shown = [side for side in sides if side is not None]
        if not shown:
            return
        headings = self._wording.all_of(side.heading for side in shown)
        yield f"<details><summary>{self._say('whatif.equal_parts', headings=headings)}</summary>"
        for side in shown:
            yield f"<h4>{self._text(side.heading)}</h4>"
            yield self._lines(side.lines, None)
        yield "</details>"

    def _lines(self, lines: Sequence[Marked], side: str | None) -> str:
        """Return lines as lists within lists, by their depth; those of one side only are marked."""
        html, depths = "", list[int]()
        for line, differs in lines:
            while depths and depths[-1] > line.depth:
                html += "</li></ul>"
                depths.pop()
            if depths and depths[-1] == line.depth:
                html += "</li>"
            else:
                html += "<ul>"
                depths.append(line.depth)
            text = self._text(line.text)
            if differs and side is not None:
                note = self._say(f"whatif.only_{side}")
                sign = "−" if side == "before" else "+"
                mark = f'<span class="sign" aria-hidden="true">{sign}</span>'
                hidden = f'<span class="hidden">{note}: </span>'
                html += f'<li class="differs"><span class="line">{mark}{hidden}{text}</span>'
            else:
                html += f"<li>{text}"
        return html + "</li></ul>" * len(depths)

    def _limits(self) -> Iterator[str]:
        yield f'<section><h2>{self._say("whatif.limits")}</h2><ul class="limits">'
        for line in words.limits(self._wording):
            yield f"<li>{self._text(line)}</li>"
        yield "</ul></section>"

    def _say(self, name: str, **values: object) -> str:
        return self._text(self._wording.sentence(name, **values))

    def _text(self, text: str) -> str:
        return in_html(text, self._wording.language)


def _key(series: str) -> str:
    return (
        '<svg class="plot" width="34" height="12" aria-hidden="true">'
        f'<line class="{series}" x1="0" x2="34" y1="6" y2="6"/>'
        f'<circle class="{series}" cx="17" cy="6" r="3.5"/></svg>'
    )
