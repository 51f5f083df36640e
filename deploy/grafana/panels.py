"""Build panels in Grafana's JSON format.

Every figure is an instant query, so a missing series shows as no data instead of its last value.
Only graphs use range queries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

DATASOURCE: Final = {"type": "prometheus", "uid": "prometheus"}

Limits = Sequence[tuple[float | None, str]]
"""Pairs of a lower bound and the colour from that bound on; the first bound is None."""
PLAIN: Final[Limits] = ((None, "blue"),)
"""Limits of a count that is neither good nor bad."""
NONE_IS_WELL: Final[Limits] = ((None, "green"), (1, "red"))


def below(warning: float, bad: float) -> Limits:
    """Return limits of a figure that is good while it is small."""
    return ((None, "green"), (warning, "orange"), (bad, "red"))


def above(warning: float, good: float) -> Limits:
    """Return limits of a figure that is good from ``good`` on and bad below ``warning``."""
    return ((None, "red"), (warning, "orange"), (good, "green"))


@dataclass(frozen=True, slots=True)
class Query:
    """A PromQL expression and the legend of its result."""

    expr: str
    legend: str = ""


Queries = str | Sequence[Query]


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel; the board decides its position."""

    title: str
    description: str
    body: dict[str, Any]
    width: int | None
    """Width in columns, of 24; None for an equal share of the remaining columns."""
    zero_is_good: bool
    """Whether a healthy system may show zeros only. If not, zeros mean that nothing is measured."""


def describe(good: str, otherwise: str) -> str:
    """Return a description: what a good value is, and what to do otherwise."""
    return f"Good: {good} Otherwise: {otherwise}"


def stat(
    title: str,
    description: str,
    queries: Queries,
    *,
    unit: str = "short",
    limits: Limits = PLAIN,
    decimals: int | None = None,
    words: dict[str, str] | None = None,
    board: str | None = None,
    width: int | None = None,
    zero_is_good: bool = False,
) -> Panel:
    """Return a panel of one or a few figures.

    ``words`` maps values to texts; ``board`` is the board that a click opens.
    """
    many = not isinstance(queries, str)
    options = {
        "colorMode": "background",
        "graphMode": "none",
        "textMode": "value_and_name" if many else "value",
        "orientation": "vertical",
        "reduceOptions": {"calcs": ["lastNotNull"]},
    }
    body = {
        "type": "stat",
        "fieldConfig": _field(unit, limits, decimals, words),
        "options": options,
        "targets": _targets(queries, now=True),
    }
    if board:
        body["links"] = [{"title": "Details", "url": f"/d/icam-{board}"}]
    return Panel(title, description, body, width, zero_is_good)


def bars(
    title: str,
    description: str,
    queries: Sequence[Query],
    *,
    unit: str = "short",
    limits: Limits = PLAIN,
    decimals: int | None = None,
    most: float | None = None,
    width: int | None = None,
    zero_is_good: bool = False,
) -> Panel:
    """Return a panel with one bar per result; ``most`` is the value of a full bar."""
    field = _field(unit, limits, decimals, None)
    field["defaults"] |= {"min": 0} | ({"max": most} if most else {})
    options = {
        "orientation": "horizontal",
        "displayMode": "basic",
        "reduceOptions": {"calcs": ["lastNotNull"]},
    }
    body = {
        "type": "bargauge",
        "fieldConfig": field,
        "options": options,
        "targets": _targets(queries, now=True),
    }
    return Panel(title, description, body, width, zero_is_good)


def graph(
    title: str,
    description: str,
    queries: Sequence[Query],
    *,
    unit: str = "short",
    limits: Limits | None = None,
    each: str | None = None,
    width: int | None = None,
    zero_is_good: bool = False,
) -> Panel:
    """Return lines over time, or with ``each`` stacked bars per such span. Limits are dashed."""
    custom: dict[str, Any] = {"fillOpacity": 10, "showPoints": "never"}
    if each:
        custom = {"drawStyle": "bars", "fillOpacity": 80, "stacking": {"mode": "normal"}}
    if limits:
        custom["thresholdsStyle"] = {"mode": "dashed"}
    field = _field(unit, limits or PLAIN, None, None)
    field["defaults"] |= {"min": 0, "color": {"mode": "palette-classic"}, "custom": custom}
    body = {
        "type": "timeseries",
        "fieldConfig": field,
        "options": {"legend": {"placement": "bottom"}, "tooltip": {"mode": "multi"}},
        "targets": _targets(queries, now=False),
    }
    return Panel(
        title, description, body | ({"interval": each} if each else {}), width, zero_is_good
    )


def states(
    title: str,
    description: str,
    queries: Sequence[Query],
    *,
    width: int | None = None,
    zero_is_good: bool = False,
) -> Panel:
    """Return a timeline of states; 1 is yes and bad, 0 is no and good."""
    body = {
        "type": "state-timeline",
        "fieldConfig": _field("short", NONE_IS_WELL, None, {"0": "no", "1": "yes"}),
        "options": {"showValue": "never", "rowHeight": 0.8},
        "targets": _targets(queries, now=False),
    }
    return Panel(title, description, body, width, zero_is_good)


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table: a query whose results are labelled with the keys of the table."""

    name: str
    expr: str
    unit: str = "short"
    limits: Limits | None = None
    words: dict[str, str] | None = None


def table(
    title: str,
    description: str,
    keys: Sequence[str],
    columns: Sequence[Column],
    *,
    width: int | None = None,
    zero_is_good: bool = False,
) -> Panel:
    """Return a table with one row per combination of keys and one column per query."""
    targets = _targets([Query(column.expr) for column in columns], now=True)
    for target in targets:
        target["format"] = "table"
    names = {f"Value #{t['refId']}": c.name for t, c in zip(targets, columns, strict=True)}
    if len(columns) == 1:
        names = {"Value": columns[0].name}
    shown = {"include": {"names": [*keys, *names]}}
    body = {
        "type": "table",
        "fieldConfig": {"defaults": {}, "overrides": [_column(column) for column in columns]},
        "options": {"cellHeight": "sm"},
        "targets": targets,
        "transformations": [
            {"id": "merge", "options": {}},
            {"id": "filterFieldsByName", "options": shown},
            {"id": "organize", "options": {"renameByName": names}},
        ],
    }
    return Panel(title, description, body, width, zero_is_good)


def _column(column: Column) -> dict[str, Any]:
    properties: list[dict[str, Any]] = [{"id": "unit", "value": column.unit}]
    if column.limits:
        properties += [
            {"id": "thresholds", "value": _thresholds(column.limits)},
            {"id": "custom.cellOptions", "value": {"type": "color-background", "mode": "basic"}},
        ]
    if column.words:
        properties.append({"id": "mappings", "value": _mappings(column.words)})
    return {"matcher": {"id": "byName", "options": column.name}, "properties": properties}


def _field(
    unit: str, limits: Limits, decimals: int | None, words: dict[str, str] | None
) -> dict[str, Any]:
    defaults: dict[str, Any] = {
        "unit": unit,
        "color": {"mode": "thresholds"},
        "thresholds": _thresholds(limits),
    }
    if decimals is not None:
        defaults["decimals"] = decimals
    if words:
        defaults["mappings"] = _mappings(words)
    return {"defaults": defaults, "overrides": []}


def _thresholds(limits: Limits) -> dict[str, Any]:
    return {"mode": "absolute", "steps": [{"value": at, "color": colour} for at, colour in limits]}


def _mappings(words: dict[str, str]) -> list[dict[str, Any]]:
    texts = {value: {"text": word} for value, word in words.items()}
    return [{"type": "value", "options": texts}]


def _targets(queries: Queries, *, now: bool) -> list[dict[str, Any]]:
    listed = [Query(queries)] if isinstance(queries, str) else queries
    targets = []
    for ref, query in zip("ABCDEFGHIJ", listed, strict=False):
        target: dict[str, Any] = {"refId": ref, "expr": query.expr}
        if query.legend:
            target["legendFormat"] = query.legend
        targets.append(target | ({"instant": True, "range": False} if now else {}))
    return targets
