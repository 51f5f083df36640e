"""Panels as Grafana reads them, in few words.

Every figure is asked for at this instant, so that what is gone shows as no data and never as its
last value. Only graphs look back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

DATASOURCE: Final = {"type": "prometheus", "uid": "prometheus"}

Limits = Sequence[tuple[float | None, str]]
"""From which value on which colour; the first begins below everything."""
PLAIN: Final[Limits] = ((None, "blue"),)
"""A count without good or bad."""
NONE_IS_WELL: Final[Limits] = ((None, "green"), (1, "red"))


def below(wary: float, wrong: float) -> Limits:
    """Good while it stays small."""
    return ((None, "green"), (wary, "orange"), (wrong, "red"))


def above(wrong: float, well: float) -> Limits:
    """Good from ``well`` on, wrong below ``wrong``."""
    return ((None, "red"), (wrong, "orange"), (well, "green"))


@dataclass(frozen=True, slots=True)
class Query:
    """An expression of PromQL, and what its result is called."""

    expr: str
    legend: str = ""


Asked = str | Sequence[Query]


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel; where it stands is the board's affair."""

    title: str
    description: str
    body: dict[str, Any]
    width: int | None
    """Of 24 columns; None for a fair share of what the others leave."""
    zero_is_good: bool
    """Whether a healthy system may show zeros only. If not, zeros mean that nothing is measured."""


def describe(good: str, otherwise: str) -> str:
    """Return a description: what a good value is, and what to do when it is not."""
    return f"Good: {good} Otherwise: {otherwise}"


def stat(
    title: str,
    description: str,
    asked: Asked,
    *,
    unit: str = "short",
    limits: Limits = PLAIN,
    decimals: int | None = None,
    words: dict[str, str] | None = None,
    board: str | None = None,
    width: int | None = None,
    zero_is_good: bool = False,
) -> Panel:
    """One or a few figures. ``words`` says a value in words; ``board`` is where a click leads."""
    many = not isinstance(asked, str)
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
        "targets": _targets(asked, now=True),
    }
    if board:
        body["links"] = [{"title": "More of it", "url": f"/d/icam-{board}"}]
    return Panel(title, description, body, width, zero_is_good)


def bars(
    title: str,
    description: str,
    asked: Sequence[Query],
    *,
    unit: str = "short",
    limits: Limits = PLAIN,
    decimals: int | None = None,
    most: float | None = None,
    width: int | None = None,
    zero_is_good: bool = False,
) -> Panel:
    """One bar for each result, side by side to compare; ``most`` is a full bar."""
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
        "targets": _targets(asked, now=True),
    }
    return Panel(title, description, body, width, zero_is_good)


def graph(
    title: str,
    description: str,
    asked: Sequence[Query],
    *,
    unit: str = "short",
    limits: Limits | None = None,
    each: str | None = None,
    width: int | None = None,
    zero_is_good: bool = False,
) -> Panel:
    """Lines over time, or with ``each`` a stacked bar for every such span. Limits are drawn."""
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
        "targets": _targets(asked, now=False),
    }
    return Panel(
        title, description, body | ({"interval": each} if each else {}), width, zero_is_good
    )


def states(
    title: str,
    description: str,
    asked: Sequence[Query],
    *,
    width: int | None = None,
    zero_is_good: bool = False,
) -> Panel:
    """What is so and what is not, over time: 1 is yes, and bad."""
    body = {
        "type": "state-timeline",
        "fieldConfig": _field("short", NONE_IS_WELL, None, {"0": "no", "1": "yes"}),
        "options": {"showValue": "never", "rowHeight": 0.8},
        "targets": _targets(asked, now=False),
    }
    return Panel(title, description, body, width, zero_is_good)


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table: a query whose results have the table's keys as labels."""

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
    """A line for each combination of the keys, a column for each query."""
    targets = _targets([Query(column.expr) for column in columns], now=True)
    for target in targets:
        target["format"] = "table"
    named = {f"Value #{t['refId']}": c.name for t, c in zip(targets, columns, strict=True)}
    if len(columns) == 1:
        named = {"Value": columns[0].name}
    shown = {"include": {"names": [*keys, *named]}}
    body = {
        "type": "table",
        "fieldConfig": {"defaults": {}, "overrides": [_column(column) for column in columns]},
        "options": {"cellHeight": "sm"},
        "targets": targets,
        "transformations": [
            {"id": "merge", "options": {}},
            {"id": "filterFieldsByName", "options": shown},
            {"id": "organize", "options": {"renameByName": named}},
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
    said = {value: {"text": word} for value, word in words.items()}
    return [{"type": "value", "options": said}]


def _targets(asked: Asked, *, now: bool) -> list[dict[str, Any]]:
    queries = [Query(asked)] if isinstance(asked, str) else asked
    targets = []
    for ref, query in zip("ABCDEFGHIJ", queries, strict=False):
        target: dict[str, Any] = {"refId": ref, "expr": query.expr}
        if query.legend:
            target["legendFormat"] = query.legend
        targets.append(target | ({"instant": True, "range": False} if now else {}))
    return targets
