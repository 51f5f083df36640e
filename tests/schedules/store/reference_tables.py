"""Reference data is not judged here: it is the same in every worker of a run."""

from __future__ import annotations

from streams.domain.directory.model import Directory
from streams.domain.policy.rules import Policy
from streams.store.pool import Connection


async def record(conn: Connection, policy: Policy, directory: Directory) -> None:
    return
