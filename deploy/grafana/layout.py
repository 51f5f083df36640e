"""Lay out a board in rows of panels, and write it as JSON for Grafana's provisioning."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from deploy.grafana.panels import DATASOURCE, Panel

_COLUMNS: Final = 24
_LINE: Final = 100
_SCHEMA_VERSION: Final = 42  # Grafana migrates older versions when it loads them


@dataclass(frozen=True, slots=True)
class BoardRow:
    """Panels in one row, with their common height in Grafana's grid units (30 pixels and a gap)."""

    height: int
    panels: Sequence[Panel]

    def placements(self) -> Iterator[tuple[int, int, Panel]]:
        """Yield column, width and panel. Raises ValueError if the panels do not fill the row."""
        flexible = [panel for panel in self.panels if panel.width is None]
        remaining = _COLUMNS - sum(panel.width or 0 for panel in self.panels)
        if remaining % len(flexible) if flexible else remaining:
            titles = [panel.title for panel in self.panels]
            raise ValueError(f"{remaining} columns are left in the row of {titles}")
        x = 0
        for panel in self.panels:
            width = panel.width or remaining // len(flexible)
            yield x, width, panel
            x += width


@dataclass(frozen=True, slots=True)
class Board:
    """One board. Its file is ``name``.json, its Grafana uid ``icam-name``."""

    name: str
    title: str
    description: str
    rows: Sequence[BoardRow]
    since: str = "now-6h"


def text(board: Board) -> str:
    """Return the board as JSON; a value that fits on one line is written on one line."""
    return _text(_document(board), 0) + "\n"


def _document(board: Board) -> dict[str, Any]:
    return {
        "uid": f"icam-{board.name}",
        "title": board.title,
        "description": board.description,
        "tags": ["icam"],
        "schemaVersion": _SCHEMA_VERSION,
        "editable": False,
        "timezone": "Europe/Brussels",
        "refresh": "30s",
        "time": {"from": board.since, "to": "now"},
        "links": [{"type": "dashboards", "title": "Boards", "tags": ["icam"], "asDropdown": False}],
        "panels": list(_panels(board)),
    }


def _panels(board: Board) -> Iterator[dict[str, Any]]:
    y, number = 0, 0
    for row in board.rows:
        for x, width, panel in row.placements():
            number += 1
            yield {
                "id": number,
                "title": panel.title,
                "description": panel.description,
                "datasource": DATASOURCE,
                "gridPos": {"x": x, "y": y, "w": width, "h": row.height},
                **panel.body,
            }
        y += row.height


def _text(value: Any, depth: int) -> str:
    flat = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list) or len(flat) + 2 * depth < _LINE:
        return flat
    inner = "  " * (depth + 1)
    if isinstance(value, dict):
        items = [f"{inner}{json.dumps(k)}: {_text(v, depth + 1)}" for k, v in value.items()]
        return "{\n" + ",\n".join(items) + "\n" + "  " * depth + "}"
    return (
        "[\n" + ",\n".join(inner + _text(v, depth + 1) for v in value) + "\n" + "  " * depth + "]"
    )
