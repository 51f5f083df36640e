"""Chain the entries of each case by hashes, and collect the heads of all cases in a tree. Pure.

An entry is an event of the log or an announcement of the outbox. The entries that one transaction
writes for a case are a link: its events in the order of their ids, then its announcements in the
order of their positions. The head of a case covers all of its links::

    head 0 = 32 zero bytes
    head n = SHA-256(head n-1, SHA-256 of each entry of link n)

The tree is the append-only one of RFC 6962, section 2.1. A leaf says that a case had a head. Its
root is what a checkpoint signs (``checkpoints``), so one signature covers all earlier leaves too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from itertools import groupby
from operator import itemgetter
from typing import Final, NamedTuple
from uuid import UUID


class Head(NamedTuple):
    """The head of a case: how many links and entries it covers, and its 32-byte hash."""

    links: int
    entries: int
    hash: bytes


NO_LINKS: Final = Head(0, 0, bytes(32))
"""Head of a case without entries."""


def event_entry(
    event_id: UUID, digest: bytes, source: str, topic: str, partition: int, offset: int
) -> bytes:
    """Return the hash of an event of the log, 32 bytes.

    ``digest`` is that of the codec: it covers type, case, time and payload.
    """
    place = f"{source}\n{topic}\n{partition}\n{offset}\n"
    return sha256(event_id.bytes + digest + place.encode()).digest()


def message_entry(message_id: str, topic: str, key: str, headers: str, body: bytes) -> bytes:
    """Return the hash of an announcement, 32 bytes; ``headers`` is the text as stored."""
    head = f"{message_id}\n{topic}\n{key}\n{headers}\n"
    return sha256(head.encode() + body).digest()


def extend(head: Head, entries: Sequence[bytes]) -> Head:
    """Return the head after one more link of these entries."""
    joined = b"".join((head.hash, *entries))
    return Head(head.links + 1, head.entries + len(entries), sha256(joined).digest())


def heads(entries: Iterable[tuple[int, bytes]]) -> list[Head]:
    """Return the head after each link, the first included.

    ``entries`` are (number of the link, hash of the entry), in chain order.
    """
    found = [NO_LINKS]
    for _, link in groupby(entries, key=itemgetter(0)):
        found.append(extend(found[-1], [entry for _, entry in link]))
    return found


def leaf(case_id: str, head: Head) -> bytes:
    """Return the leaf that says that a case has this head."""
    return f"{case_id}\n{head.links}\n{head.entries}\n{head.hash.hex()}".encode()


class Tree:
    """The tree over the leaves that were added. Needs memory for the logarithm of their number."""

    def __init__(self) -> None:
        self.size = 0
        # The roots of complete subtrees from left to right, each with its height.
        self._subtrees: list[tuple[int, bytes]] = []

    def add(self, content: bytes) -> None:
        """Append one leaf."""
        height, node = 0, sha256(b"\x00" + content).digest()
        while self._subtrees and self._subtrees[-1][0] == height:
            node = sha256(b"\x01" + self._subtrees.pop()[1] + node).digest()
            height += 1
        self._subtrees.append((height, node))
        self.size += 1

    def root(self) -> bytes:
        """Return the root over all leaves, 32 bytes."""
        nodes = [node for _, node in self._subtrees]
        if not nodes:
            return sha256().digest()
        joined = nodes.pop()
        while nodes:
            joined = sha256(b"\x01" + nodes.pop() + joined).digest()
        return joined
