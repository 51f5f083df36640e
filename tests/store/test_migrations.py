"""What an older version wrote is carried over, not started again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest
import yoyo

from streams.embedded.postgres import EmbeddedPostgres
from streams.store import migrate


@pytest.fixture
def first_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[str, psycopg.Connection]]:
    """A database as the first migration made it."""
    old = tmp_path / "migrations"
    old.mkdir()
    for file in migrate.MIGRATIONS.glob("0001.*"):
        (old / file.name).write_text(file.read_text())
    with EmbeddedPostgres(tmp_path / "postgres") as postgres:
        with monkeypatch.context() as before:
            before.setattr(migrate, "MIGRATIONS", old)
            migrate.apply(postgres.url)
        with psycopg.connect(postgres.url, autocommit=True) as conn:
            yield postgres.url, conn


def test_facts_evidence_and_what_waits_survive_the_second_migration(
    first_version: tuple[str, psycopg.Connection],
) -> None:
    url, conn = first_version
    events = [uuid4(), uuid4()]
    escalation, raised, routed = uuid4(), uuid4(), uuid4()
    for number, event_id in enumerate(events):
        conn.execute(
            "INSERT INTO case_event (event_id, case_id, type, source, occurred_at, payload, digest,"
            " topic, \"partition\", \"offset\") VALUES (%s, 'case-a', 'icam.oqt-issued.v1', '/t',"
            " '2026-03-01T10:00:00.5+01', %s, '', 't', 0, %s)",
            [event_id, json.dumps({"order_id": f"O-{number}"}), number],
        )
    conn.execute(
        "INSERT INTO case_projection (case_id, facts) VALUES ('case-a', %s), ('case-b', '[]')",
        [json.dumps([{"key": str(n), "event_id": str(e)} for n, e in enumerate(events)])],
    )
    conn.execute(
        "INSERT INTO escalation (escalation_id, round, case_id, order_id, rule_id, occasion,"
        " level, action, policy_version, policy_digest, office_id, track, evidence, event_ids,"
        " due_at, raised_at) VALUES (%s, 1, 'case-a', 'o', 'r', 'x', 1, 'a', '1', 'd', 'f', 't',"
        " '{}', '{}', now(), now())",
        [escalation],
    )
    body = json.dumps(
        {"kind": "raised", "escalation_id": str(escalation), "round": 1, "evidence": {"facts": []}}
    )
    for message, said, published in ((routed, "{}", "now()"), (raised, body, None)):
        conn.execute(
            "INSERT INTO outbox (message_id, topic, key, headers, body, published_at)"
            " VALUES (%s, 't', 'case-a', '[]', %s, %s)",
            [message, said, published],
        )

    migrate.apply(url)

    _is_as_now(conn, events, raised)

    _roll_back(url)

    keys = conn.execute(
        "SELECT facts->0->>'key', facts->1->>'key' FROM case_projection ORDER BY case_id"
    ).fetchall()
    assert keys == [("order:O-0", "order:O-1"), (None, None)]
    lines = (f"order:O-{n}\t2026-03-01T09:00:00.500000+00:00\t{e}\n" for n, e in enumerate(events))
    then = conn.execute("SELECT digest FROM case_projection WHERE case_id = 'case-a'").fetchall()
    assert then == [(sha256("".join(lines).encode()).digest(),)]
    assert conn.execute("SELECT evidence FROM escalation").fetchall() == [({"facts": []},)]
    unpublished = conn.execute("SELECT message_id FROM outbox WHERE published_at IS NULL")
    assert unpublished.fetchall() == [(raised,)]

    migrate.apply(url)
    _is_as_now(conn, events, raised)


def _is_as_now(conn: psycopg.Connection, events: list[UUID], raised: UUID) -> None:
    digests = conn.execute("SELECT case_id, digest FROM case_projection").fetchall()
    assert sorted(digests) == [("case-a", _digest(events)), ("case-b", _digest([]))]
    assert conn.execute("SELECT message_id FROM escalation").fetchall() == [(raised,)]
    waiting = conn.execute("SELECT message_id FROM outbox JOIN outbox_pending USING (position)")
    assert waiting.fetchall() == [(raised,)]


def _roll_back(url: str) -> None:
    """Undo the second migration, as `yoyo rollback` does."""
    with migrate._Backend(url) as backend:
        second = [m for m in migrate._migrations() if m.id.startswith("0002")]
        backend.rollback_migrations(yoyo.migrations.MigrationList(second))


def _digest(events: list[UUID]) -> bytes:
    return sha256(b"".join(sorted(event.bytes for event in events))).digest()
