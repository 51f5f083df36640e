"""What a projection says of the fold it shows: a digest, so that two folds can be compared."""

from __future__ import annotations

from hashlib import sha256

from streams.domain.case import Case


def digest(case: Case) -> bytes:
    """Return the SHA-256 over the ids of the events whose facts stand, in ascending order.

    Equal folds of one log have equal digests, and different ones different digests: an event id
    names one content for ever.
    """
    return sha256(b"".join(sorted(f.event_id.bytes for f in case.facts.values()))).digest()
