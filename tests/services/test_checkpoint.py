"""The owner of the database changes what cases hold, and makes all tables agree again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from uuid import uuid5

import pytest

from schemas.chain import Head
from schemas.checkpoints import SigningKey, Trail, encode
from schemas.codec import digest
from schemas.events import Justification
from streams.audit.chain import check_chain
from streams.audit.findings import Report
from streams.domain.case import Fact
from streams.services.checkpoint import HistoryChanged, sign_heads
from streams.store import chains
from streams.store.pool import Connection, Pool
from tests.domain import given
from tests.world import World

KEY = SigningKey.new()
ALPHA, BETA = "case-alpha1", "case-beta01"


class Signing:
    """The checkpoints of one database, as a reader of their topic has them."""

    def __init__(self, pool: Pool, url: str) -> None:
        self.pool, self.url = pool, url
        self.trail = Trail([KEY.public])
        self.values: list[bytes] = []
        self.signed = 0

    async def heads(self) -> dict[str, Head]:
        async with self.pool.acquire() as conn, conn.transaction():
            return {case_id: head async for case_id, head in chains.all_heads(conn)}

    async def sign(self, *, restored: bool = False) -> None:
        self.signed += 1
        at = given.WEDNESDAY + timedelta(hours=self.signed)
        messages = sign_heads(self.trail, await self.heads(), KEY, at, restored=restored)
        self.values += [encode(message, at).value for message in messages]

    def audit(self, values: Sequence[bytes] | None = None) -> Report:
        chosen = self.values if values is None else values
        return check_chain(self.url, chosen, [KEY.public]).report


@pytest.fixture
async def signing(world: World, database_url: str) -> Signing:
    """Two cases with misses, escalations and withdrawals; each signed twice, and one entry not."""
    made = Signing(world.pool, database_url)
    for case_id in (ALPHA, BETA):
        await arrive(world, case_id, given.order(), given.miss(1))
    await made.sign()
    for case_id in (ALPHA, BETA):
        await arrive(world, case_id, given.miss(2), given.miss(3))
    await made.sign()
    await arrive(world, BETA, given.interview())
    return made


async def arrive(world: World, case_id: str, *facts: Fact) -> None:
    """Have facts arrive under ids of this case."""
    own = [given.under_id(fact, uuid5(fact.event_id, case_id)) for fact in facts]
    assert (await world.arrive(*own, case_id=case_id)).count("dead_lettered") == 0


async def test_given_a_pipeline_that_only_added_then_nothing_is_found(signing: Signing) -> None:
    report = signing.audit()
    assert report.findings == ()
    assert [check.compared > 0 for check in report.checks] == [True, True, True]
    assert report.counts["checkpoints"] == 2
    assert report.counts["cases.signed"] == 2
    assert report.counts["entries.unsigned"] > 0


async def rewrite_a_miss(conn: Connection) -> None:
    """Make an absence that was excused one that counts, with the digest that goes with it."""
    row = await conn.fetchrow(
        "SELECT event_id, type, occurred_at, payload::text AS payload FROM case_event"
        " WHERE case_id = $1 AND type = 'icam.appointment-missed.v1' ORDER BY event_id",
        ALPHA,
    )
    assert row is not None
    payload = row["payload"].replace(Justification.NONE, Justification.UNKNOWN)
    assert payload != row["payload"]
    content = digest(row["type"], ALPHA, row["occurred_at"], payload.encode())
    await conn.execute(
        "UPDATE case_event SET payload = $2::json, digest = $3 WHERE event_id = $1",
        row["event_id"],
        payload,
        content,
    )


async def raise_a_level(conn: Connection) -> None:
    """Make a proposal one of level 5, in the ledger and in the announcement."""
    await conn.execute("UPDATE escalation SET level = 5 WHERE case_id = $1", ALPHA)
    await conn.execute(
        "UPDATE outbox SET body = jsonb_set(body::jsonb, '{level}', '5')::json"
        " WHERE key = $1 AND body->>'kind' = 'raised'",
        ALPHA,
    )


async def remove_an_event(conn: Connection) -> None:
    await conn.execute(
        "DELETE FROM case_event WHERE event_id = (SELECT max(event_id::text)::uuid FROM case_event"
        " WHERE case_id = $1)",
        ALPHA,
    )


async def remove_an_announcement(conn: Connection) -> None:
    await conn.execute(
        "DELETE FROM outbox WHERE position = (SELECT min(position) FROM outbox WHERE key = $1)",
        ALPHA,
    )


async def insert_an_event(conn: Connection) -> None:
    await conn.execute(
        """
        INSERT INTO case_event (event_id, case_id, type, source, occurred_at, payload, digest,
                                topic, "partition", "offset", link)
        SELECT gen_random_uuid(), case_id, type, source, occurred_at, payload, digest, topic,
               "partition", "offset" + 1000, link
        FROM case_event WHERE case_id = $1 AND link = 1 LIMIT 1
        """,
        ALPHA,
    )


async def rename_the_producer(conn: Connection) -> None:
    await conn.execute("UPDATE case_event SET source = '/anybody' WHERE case_id = $1", ALPHA)


async def swap_two_announcements(conn: Connection) -> None:
    await conn.execute(
        """
        UPDATE outbox SET link = 3 - link WHERE key = $1 AND link IN (1, 2)
        """,
        ALPHA,
    )


async def roll_back(conn: Connection) -> None:
    """Bring back the state of the first checkpoint."""
    await conn.execute("DELETE FROM case_event WHERE case_id = $1 AND link > 1", ALPHA)
    await conn.execute("DELETE FROM outbox WHERE key = $1 AND link > 1", ALPHA)


async def remove_the_case(conn: Connection) -> None:
    for table, column in (
        ("case_event", "case_id"),
        ("outbox", "key"),
        ("escalation", "case_id"),
        ("case_projection", "case_id"),
    ):
        await conn.execute(f"DELETE FROM {table} WHERE {column} = $1", ALPHA)


@pytest.mark.parametrize(
    ("attack", "said"),
    [
        (rewrite_a_miss, "changed: one of entries"),
        (raise_a_level, "changed: one of entries"),
        (rename_the_producer, "changed: one of entries 1 to"),
        (remove_an_event, "removed: one of entries"),
        (remove_an_announcement, "removed: one of entries"),
        (insert_an_event, "inserted: one of entries"),
        (swap_two_announcements, "one of entries 1 to"),
        (roll_back, "rolled back:"),
        (remove_the_case, "rolled back:"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
async def test_given_tables_that_agree_when_a_signed_entry_was_touched_then_it_is_found(
    signing: Signing, attack: Callable[[Connection], Awaitable[None]], said: str
) -> None:
    async with signing.pool.acquire() as conn, conn.transaction():
        await attack(conn)
        await chains.restore(conn, [ALPHA])  # the heads agree with the entries again
    found = signing.audit().findings
    assert [(f.check, f.reference) for f in found] == [("heads", ALPHA)]
    assert said in found[0].detail


async def test_given_a_change_of_payload_only_then_the_event_is_named(signing: Signing) -> None:
    async with signing.pool.acquire() as conn:
        event_id = await conn.fetchval(
            "UPDATE case_event SET payload = '{}'::json WHERE event_id ="
            " (SELECT min(event_id::text)::uuid FROM case_event) RETURNING event_id"
        )
    found = signing.audit().findings
    assert ("chain", f"event {event_id}") in [(f.check, f.reference) for f in found]


async def test_given_no_checkpoint_then_nothing_is_proven(signing: Signing) -> None:
    assert [f.check for f in signing.audit([]).findings] == ["checkpoints"]


async def test_given_forged_checkpoints_then_they_are_found(signing: Signing) -> None:
    stranger, at = SigningKey.new(), given.WEDNESDAY
    trail = Trail([stranger.public])
    messages = sign_heads(trail, await signing.heads(), stranger, at, restored=False)
    report = signing.audit([encode(message, at).value for message in messages])
    assert "not one of yours" in report.findings[0].detail


async def test_given_entries_of_an_earlier_version_then_a_worker_adds_them(
    signing: Signing, world: World
) -> None:
    async with signing.pool.acquire() as conn, conn.transaction():
        # As a worker of the version before writes it, between two of ours.
        await conn.execute(
            "UPDATE case_event SET link = NULL WHERE case_id = $1 AND link > 2", BETA
        )
        await conn.execute("UPDATE outbox SET link = NULL WHERE key = $1 AND link > 2", BETA)
        await conn.execute(
            "UPDATE case_projection SET links = 2, entries = $2, head = $3 WHERE case_id = $1",
            BETA,
            signing.trail.latest[BETA].entries,
            signing.trail.latest[BETA].hash,
        )
    async with signing.pool.acquire() as conn:
        for expected in (1, 0):
            async with conn.transaction():
                assert await chains.adopt(conn, 100) == expected
    await arrive(world, BETA, given.miss(4))
    await signing.sign()
    assert signing.audit().findings == ()


async def test_given_a_database_that_went_back_then_nothing_is_signed_unless_on_purpose(
    signing: Signing, world: World
) -> None:
    async with signing.pool.acquire() as conn, conn.transaction():
        await roll_back(conn)
        await chains.restore(conn, [ALPHA])
    with pytest.raises(HistoryChanged, match=f"missing or changed in {ALPHA};"):
        await signing.sign()
    await signing.sign(restored=True)
    assert signing.audit().findings == (), "what is left is what was signed for it before"
    await arrive(world, ALPHA, given.miss(4))
    await signing.sign()
    assert signing.audit().findings == ()


async def test_given_a_lost_projection_when_it_is_rebuilt_then_its_head_is_the_same(
    signing: Signing,
) -> None:
    before = await signing.heads()
    async with signing.pool.acquire() as conn, conn.transaction():
        await conn.execute(
            "UPDATE case_projection SET links = 0, entries = 0, head = $1", bytes(32)
        )
        await chains.restore(conn, [ALPHA, BETA])
    assert await signing.heads() == before
    assert before[ALPHA] != before[BETA]
