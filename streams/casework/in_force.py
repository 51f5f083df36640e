"""The reference data in force: read from the database, and again when something was published.

A unit of work asks for it after the last lock. So no case is decided by tables that had been
replaced before, whichever worker decides it and however long it has been running.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, Protocol

from schemas.producers import Producers
from streams.domain.clocks import Calendar
from streams.domain.directory.load import DirectoryError, load_directory
from streams.domain.policy.load import PolicyError, load_policy
from streams.reference import Reference
from streams.runtime.settings import Settings
from streams.store import publications
from streams.store.pool import Connection
from streams.store.publication_errors import NotPublished, VersionUnreadable
from streams.store.publications import Published


class ReferenceSource(Protocol):
    """Where a unit of work gets the tables by which it decides."""

    @property
    def producers(self) -> Producers:
        """The table of producers; it is not published."""

    @property
    def calendar(self) -> Calendar:
        """The calendar; it is not published."""

    async def current(self, conn: Connection, number: int | None = None) -> Reference:
        """Return the tables in force for what ``conn`` sees.

        ``number`` is how many rows it sees of what was published, if that is known.
        """


class InForce:
    """The tables that were published; those of the given reference data until some are.

    ``named`` are the digests of the tables that the process was told to use. If other ones are
    published, it must not decide anything.
    """

    def __init__(
        self,
        given: Reference,
        named: Sequence[str] = (),
        on_read: Callable[[Reference], None] = lambda _: None,
    ) -> None:
        """``on_read`` is called with the tables that were read because something was published."""
        self._on_read: Final = on_read
        self._given: Final = given
        self._named: Final = tuple(named)
        self._current = given

    @property
    def producers(self) -> Producers:
        """The table of producers; it is not published."""
        return self._given.producers

    @property
    def calendar(self) -> Calendar:
        """The calendar; it is not published."""
        return self._given.calendar

    async def current(self, conn: Connection, number: int | None = None) -> Reference:
        """Return the tables in force. Reads one number at most, unless something was published.

        Raises:
            NotPublished: a table that the process was told to use is not published.
            VersionUnreadable: a published version was written for other software.
        """
        if number is None:
            number = await publications.count(conn)
        if number != self._current.publication:
            self._current = await self._read(conn, number)
        return self._current

    async def as_of(self, conn: Connection, at: datetime) -> Reference:
        """Return the tables that counted at an earlier instant.

        Raises:
            VersionUnreadable: a published version was written for other software.
        """
        versions, moved = await publications.in_force(conn, at)
        return published_reference(self._given, versions, await publications.count(conn), moved)

    async def _read(self, conn: Connection, number: int) -> Reference:
        versions, moved = await publications.in_force(conn)
        found = published_reference(self._given, versions, number, moved)
        for digest in self._named:
            if digest not in found.version_digests:
                raise NotPublished(
                    f"this process was told to use a table ({digest[:12]}) that is not published: "
                    "run icam policy publish, or unset ICAM_POLICY_FILE and ICAM_DIRECTORY_FILE"
                )
        self._on_read(found)
        return found


def in_force_source(
    given: Reference,
    settings: Settings,
    on_read: Callable[[Reference], None] = lambda _: None,
) -> InForce:
    """Return the source of the tables in force, for a process with these settings."""
    named = [given.policy.digest] if settings.policy_file is not None else []
    named += [given.directory.digest] if settings.directory_file is not None else []
    return InForce(given, named, on_read)


def published_reference(
    given: Reference, versions: Sequence[Published], number: int, moved: bool
) -> Reference:
    """Return reference data with the published versions; the rest comes from ``given``.

    Raises:
        VersionUnreadable: a published version was written for other software.
    """
    try:
        policies = [load_policy(one.body) for one in versions if one.kind == publications.POLICY]
        directories = [
            load_directory(one.body) for one in versions if one.kind == publications.DIRECTORY
        ]
    except (PolicyError, DirectoryError) as error:
        raise VersionUnreadable(
            f"what was published can't be read by this version of the software: install the one "
            f"that it was published with ({error})"
        ) from error
    return Reference.of(
        policies or given.tables.policies.versions,
        directories or given.tables.directories.versions,
        given.calendar,
        given.producers,
        publication=number,
        moved=moved,
    )
