"""The database goes away while the auditor reads it."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import closing
from typing import Any, cast

import psycopg
import pytest

from streams.audit.database import snapshot
from streams.audit.errors import DatabaseUnreadable

pytestmark = pytest.mark.server


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("read", [1, 5_000, 12_000])
def test_a_connection_that_is_cut_leaves_no_open_cursor(database_url: str, read: int) -> None:
    """Within a fetch, between two, and after the last; a cursor that stays open warns."""
    with pytest.raises(DatabaseUnreadable, match=r"terminating connection|closed the connection"):
        _read_and_cut(database_url, read)
    gc.collect()


def _read_and_cut(url: str, read: int) -> None:
    with (
        snapshot(url) as snap,
        closing(cast(Any, snap.rows("SELECT generate_series(1, 12000)"))) as rows,
    ):
        _take(rows, read)
        _cut(url)
        _take(rows, 1)


def _take(rows: Iterator[tuple[Any, ...]], number: int) -> None:
    for _ in range(number):
        next(rows, None)


def _cut(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
            " WHERE application_name = 'icam-audit' AND datname = current_database()"
        )
