"""The result of a contender, in a comparable form."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from tests.bench.database import Connection, one

Row = tuple[Any, ...]


@dataclass(frozen=True)
class Work:
    """Number of distinct events, all projections, and all standing escalations."""

    events: int
    projections: frozenset[Row]
    escalations: frozenset[Row]

    @classmethod
    def of(
        cls,
        events: int,
        projections: Collection[Sequence[Any]],
        escalations: Collection[Sequence[Any]],
    ) -> Work:
        """Return the work of rows ``(case_id, digest, status, office, track, level)`` and
        ``(escalation_id, rule_id, office_id)``.
        """
        return cls(events, frozenset(map(tuple, projections)), frozenset(map(tuple, escalations)))

    def differences(self, other: Work) -> list[str]:
        """Return in words how ``other`` differs; empty if it does not."""
        found = []
        if self.events != other.events:
            found.append(f"{other.events} events instead of {self.events}")
        for name, ours, theirs in (
            ("projections", self.projections, other.projections),
            ("standing escalations", self.escalations, other.escalations),
        ):
            if missing := ours - theirs:
                found.append(f"{len(missing)} {name} missing, such as {min(missing, key=str)}")
            if more := theirs - ours:
                found.append(f"{len(more)} {name} too many, such as {min(more, key=str)}")
        return found


def read(conn: Connection, cases: str = "") -> Work:
    """Return the work in a database, of all cases or of those whose id has a prefix."""
    chosen = "case_id >= %s AND case_id < %s"
    ends = (cases, cases + "\x7f")
    return Work.of(
        one(conn, f"SELECT count(*) FROM case_event WHERE {chosen}", *ends),
        conn.execute(
            "SELECT case_id, encode(digest, 'hex'), status, office_id, track, level"
            f" FROM case_projection WHERE {chosen}".encode(),
            ends,
        ).fetchall(),
        conn.execute(
            "SELECT escalation_id::text, rule_id, office_id FROM escalation"
            f" WHERE withdrawn_at IS NULL AND {chosen}".encode(),
            ends,
        ).fetchall(),
    )
