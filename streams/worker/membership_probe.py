"""Take note when Kafka refuses the membership in the group, and have the client try again.

aiokafka stops at an error that it doesn't know how to pass, until its user asks for it. Faust asks
only while it reads, so a worker that never got partitions would wait for ever, alive and silent.
"""

from __future__ import annotations

from typing import Final, NoReturn, Protocol

import structlog

from streams.runtime.loop import periodic
from streams.runtime.state import WorkerState

log = structlog.get_logger(__name__)

_SECONDS: Final = 2.0
"""Between two attempts to join the group, as each is made when its predecessor was noted."""
_ADVICE: Final = {
    "GroupAuthorizationFailedError": "grant READ on the group: icam topics --acls",
    "InvalidSessionTimeoutError": "set ICAM_KAFKA__SESSION_TIMEOUT_SECONDS within the broker's "
    "group.min.session.timeout.ms and group.max.session.timeout.ms",
    "InconsistentGroupProtocolError": "another program is in the group: set ICAM_KAFKA__GROUP",
}
_OTHER: Final = "see the broker's log; its group.max.size may be reached"


class GroupMember(Protocol):
    """The worker's membership, as the transport knows it."""

    def partitions_assigned(self) -> int:
        """Return how many input partitions are assigned."""

    async def take_refusal(self) -> Exception | None:
        """Return the error at which the client stopped, and have it go on; None if it did not."""


async def probe_membership(member: GroupMember, state: WorkerState) -> NoReturn:
    """Keep ``state.membership_refused`` up to date until cancelled.

    Raises:
        Exception: the client's group membership has ended for good.
    """

    async def probe() -> None:
        error = await member.take_refusal()
        if error is None:
            if member.partitions_assigned() > 0:
                state.membership_refused = ""
            return
        name = type(error).__name__
        if state.membership_refused != name:
            log.error("membership_refused", error=name, do=_ADVICE.get(name, _OTHER))
        state.membership_refused = name

    await periodic(probe, pause=lambda *_: _SECONDS, is_transient=lambda _: False)
