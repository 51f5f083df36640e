"""Digest of a folded case, for comparing projections."""

from __future__ import annotations

from hashlib import sha256

from streams.domain.case import Case


def digest(case: Case) -> bytes:
    """Return the SHA-256 over the ids of the events whose facts are kept, in ascending order.

    Two folds have the same digest only when they are equal, since an event id always identifies the
    same content.
    """
    # By number, which sorts in the same order: the bytes of a UUID are a property in Python.
    ids = sorted([fact.event_id.int for fact in case.facts.values()])
    return sha256(b"".join([number.to_bytes(16) for number in ids])).digest()
