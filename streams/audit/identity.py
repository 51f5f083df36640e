"""Ids fixed by the contract with subscribers: those of escalations and their messages."""

from __future__ import annotations

from typing import Final
from uuid import NAMESPACE_URL, UUID, uuid5

NAMESPACE: Final = uuid5(NAMESPACE_URL, "icam:escalation")


def escalation(case_id: str, rule_id: str, occasion: str) -> UUID:
    """Return the id of an escalation; the same arguments always give the same id."""
    return uuid5(NAMESPACE, f"{case_id}|{rule_id}|{occasion}")


def message(escalation_id: UUID, kind: str, number: int) -> UUID:
    """Return the id of the message for one round; ``kind`` is ``raised`` or ``withdrawn``."""
    return uuid5(NAMESPACE, f"{escalation_id}|{kind}|{number}")
