"""Sign the heads of all cases and publish the checkpoints.

``icam checkpoint sign``. It alone has the private key, and never reads what a case holds.

Errors::

    HistoryChanged(cases)   the database lost or changed what was signed before
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Final

import structlog

from schemas.chain import NO_LINKS, Head
from schemas.checkpoints import (
    CHECKPOINT_TOPIC,
    CaseHead,
    Checkpoint,
    CheckpointHeads,
    PublicKey,
    SigningKey,
    Trail,
    encode,
    read,
)
from streams.audit.kafka import KafkaLog
from streams.kafka.connection import client
from streams.kafka.publish import Transaction
from streams.runtime.settings import KafkaSettings
from streams.store import chains, clock
from streams.store.pool import Pool

log = structlog.get_logger(__name__)

TRANSACTIONAL_ID: Final = "icam-checkpoint"
_PART: Final = 2000
"""Heads in one message: some 300 KB."""
_SHOWN: Final = 20


class HistoryChanged(Exception):
    """Entries that a checkpoint signed are not in the database any more; nothing was signed.

    ``case_ids`` are the first cases that went back, changed or vanished.
    """

    def __init__(self, case_ids: Sequence[str]) -> None:
        shown = ", ".join(case_ids[:_SHOWN])
        more = f" and {len(case_ids) - _SHOWN} more" if len(case_ids) > _SHOWN else ""
        super().__init__(
            f"signed entries are missing or changed in {shown}{more}; nothing was signed. Find the"
            " cause: icam audit chain. After an older state of the database was restored on"
            " purpose: icam checkpoint sign --restored"
        )
        self.case_ids = tuple(case_ids)


@dataclass(frozen=True, slots=True)
class Signed:
    """What one checkpoint signed."""

    cases: int
    """Cases whose head changed since the checkpoint before."""
    leaves: int
    """Leaves of the tree."""
    root: str


class Signer:
    """Publishes checkpoints that continue those on the topic."""

    def __init__(
        self, kafka: KafkaSettings, key: SigningKey, earlier: Sequence[PublicKey] = ()
    ) -> None:
        """``earlier`` are the public keys that signed before this one."""
        self._kafka = kafka
        self._key = key
        self._keys = (key.public, *earlier)

    async def sign(self, pool: Pool, *, restored: bool = False) -> Signed:
        """Sign the heads as they are now. Publish them with the checkpoint, in one transaction.

        With ``restored`` heads may have gone back.

        Raises:
            HistoryChanged: a head went back, changed or vanished, without ``restored``.
            CheckpointError: the topic holds what these keys did not sign.
            AuditError, PublishError: the brokers can't be reached, or refuse us.
            OSError, asyncpg.PostgresError: the database can't be reached, or refuses us.
        """
        # Begun before the topic is read: another signer that publishes meanwhile ends this one.
        transaction = await asyncio.to_thread(Transaction, self._kafka, TRANSACTIONAL_ID)
        trail = await asyncio.to_thread(self._read)
        async with (
            pool.acquire() as conn,
            conn.transaction(isolation="repeatable_read", readonly=True),
        ):
            at = await clock.now(conn)
            heads = {case_id: head async for case_id, head in chains.all_heads(conn)}
        before = trail.tree.size
        messages = sign_heads(trail, heads, self._key, at, restored=restored)
        await asyncio.to_thread(transaction.commit, [encode(one, at) for one in messages])
        return Signed(trail.tree.size - before, trail.tree.size, trail.tree.root().hex())

    def _read(self) -> Trail:
        """Return what is on the topic: the signer has no other memory."""
        trail = Trail(self._keys)
        with KafkaLog(client(self._kafka)) as topic:
            for record in topic.records(topic.spans([CHECKPOINT_TOPIC])):
                trail.add(read(record.value or b""))
        return trail


def sign_heads(
    trail: Trail, heads: Mapping[str, Head], key: SigningKey, at: datetime, *, restored: bool
) -> list[CheckpointHeads | Checkpoint]:
    """Return the messages that continue a trail with these heads, by case; add them to the trail.

    Raises:
        HistoryChanged: a head went back, changed or vanished, without ``restored``.
    """
    messages: list[CheckpointHeads | Checkpoint] = []
    for part in _parts(_changes(trail.latest, heads, restored=restored)):
        message = CheckpointHeads(first=trail.tree.size, heads=part)
        trail.add(message)
        messages.append(message)
    checkpoint = key.sign(trail.tree, at, restored=restored)
    trail.add(checkpoint)
    return [*messages, checkpoint]


def _changes(
    known: Mapping[str, Head], heads: Mapping[str, Head], *, restored: bool
) -> list[tuple[str, Head]]:
    """Return the heads to sign, by case: those that are not the last signed.

    Raises:
        HistoryChanged: a head went back, changed or vanished, without ``restored``.
    """
    present = {**dict.fromkeys(known, NO_LINKS), **heads}
    changed = [
        (case_id, head)
        for case_id, head in sorted(present.items())
        if known.get(case_id, NO_LINKS) != head
    ]
    wrong = [
        case_id
        for case_id, head in changed
        if case_id in known and head.links <= known[case_id].links
    ]
    if wrong and not restored:
        raise HistoryChanged(wrong)
    return changed


def _parts(changed: Sequence[tuple[str, Head]]) -> Iterator[tuple[CaseHead, ...]]:
    left = iter(changed)
    while part := tuple(islice(left, _PART)):
        yield tuple(
            CaseHead(case_id=case_id, links=h.links, entries=h.entries, hash=h.hash.hex())
            for case_id, h in part
        )
