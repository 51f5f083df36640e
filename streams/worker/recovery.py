"""Faust's recovery after a rebalance, which must outlast slow brokers.

Without tables, recovery only seeks to the committed offsets and resumes the flow. Faust limits the
seek to ``broker_request_timeout``, and takes the limit for the end of the service: ``wait_first``
of mode returns "stopped" when its time is up. The recovery task then ends without a word, no later
rebalance is completed, and the worker reads nothing until it is replaced.

Overridden: ``Recovery._wait``, and ``TableManager.recovery``, which makes it.
tests/worker/test_transport.py compares both with the Faust release.
"""

from __future__ import annotations

from typing import Any

from faust.tables import manager, recovery


class Recovery(recovery.Recovery):
    """Faust's recovery, without limits of time.

    Every request of the client has its own. What does not end is given up for the next rebalance,
    or when the worker stops.
    """

    async def _wait(self, coro: Any, timeout: Any = None) -> None:  # noqa: ARG002, ASYNC109
        await super()._wait(coro)


class TableManager(manager.TableManager):
    """Faust's table manager with our recovery. We have no tables, and Faust needs the manager."""

    @property
    def recovery(self) -> recovery.Recovery:
        """Return the recovery; make it at the first use."""
        if self._recovery is None:
            self._recovery = Recovery(self.app, self, beacon=self.beacon, loop=self.loop)
        return self._recovery
