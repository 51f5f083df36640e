"""Recorded policies that escalations refer to, and the guards that each rule waives."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from schemas.outcomes import Action
from schemas.types import Guard
from streams.audit.database import Snapshot


@dataclass(frozen=True, slots=True)
class AuditedPolicy:
    """One recorded policy. ``intact`` is true when its text matches its stored digest."""

    intact: bool
    waivers: Mapping[str, frozenset[str]]
    """Guards that each rule waives, by rule id."""
    asking: tuple[str, ...] = ()
    """Ids of the rules that ask whether a circumstance holds or how a procedure ended."""
    longest_pause_days: int | None = None
    """For how long a case may be silent; None in a policy of an earlier version."""


def load(snapshot: Snapshot) -> dict[str, AuditedPolicy]:
    """Return every recorded policy, by digest."""
    rows = snapshot.rows("SELECT digest, body FROM reference_table WHERE kind = 'policy'")
    return {
        digest: AuditedPolicy(
            sha256(body.encode()).hexdigest() == digest,
            _waivers(body),
            _asking(body),
            _longest_pause(body),
        )
        for digest, body in rows
    }


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


_REVIEW_LEVEL: Final = 3
_QUESTIONS: Final = (Action.CONFIRM_CIRCUMSTANCE.value, Action.REPORT_DECISION.value)


def _asking(body: str) -> tuple[str, ...]:
    try:
        rules = tomllib.loads(body).get("rule", ())
        return tuple(rule["id"] for rule in rules if rule.get("action") in _QUESTIONS)
    except (tomllib.TOMLDecodeError, KeyError, TypeError, AttributeError):
        return ()


def _longest_pause(body: str) -> int | None:
    try:
        days = tomllib.loads(body).get("terms", {}).get("longest_pause_days")
    except (tomllib.TOMLDecodeError, KeyError, TypeError, AttributeError):
        return None
    return days if isinstance(days, int) else None


def _waivers(body: str) -> dict[str, frozenset[str]]:
    """Return the guards that each rule waives; none when the text can't be parsed.

    The guard for unaccompanied minors can't be waived from level 3 on and is left out there.
    """
    try:
        table = tomllib.loads(body)
        shared = table.get("waivers", {})
        found = {}
        for rule in table.get("rule", ()):
            guards = {waiver["guard"] for waiver in rule.get("waives", ())}
            guards |= {guard for name in rule.get("waives_sets", ()) for guard in shared[name]}
            if rule.get("level", 0) >= _REVIEW_LEVEL:
                guards -= {Guard.UNACCOMPANIED_MINOR.value}
            found[rule["id"]] = frozenset(guards)
        return found
    except (tomllib.TOMLDecodeError, KeyError, TypeError, AttributeError):
        return {}
