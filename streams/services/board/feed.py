"""The latest state, handed to everyone who watches, each at its own pace."""

from __future__ import annotations

import asyncio


class Feed:
    """Holds the latest state only: who is slow misses some, and holds nobody up."""

    def __init__(self) -> None:
        self._version = 0
        self._latest = b""
        self._news = asyncio.Event()
        self._closed = False

    def publish(self, body: bytes) -> None:
        """Put a new state in the place of the last, and wake who waits."""
        self._version += 1
        self._latest = body
        self._wake()

    def close(self) -> None:
        """Let everyone go: nothing comes any more."""
        self._closed = True
        self._wake()

    async def after(self, version: int) -> tuple[int, bytes] | None:
        """Wait for a state newer than ``version``; return it, or None when there will be none."""
        while self._version <= version and not self._closed:
            await self._news.wait()
        return None if self._closed else (self._version, self._latest)

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()
