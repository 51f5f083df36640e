"""Numbered SQL migrations, applied by yoyo under its own lock and recorded in the database."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import yoyo

MIGRATIONS: Final = Path(__file__).parent / "migrations"


def pending(url: str) -> list[str]:
    """Return the ids of migrations not applied yet, in order. Blocks."""
    with _Backend(url) as backend:
        return [migration.id for migration in backend.to_apply(_migrations())]


def apply(url: str) -> list[str]:
    """Apply what is pending, each migration in a transaction of its own; return the ids. Blocks.

    Safe to run from several places at once: the others wait, then find nothing to do.
    """
    with _Backend(url) as backend, backend.lock():
        wanted = backend.to_apply(_migrations())
        backend.apply_migrations(wanted)
        return [migration.id for migration in wanted]


def _migrations() -> Any:
    return yoyo.read_migrations(str(MIGRATIONS))


class _Backend:
    """A yoyo backend that closes its connection."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._url = urlunsplit(parts._replace(scheme="postgresql+psycopg"))

    def __enter__(self) -> Any:
        self._opened: Any = yoyo.get_backend(self._url)
        return self._opened

    def __exit__(self, *_: object) -> None:
        self._opened.connection.close()
