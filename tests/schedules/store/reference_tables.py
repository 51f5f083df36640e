"""Reference data is not recorded: all workers of a run have the same."""

from __future__ import annotations

from streams.domain.clocks import Calendar
from streams.domain.directory.model import Directory
from streams.domain.policy.rules import Policy
from streams.store.pool import Connection


async def record(
    conn: Connection, policy: Policy, directory: Directory, calendar: Calendar
) -> None:
    return
