"""Recorded policies that decisions refer to, and what each of their rules waives and requires."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from schemas.codes import Guard
from streams.audit.database import Snapshot

_HARSH_LEVEL: Final = 3
"""Level from which a rule proposes more than a service to the person or a question."""
_NEVER_WAIVED: Final = frozenset(
    {
        Guard.UNACCOMPANIED_MINOR.value,
        Guard.APPEAL_SUSPENSIVE_PENDING.value,
        Guard.NON_REFOULEMENT_CHECK_MISSING.value,
    }
)
"""Guards that no rule waives from that level on."""


@dataclass(frozen=True, slots=True)
class AuditedPolicy:
    """One recorded policy. ``intact`` is true when its text matches its stored digest."""

    intact: bool
    waivers: Mapping[str, frozenset[str]]
    """Guards that each rule waives, by rule id."""
    requires: Mapping[str, frozenset[str]]
    """Guards that must be reported clear before a rule may stand, by rule id."""
    decided: frozenset[str]
    """Guards that go on blocking after an end without a decision."""
    for_officials: frozenset[str]
    """Rules whose proposals only an official's answer settles."""
    asking: frozenset[str]
    """Rules that ask about a circumstance; an answer to one can end it."""
    longest_pause_days: int | None
    """How long a case may stay without attention; None if the policy sets no limit."""


_UNREADABLE: Final[Mapping[str, Any]] = {}
_ASKING: Final = ("confirm_circumstance", "report_decision")


def load(snapshot: Snapshot) -> dict[str, AuditedPolicy]:
    """Return every recorded policy, by digest."""
    rows = snapshot.rows("SELECT digest, body FROM reference_table WHERE kind = 'policy'")
    return {digest: _audited(digest, body) for digest, body in rows}


def deciding(
    policies: Mapping[str, AuditedPolicy], reference_digest: str | None
) -> AuditedPolicy | None:
    """Return the policy under which a case was last decided, or None when it is not recorded.

    A reference digest starts with the first 32 characters of its policy's digest.
    """
    if not reference_digest:
        return None
    matches = (p for digest, p in policies.items() if digest[:32] == reference_digest[:32])
    return next(matches, None)


def _audited(digest: str, body: str) -> AuditedPolicy:
    intact = sha256(body.encode()).hexdigest() == digest
    try:
        return _parsed(intact, tomllib.loads(body))
    except (tomllib.TOMLDecodeError, KeyError, TypeError, AttributeError):
        return _parsed(intact, _UNREADABLE)


def _parsed(intact: bool, table: Mapping[str, Any]) -> AuditedPolicy:
    rules = table.get("rule", ())
    shared = table.get("waivers", {})
    return AuditedPolicy(
        intact,
        waivers={rule["id"]: _waived(rule, shared) for rule in rules},
        requires={rule["id"]: frozenset(rule.get("requires", ())) for rule in rules},
        decided=frozenset(table.get("counting", {}).get("decided", ())),
        for_officials=frozenset(rule["id"] for rule in rules if rule.get("owner") == "official"),
        asking=frozenset(rule["id"] for rule in rules if rule.get("action") in _ASKING),
        longest_pause_days=table.get("terms", {}).get("longest_pause_days"),
    )


def _waived(rule: Mapping[str, Any], shared: Mapping[str, Iterable[str]]) -> frozenset[str]:
    """Return the guards that a rule waives, without those that a rule of its level cannot waive."""
    waived = {waiver["guard"] for waiver in rule.get("waives", ())}
    for name in rule.get("waives_sets", ()):
        waived.update(shared[name])
    return frozenset(
        waived if rule.get("level", _HARSH_LEVEL) < _HARSH_LEVEL else waived - _NEVER_WAIVED
    )
