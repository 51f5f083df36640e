"""Whether the tables fit this version of the code.

Migrations only add for one version (decision 7), so a worker runs on tables that are newer, as in
a rolling upgrade. A migration that takes something away has ``.contract-`` in its name; a version
that does not know it is too old for these tables. Those that come last wait until no worker of the
previous version runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Final, LiteralString

import asyncpg

from streams.store.pool import Connection

APPLIED: Final[LiteralString] = "SELECT migration_id FROM _yoyo_migration"
MIGRATIONS: Final = Path(__file__).parent / "migrations"
_CONTRACTS: Final = ".contract-"


def known(directory: Path = MIGRATIONS) -> list[str]:
    """Return the ids of this version's migrations, in order."""
    files = directory.glob("*.sql")
    return sorted(file.stem for file in files if not file.stem.endswith(".rollback"))


def unknown(applied: Iterable[str], directory: Path = MIGRATIONS) -> list[str]:
    """Return the applied ids that this version does not know, in order."""
    return sorted(set(applied) - set(known(directory)))


def contracts(names: Sequence[str]) -> list[str]:
    """Return the contracts at the end of ``names``: nothing that follows relies on them."""
    return list(takewhile(lambda name: _CONTRACTS in name, reversed(names)))[::-1]


def too_new(unknown_ids: Iterable[str]) -> list[str]:
    """Return those that took away what this version may need."""
    return [name for name in unknown_ids if _CONTRACTS in name]


async def read_unknown(conn: Connection) -> list[str]:
    """Return the applied migrations that this version does not know; none without migrations."""
    try:
        return unknown(row["migration_id"] for row in await conn.fetch(APPLIED))
    except asyncpg.UndefinedTableError:
        return []
