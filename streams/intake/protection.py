"""Whether a dead letter may hold a fact that speaks for the person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schemas import canary
from schemas.codec import decode
from schemas.rejected import Rejected
from streams.store import events
from streams.store.pool import Connection


async def may_protect(conn: Connection, letter: Mapping[str, Any]) -> bool:
    """Return whether a fact that holds back or ends an escalation may be lost with this letter.

    Every type can hold such a fact: an order starts new terms, an appointment or an interview shows
    that somebody is seen, an absence may be justified or badly invited, an answer withdraws, an end
    ends. A record that can't be read may be any of them. So the answer is no only for the canary's
    topics, whose cases are never judged, and for content that its source has in the log already.
    """
    if canary.is_topic(letter["topic"]):
        return False
    if letter["whole_bytes"] is not None:
        return True
    try:
        event = decode(letter["topic"], letter["key"], letter["value"], letter["headers"])
    except Rejected:
        return True
    return not await events.has_content(conn, event.case_id, event.source, event.digest)
