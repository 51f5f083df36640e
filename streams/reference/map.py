"""Load the board's schematic map: the provinces of Belgium and the position of each office.

``map.toml`` holds the positions of the offices in this repository. Another office may state
``at = [x, y]`` on the same grid in its ``[[office]]`` entry of the directory. Without it, the
office is shown in the middle of the province that it covers.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from streams.domain.directory.load import DirectoryError
from streams.domain.directory.model import Directory

Point = tuple[int, int]
"""Distances to the right of and below the upper left corner, in units of the map's grid."""

_FILE: Final = Path(__file__).with_name("map.toml")


def load(directory: Directory) -> dict[str, Any]:
    """Return the map with the offices of a directory, in the form that the board's page reads.

    An office that covers no province and states no position is omitted. An office in ``map.toml``
    that the directory no longer lists is included, because it may still have cases.

    Raises:
        DirectoryError: an office's ``at`` is not a point on the map.
    """
    base = _base()
    middles = {row["id"]: middle(row["points"]) for row in base["province"]}
    positions: dict[str, Point] = {row["id"]: tuple(row["at"]) for row in base["office"]}
    for line in (*directory.coverage, *directory.fallback):
        if line.province in middles:
            positions.setdefault(line.office_id, middles[line.province])
    stated = {
        row["id"]: row["at"] for row in tomllib.loads(directory.body)["office"] if "at" in row
    }
    width, height = base["width"], base["height"]
    faults = [
        f"office {office}: at must be two whole numbers, at most {width} and {height}"
        for office, at in stated.items()
        if not _is_point(at, width, height)
    ]
    if faults:
        raise DirectoryError(faults)
    return {**base, "office": [{"id": name, "at": at} for name, at in (positions | stated).items()]}


def middle(corners: Sequence[Sequence[int]]) -> Point:
    """Return the centroid of a simple polygon, rounded to whole units."""
    area = x = y = 0.0
    for (x1, y1), (x2, y2) in zip(corners, [*corners[1:], corners[0]], strict=True):
        cross = x1 * y2 - x2 * y1
        area += cross
        x += (x1 + x2) * cross
        y += (y1 + y2) * cross
    return round(x / (3 * area)), round(y / (3 * area))


@lru_cache(maxsize=1)
def _base() -> Mapping[str, Any]:
    return tomllib.loads(_FILE.read_text())


def _is_point(at: Any, width: int, height: int) -> bool:
    if not isinstance(at, list) or [type(number) for number in at] != [int, int]:
        return False
    right, down = at
    return bool(0 <= right <= width and 0 <= down <= height)
