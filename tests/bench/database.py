"""Fresh databases, all equal: migrated, durable, and with a frozen clock.

The cluster is created once and copied. Durability is PostgreSQL's default: fsync, full_page_writes
and synchronous_commit on. Two sizes are those of a small production server, for all contenders.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg

from streams.embedded.postgres import EmbeddedPostgres
from streams.store import migrate
from tests.bench.history import END
from tests.stopped_clock import stop_clock

SETTINGS: Final = {"shared_buffers": "1GB", "max_wal_size": "4GB"}

Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True)
class Database:
    """One running server with our tables."""

    server: EmbeddedPostgres

    @property
    def url(self) -> str:
        """Return its URL."""
        return self.server.url

    @property
    def pid(self) -> int:
        """Return the process id of the postmaster."""
        lock = self.server.directory / "data" / "postmaster.pid"
        return int(lock.read_text().split("\n", 1)[0])

    def connect(self) -> Connection:
        """Open a connection for the benchmark itself."""
        return psycopg.connect(self.url, autocommit=True, application_name="bench")


@dataclass(frozen=True)
class Tables:
    """The tables of an empty database, and how to make them."""

    name: str
    make: Callable[[str], object]
    """Makes them in the database of a URL. Blocks."""


OURS: Final = Tables("head", migrate.apply)


def written(file: Path) -> Tables:
    """Return the tables that a file of SQL makes."""

    def make(url: str) -> None:
        with psycopg.connect(url, autocommit=True) as conn:
            conn.execute(file.read_bytes())

    return Tables(file.stem, make)


class Databases:
    """Creates databases in ``home``."""

    def __init__(self, home: Path) -> None:
        self._home = home

    @contextmanager
    def fresh(
        self, place: Path, *, tables: Tables = OURS, frozen: bool = True, keep: bool = False
    ) -> Iterator[Database]:
        """Start an empty database in ``place``; remove it afterwards unless ``keep``. Blocks.

        If ``frozen``, its clock stands still at the end of the history.
        """
        template = self._template(tables)
        shutil.rmtree(place, ignore_errors=True)
        place.parent.mkdir(parents=True, exist_ok=True)
        # If we are root, the files belong to another account, which cp -a keeps.
        subprocess.run(["cp", "-a", "--reflink=auto", template, place], check=True)
        try:
            with started(place) as database:
                if not frozen:
                    with database.connect() as conn:
                        conn.execute("ALTER DATABASE postgres RESET search_path")
                yield database
        finally:
            if not keep:
                shutil.rmtree(place, ignore_errors=True)

    def _template(self, tables: Tables) -> Path:
        template = self._home / f"template-{tables.name}"
        if template.exists():
            return template
        unfinished = template.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        with started(unfinished) as database:
            tables.make(database.url)
            stop_clock(database.url, END)
        return unfinished.rename(template)


@contextmanager
def started(place: Path) -> Iterator[Database]:
    """Run the server with the data in ``place``."""
    with EmbeddedPostgres(place, SETTINGS, debian=True) as server:
        yield Database(server)


def unpublished(conn: Connection) -> int:
    """Return the number of unpublished outbox entries."""
    return int(one(conn, "SELECT count(*) FROM outbox_pending"))


def one(conn: Connection, query: str, *values: object) -> Any:
    """Return the single value of a query."""
    row = conn.execute(query.encode(), values).fetchone()
    return None if row is None else row[0]
