"""Numbered SQL migrations, applied and recorded in the database by yoyo, under its own lock."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import yoyo

from streams.store.tls import check_files

MIGRATIONS: Final = Path(__file__).parent / "migrations"


def pending(url: str) -> list[str]:
    """Return the ids of pending migrations, in order. Blocks."""
    with _Backend(url) as backend:
        return [migration.id for migration in backend.to_apply(_migrations())]


def apply(url: str) -> list[str]:
    """Apply the pending migrations, each in its own transaction; return their ids. Blocks.

    Safe to run concurrently: the other callers wait, and then have nothing to apply.
    """
    with _Backend(url) as backend, backend.lock():
        unapplied = backend.to_apply(_migrations())
        backend.apply_migrations(unapplied)
        return [migration.id for migration in unapplied]


def _migrations() -> Any:
    return yoyo.read_migrations(str(MIGRATIONS))


class _Backend:
    """Context manager for a yoyo backend that closes its connection at the end."""

    def __init__(self, url: str) -> None:
        check_files(url)
        parts = urlsplit(url)
        self._url = urlunsplit(parts._replace(scheme="postgresql+psycopg"))

    def __enter__(self) -> Any:
        self._opened: Any = yoyo.get_backend(self._url)
        return self._opened

    def __exit__(self, *_: object) -> None:
        self._opened.connection.close()
