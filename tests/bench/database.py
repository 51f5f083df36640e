"""Fresh databases, all equal: migrated, durable, and with a frozen clock.

The cluster is created once and copied. Durability is PostgreSQL's default: fsync, full_page_writes
and synchronous_commit on. Two sizes are those of a small production server, for all contenders.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
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


class Databases:
    """Creates databases in ``home``."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._template = home / "template"

    @contextmanager
    def fresh(self, place: Path, *, frozen: bool = True, keep: bool = False) -> Iterator[Database]:
        """Start an empty database in ``place``; remove it afterwards unless ``keep``. Blocks.

        If ``frozen``, its clock stands still at the end of the history.
        """
        self._make_template()
        shutil.rmtree(place, ignore_errors=True)
        place.parent.mkdir(parents=True, exist_ok=True)
        # If we are root, the files belong to another account, which cp -a keeps.
        subprocess.run(["cp", "-a", "--reflink=auto", self._template, place], check=True)
        try:
            with started(place) as database:
                if not frozen:
                    with database.connect() as conn:
                        conn.execute("ALTER DATABASE postgres RESET search_path")
                yield database
        finally:
            if not keep:
                shutil.rmtree(place, ignore_errors=True)

    def _make_template(self) -> None:
        if self._template.exists():
            return
        unfinished = self._home / "template.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        with started(unfinished) as database:
            migrate.apply(database.url)
            stop_clock(database.url, END)
        unfinished.rename(self._template)


@contextmanager
def started(place: Path) -> Iterator[Database]:
    """Run the server with the data in ``place``."""
    with EmbeddedPostgres(place, SETTINGS) as server:
        yield Database(server)


def unpublished(conn: Connection) -> int:
    """Return the number of unpublished outbox entries."""
    return int(one(conn, "SELECT count(*) FROM outbox_pending"))


def one(conn: Connection, query: str, *values: object) -> Any:
    """Return the single value of a query."""
    row = conn.execute(query.encode(), values).fetchone()
    return None if row is None else row[0]
