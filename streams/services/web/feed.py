"""Distribute the latest state to all clients, each at its own pace."""

from __future__ import annotations

import asyncio


class Feed:
    """Keep the latest state only. A slow client skips states and does not delay the others."""

    def __init__(self) -> None:
        self._version = 0
        self._latest = b""
        self._changed = asyncio.Event()
        self._closed = False

    def publish(self, body: bytes) -> None:
        """Replace the latest state and wake the waiting clients."""
        self._version += 1
        self._latest = body
        self._wake()

    def close(self) -> None:
        """End all waits; no further state will be published."""
        self._closed = True
        self._wake()

    async def after(self, version: int) -> tuple[int, bytes] | None:
        """Wait for a state newer than ``version`` and return it; None once the feed is closed."""
        while self._version <= version and not self._closed:
            await self._changed.wait()
        return None if self._closed else (self._version, self._latest)

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
