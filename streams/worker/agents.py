"""The Faust agent: it subscribes to the input topics and receives nothing; the lanes do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import faust
from mode import CrashingSupervisor


def declare(app: faust.App, topics: Iterable[str]) -> None:
    """Subscribe to the input topics for the lanes; the agent itself must receive nothing.

    Raises:
        RuntimeError: in the agent, and so in the worker: Faust delivered a record to the agent,
            and would acknowledge it.
    """

    @app.agent(
        input_topics(app, topics),
        name="intake",
        concurrency=1,
        supervisor_strategy=CrashingSupervisor,
    )
    async def reject_all(stream: Any) -> None:
        async for _ in stream.noack():
            raise RuntimeError("Faust delivered a record past the lanes: its transport is not ours")


def input_topics(app: faust.App, topics: Iterable[str]) -> Any:
    """Return the channel of all input topics, as raw bytes.

    Without "raw" Faust parses bytes as JSON. It acknowledges a record that is not JSON without
    delivering it, and stops the agent while the worker looks alive.
    """
    return app.topic(
        *topics,
        key_type=bytes,
        value_type=bytes,
        key_serializer="raw",
        value_serializer="raw",
    )
