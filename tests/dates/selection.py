"""A pytest plugin that keeps the tests whose verdict a clock could decide: ``-p`` names it.

These are the tests that use a database, whose server dates what is written, and the tests that
reach, by their imports, a module that reads the wall clock or the machine's zone. The rest of the
tests can't know the date. ``tests/schedules`` can't either: its clock and its database are
simulated, and a test of its own shows that a seed replays exactly.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
_SIMULATED: Final = ROOT / "tests" / "schedules"
_PACKAGES: Final = ("deploy", "schemas", "streams", "tests")
_NOW: Final = {"now", "utcnow", "today", "time_ns", "localtime", "ctime", "asctime", "tzset"}
_LOCAL: Final = {"astimezone": 0, "fromtimestamp": 1, "strftime": 1, "gmtime": 0}
"""Calls that take the machine's zone or its clock when given so few arguments."""
_SQL: Final = re.compile(r"\b(now\(\)|clock_timestamp\(\)|current_(date|time(stamp)?)\b)", re.I)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect what can't know the date."""
    kept = [item for item in items if _knows_date(item)]
    config.hook.pytest_deselected(items=[item for item in items if item not in set(kept)])
    items[:] = kept


def _knows_date(item: pytest.Item) -> bool:
    if item.path.is_relative_to(_SIMULATED):
        return False
    return "server_url" in getattr(item, "fixturenames", ()) or bool(clocks_reached(item.path))


@cache
def clocks_reached(path: Path) -> frozenset[Path]:
    """Return the files that a file imports, at any depth and itself included, and that read a
    wall clock.
    """
    found, waiting = {path}, [path]
    while waiting:
        new = set(imported(waiting.pop())) - found
        found |= new
        waiting += new
    return frozenset(file for file in found if reads_clock(file))


@cache
def imported(path: Path) -> tuple[Path, ...]:
    """Return the files of ours that a file imports, wherever in the file."""
    names = [
        name
        for node in ast.walk(_tree(path))
        for name in _names(node, path)
        if name.partition(".")[0] in _PACKAGES
    ]
    return tuple(file for name in names for file in _files(name))


@cache
def reads_clock(path: Path) -> bool:
    """Whether a file reads the wall clock or the machine's zone, in Python or in SQL."""
    return any(_reads(node) for node in ast.walk(_tree(path)))


def _reads(node: ast.AST) -> bool:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return _SQL.search(node.value) is not None
    if not isinstance(node, ast.Call | ast.Attribute):
        return False
    if isinstance(node, ast.Attribute):
        # Without a call too: it may be handed on.
        whole = ast.unparse(node)
        return whole == "time.time" or (
            node.attr in _NOW and whole.partition(".")[0] in ("datetime", "date", "time")
        )
    name = ast.unparse(node.func).rpartition(".")[2]
    return name in _LOCAL and len(node.args) + len(node.keywords) <= _LOCAL[name]


def _names(node: ast.AST, path: Path) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        above = path.relative_to(ROOT).parts[: -node.level] if node.level else ()
        base = [*above, *([node.module] if node.module else [])]
        yield from (".".join([*base, alias.name]) for alias in node.names)


def _files(name: str) -> Iterator[Path]:
    parts = name.split(".")
    for length in range(1, len(parts) + 1):
        base = ROOT.joinpath(*parts[:length])
        for file in (base.with_suffix(".py"), base / "__init__.py"):
            if file.exists():
                yield file


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))
