"""A commit of the worker that can be run: the checkout itself, or an earlier one beside it.

An earlier commit is unpacked into ``.run/bench-env/base`` and compiled as the checkout is. It has
its own migrations, so its contenders get databases of their own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tests.environments import ROOT
from tests.shipped import environment, shipped

_HOME: Final = ROOT / ".run" / "bench-env" / "base"
_MIGRATE: Final = "import sys; from streams.store import migrate; migrate.apply(sys.argv[1])"


class NoSuchCommit(Exception):
    """The commit can't be read; the message says what to do."""


@dataclass(frozen=True)
class Version:
    """One commit: its files, and the folder of its compiled packages."""

    commit: str
    """Short; with ``+`` if the files were changed since."""
    root: Path
    code: Path | None
    """None if only the interpreted form can be run."""

    def environment(self, *, compiled: bool = True) -> Mapping[str, str]:
        """Return the variables with which Python runs this version."""
        return environment(self.code if compiled and self.code else self.root, self.root)

    def migrate(self, url: str) -> None:
        """Apply this version's migrations with its own code. Blocks.

        Raises:
            subprocess.CalledProcessError: they failed.
        """
        subprocess.run(
            [sys.executable, "-c", _MIGRATE, url],
            cwd=self.root,
            env={**os.environ, **self.environment()},
            capture_output=True,
            check=True,
        )


def head() -> Version:
    """Return the checkout, compiled. Blocks for half a minute if its source changed.

    Raises:
        CanNotCompile: it can't be compiled.
    """
    return Version(describe(), ROOT, shipped())


def earlier(commit: str) -> Version:
    """Return an earlier commit, unpacked and compiled. Blocks for half a minute the first time.

    Raises:
        NoSuchCommit: the history does not hold it.
        CanNotCompile: it can't be compiled.
    """
    try:
        full = _git("rev-parse", "--verify", f"{commit}^{{commit}}")
    except (OSError, subprocess.CalledProcessError):
        raise NoSuchCommit(
            f"the history does not hold {commit}: fetch it, or name another commit with --base"
        ) from None
    place = _HOME / full[:12]
    if not place.exists():
        _unpack(full, place)
    return Version(full[:7], place, shipped(place))


def describe() -> str:
    """Return the short commit of the checkout, with ``+`` if the code that is measured differs.

    ``unknown`` where there is no history.
    """
    try:
        commit = _git("rev-parse", "--short=7", "HEAD")
        changed = _git("status", "--porcelain", "--", "streams", "schemas", "setup.py")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{commit}+" if changed else commit


def _unpack(commit: str, place: Path) -> None:
    """Write the files of a commit to a folder; it is complete or not there."""
    _HOME.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=_HOME) as scratch:
        files = Path(scratch) / "files"
        files.mkdir()
        archive = subprocess.run(
            ["git", "-C", ROOT, "archive", commit], check=True, capture_output=True
        ).stdout
        subprocess.run(["tar", "-x", "-C", files], input=archive, check=True)
        shutil.move(files, place)


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", ROOT, *arguments], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()
