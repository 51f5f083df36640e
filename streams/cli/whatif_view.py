"""Return the result of a what-if as the texts that the page of the studio shows."""

from __future__ import annotations

from typing import Any

from streams.cli import whatif_words as words
from streams.cli.whatif_plot import SERIES, month_plot
from streams.domain.explain.side_by_side import Side, side_by_side
from streams.domain.explain.wording import Wording
from streams.domain.whatif import Example, WhatIf
from streams.reference import Reference
from streams.services.web.typeset import shown


def view(result: WhatIf, language: str, ref: Reference) -> dict[str, Any]:
    """Return the answer, the figures and the examples in one language."""
    found: dict[str, Any] = _typeset(_view(result, ref.wording(language)), language)
    return found


def _view(result: WhatIf, wording: Wording) -> dict[str, Any]:
    tables = list(words.tables(result, wording)) if result.groups else []
    if tables and result.policy == result.policy_before:
        # The page opens the first table only; a draft of the offices moves cases between them.
        tables.insert(0, tables.pop(words.BY.index("office")))
    offices = words.office_table(result, wording)
    if offices.rows:
        tables.append(offices)
    return {
        "versions": words.versions(result, wording),
        "answer": words.answer(result, wording),
        "total": words.total(result, wording) if result.groups else None,
        "warning": words.unreadable(result, wording),
        "tables": [_table(table, wording) for table in tables],
        "months": _months(result, wording),
        "examples": [_example(example, wording) for example in result.examples],
        "limits": words.limits(wording),
    }


def _months(result: WhatIf, wording: Wording) -> dict[str, Any] | None:
    """Return the plot of the months as its shapes, and its figures; None without any."""
    found = month_plot(result, wording)
    if found is None:
        return None
    return {
        "title": found.texts.title,
        "described": found.texts.description,
        "keys": [[series, wording.word("whatif_column", series)] for series in SERIES],
        "height": found.plot.height,
        "shapes": [shape._asdict() for shape in found.plot.shapes],
        "figures": wording.sentence("whatif.months_table"),
        "table": _table(words.month_table(result, wording), wording),
    }


def _table(table: words.Table, wording: Wording) -> dict[str, Any]:
    def line(row: words.Row) -> dict[str, Any]:
        return {
            "name": row.name,
            "code": row.code if row.code != row.name else "",
            "cells": [
                wording.signed(figure) if place in table.signed else wording.number(figure)
                for place, figure in enumerate(row.figures)
            ],
        }

    total = words.Row(wording.word("whatif_column", "total"), "", table.total)
    return {
        "title": table.title,
        "columns": table.columns,
        "rows": [line(row) for row in table.rows],
        "total": line(total),
    }


def _example(example: Example, wording: Wording) -> dict[str, Any]:
    language = wording.language
    pairs = side_by_side(example.before[language], example.after[language])
    return {
        "case": wording.sentence("whatif.case", case=example.case_id),
        "at": wording.sentence("whatif.case_at", moment=wording.moment(example.at)),
        "differences": words.differences(example, wording),
        "pairs": [
            {"before": _side(pair.before), "after": _side(pair.after)}
            for pair in pairs
            if pair.differs
        ],
        "equal": [_side(pair.before) for pair in pairs if not pair.differs],
    }


def _side(side: Side | None) -> dict[str, Any] | None:
    if side is None:
        return None
    return {
        "heading": side.heading,
        "lines": [[line.depth, line.text, differs] for line, differs in side.lines],
    }


def _typeset(value: Any, language: str) -> Any:
    """Return data with each of its texts as a page shows it."""
    if isinstance(value, str):
        return shown(value, language)
    if isinstance(value, dict):
        return {key: _typeset(one, language) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_typeset(one, language) for one in value]
    return value
