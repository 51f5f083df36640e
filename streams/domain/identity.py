"""Ids of escalations and messages: the same cause always has the same id."""

from __future__ import annotations

from hashlib import sha1
from typing import Final
from uuid import NAMESPACE_URL, UUID, uuid5

from schemas.ids import uuid_of

NAMESPACE: Final = uuid5(NAMESPACE_URL, "icam:escalation")
"""Namespace of escalation and message ids. It is part of the contract with subscribers."""
_PREFIX: Final = sha1(NAMESPACE.bytes, usedforsecurity=False)
_VERSION_5: Final = (5 << 76) | (0x8000 << 48)
_KEPT: Final = ~((0xF000 << 64) | (0xC000 << 48))
"""Bits of a UUID that say neither its version nor its variant."""


def escalation_id(case_id: str, rule_id: str, occasion: str) -> UUID:
    """Return the id of the escalation that a rule proposes for a case on an occasion."""
    return name_id(f"{case_id}|{rule_id}|{occasion}")


def name_id(name: str) -> UUID:
    """Return ``uuid5(NAMESPACE, name)``, computed four times as fast."""
    # A copy of the hash of the prefix: OpenSSL looks up an algorithm anew for each new hash.
    found = _PREFIX.copy()
    found.update(name.encode())
    number = int.from_bytes(found.digest()[:16], "big")
    return uuid_of((number & _KEPT) | _VERSION_5)
