"""The code that an event runs through, and the day on which it changed last.

Figures say nothing about code that is much newer. The day is recorded in ``docs/hot-path.json``
with a digest of the code, so that every copy of the files gives the same verdict, with or without a
history. The digest leaves out comments, docstrings and empty lines: they cost nothing.
"""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict

from tests.environments import ROOT

RECORD: Final = ROOT / "docs" / "hot-path.json"
_BEGINS: Final = (
    "streams/intake/intake.py",
    "streams/worker/fetching.py",
    "streams/worker/lanes.py",
    "streams/worker/relay.py",
    "streams/worker/transport.py",
)
"""Where a record comes in, and where a message goes out."""
_WITHIN: Final = (
    *("schemas", "streams.casework", "streams.domain", "streams.intake", "streams.store"),
    "streams.worker",
)


class HotPath(BaseModel):
    """A state of the code, and when it was reached."""

    model_config = ConfigDict(extra="forbid")

    digest: str
    changed: date


def files(root: Path = ROOT) -> list[Path]:
    """Return the modules that are imported where an event passes, directly or not, in order."""
    found: set[Path] = set()
    waiting = [root / name for name in _BEGINS]
    while waiting:
        file = waiting.pop()
        if file in found:
            continue
        found.add(file)
        waiting += _imported(root, file)
    return sorted(found)


def digest(root: Path = ROOT) -> str:
    """Return a digest of their code, without comments and docstrings."""
    whole = sha256()
    for file in files(root):
        whole.update(f"{file.relative_to(root).as_posix()}\n{code(file.read_text())}\n".encode())
    return whole.hexdigest()


def code(source: str) -> str:
    """Return the lines of source that are neither empty, comments nor docstrings.

    By lines, because every version of Python writes a syntax tree in another way.
    """
    tree = ast.parse(source)
    texts: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            for one in filter(_is_text, node.body):
                texts.update(range(one.lineno, (one.end_lineno or one.lineno) + 1))
    return "\n".join(
        line.rstrip()
        for number, line in enumerate(source.splitlines(), 1)
        if number not in texts and line.strip() and not line.lstrip().startswith("#")
    )


def recorded() -> HotPath:
    """Return what is recorded."""
    return HotPath.model_validate_json(RECORD.read_bytes())


def record() -> bool:
    """Record the code as it is now, if it is other code; return whether it was.

    The day is that of the last commit to one of the files, or today if they differ from it.
    """
    found = digest()
    if RECORD.exists() and recorded().digest == found:
        return False
    RECORD.write_text(HotPath(digest=found, changed=_day()).model_dump_json(indent=2) + "\n")
    return True


def _day() -> date:
    names = [file.relative_to(ROOT).as_posix() for file in files()]
    try:
        changed = _git("status", "--porcelain", "--", *names)
        day = _git("log", "-1", "--format=%cs", "--", *names)
    except (OSError, subprocess.CalledProcessError):
        changed = day = ""
    return date.fromisoformat(day) if day and not changed else datetime.now(UTC).date()


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", ROOT, *arguments], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def _is_text(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _imported(root: Path, file: Path) -> Iterator[Path]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            if any(name == one or name.startswith(f"{one}.") for one in _WITHIN):
                path = root / Path(*name.split("."))
                yield from (
                    one for one in (path.with_suffix(".py"), path / "__init__.py") if one.is_file()
                )
