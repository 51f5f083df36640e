"""Fills a database with copies of processed cases, by SQL."""

from __future__ import annotations

from typing import Final

from tests.bench.database import Connection, one

_TABLES: Final = ("case_event", "case_projection", "outbox", "escalation")
_NEW: Final = {
    "case_id": "'stored-' || n || '-' || case_id",
    "key": "'stored-' || n || '-' || key",
    "event_id": "gen_random_uuid()",
    "escalation_id": "gen_random_uuid()",
    "order_id": "'stored-' || n || '-' || order_id",
}
"""The columns that differ in a copy."""
_MESSAGE: Final = "md5(message_id::text || n)::uuid"
"""Two tables hold the id of the message that raised an escalation."""


def fill(conn: Connection, cases: int, events: int = 0) -> int:
    """Copy every case under other ids until there are about ``cases``; return their number. Blocks.

    If they have fewer than ``events`` events then, copy until there are about as many.

    Then vacuum, analyse and checkpoint the database, as in an old one.
    """
    there = int(one(conn, "SELECT count(*) FROM case_projection"))
    held = int(one(conn, "SELECT count(*) FROM case_event"))
    copies = max(0, round(cases / there) - 1, round(events / held) - 1)
    for table in _TABLES:
        columns = [
            str(name)
            for (name,) in conn.execute(
                "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0"
                " AND NOT attisdropped AND attidentity = '' AND attgenerated = ''",
                (table,),
            )
        ]
        values = [_MESSAGE if c == "message_id" else _NEW.get(c, f'"{c}"') for c in columns]
        names = ", ".join(f'"{column}"' for column in columns)
        conn.execute(
            f"INSERT INTO {table} ({names}) SELECT {', '.join(values)} FROM {table},"
            f" generate_series(1, {copies}) AS copy (n)".encode()
        )
    conn.execute("VACUUM (ANALYZE)")
    conn.execute("CHECKPOINT")
    return int(one(conn, "SELECT count(*) FROM case_projection"))
