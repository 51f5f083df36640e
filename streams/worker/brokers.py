"""aiokafka's client, modified so that brokers may move and topics may be made again.

Overridden: ``AIOKafkaClient._metadata_update``; tests/worker/test_transport.py compares it with
the aiokafka release.
"""

from __future__ import annotations

import asyncio
import math
import time
from contextlib import suppress
from copy import copy
from typing import Any, Final, Self
from uuid import UUID

from aiokafka import errors
from aiokafka.client import AIOKafkaClient
from aiokafka.cluster import ClusterMetadata

from streams.worker.topic_ids import TopicIdsRequest, topic_ids

_BROKERS_SECONDS: Final = 10.0
"""How long the known brokers may take to answer before the bootstrap servers are asked."""


class Client(AIOKafkaClient):  # type: ignore[misc] # it has no types
    """aiokafka's client, which asks the bootstrap servers again when no known broker answers.

    Brokers may come back under other addresses. aiokafka asks only those that it knows. With the
    metadata it asks for the ids of the topics.
    """

    topic_ids: dict[str, UUID]
    ids_read_at: float
    """When the ids were asked for, on the monotonic clock; infinity if brokers give none."""

    @classmethod
    def of(cls, made: Any) -> Self:
        """Return a client that was not started yet as one of ours."""
        made.__class__ = cls
        made.topic_ids = {}
        made.ids_read_at = -math.inf
        ours: Self = made
        return ours

    @property
    def topic_ids_known(self) -> bool:
        """Whether the brokers gave the ids of topics, or give none."""
        return self.ids_read_at > -math.inf

    async def _metadata_update(self, cluster_metadata: Any, topics: Any) -> bool:
        updated = False
        with suppress(TimeoutError):
            async with asyncio.timeout(_BROKERS_SECONDS):
                updated = await super()._metadata_update(cluster_metadata, topics)
        if not updated and await self._find_brokers():
            updated = await super()._metadata_update(cluster_metadata, topics)
        if updated and cluster_metadata is self.cluster:
            await self._read_topic_ids(topics)
        return updated

    async def _read_topic_ids(self, topics: Any) -> None:
        """Ask for the ids of topics; keep the known ones when no broker answers."""
        asked_at = time.monotonic()
        try:
            async with asyncio.timeout(_BROKERS_SECONDS):
                answer = await self.send(self.get_random_node(), TopicIdsRequest(topics))
        except (NotImplementedError, errors.IncompatibleBrokerVersion):
            self.ids_read_at = math.inf
        except (errors.KafkaError, TimeoutError, OSError):
            return
        else:
            self.topic_ids |= topic_ids(answer)
            self.ids_read_at = asked_at

    async def _find_brokers(self) -> bool:
        """Resolve the bootstrap servers, and take the brokers' addresses from one that answers."""
        asking = copy(self)
        asking.cluster = ClusterMetadata(metadata_max_age_ms=self._metadata_max_age_ms)
        asking._conns = {}
        asking._sync_task = self._sync_task  # so that it starts none
        try:
            await asking.bootstrap()
        except errors.KafkaError:
            return False
        for connection in asking._conns.values():
            connection.close()
        # Its partitions stay: without them the group would be rebalanced.
        self.cluster._brokers = asking.cluster._brokers
        return bool(self.cluster._brokers)
