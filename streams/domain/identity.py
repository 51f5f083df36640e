"""Ids of escalations and messages: the same cause always has the same id."""

from __future__ import annotations

from hashlib import sha1
from typing import Final
from uuid import NAMESPACE_URL, UUID, uuid5

NAMESPACE: Final = uuid5(NAMESPACE_URL, "icam:escalation")
"""Namespace of escalation and message ids. It is part of the contract with subscribers."""
_PREFIX: Final = NAMESPACE.bytes


def escalation_id(case_id: str, rule_id: str, occasion: str) -> UUID:
    """Return the id of the escalation that a rule proposes for a case on an occasion."""
    return name_id(f"{case_id}|{rule_id}|{occasion}")


def name_id(name: str) -> UUID:
    """Return ``uuid5(NAMESPACE, name)``, computed twice as fast."""
    digest = sha1(_PREFIX + name.encode(), usedforsecurity=False).digest()
    return UUID(bytes=digest[:16], version=5)
