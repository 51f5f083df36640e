"""Recorded policies that escalations refer to, and the guards that each rule waives."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from schemas.types import Guard
from streams.audit.database import Snapshot


@dataclass(frozen=True, slots=True)
class AuditedPolicy:
    """One recorded policy. ``intact`` is true when its text matches its stored digest."""

    intact: bool
    waivers: Mapping[str, frozenset[str]]
    """Guards that each rule waives, by rule id."""


def load(snapshot: Snapshot) -> dict[str, AuditedPolicy]:
    """Return every recorded policy, by digest."""
    rows = snapshot.rows("SELECT digest, body FROM reference_table WHERE kind = 'policy'")
    return {
        digest: AuditedPolicy(sha256(body.encode()).hexdigest() == digest, _waivers(body))
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


def _waivers(body: str) -> dict[str, frozenset[str]]:
    """Return the guards that each rule waives; none when the text can't be parsed.

    The guard for unaccompanied minors can't be waived and is left out.
    """
    try:
        return {
            rule["id"]: frozenset(waiver["guard"] for waiver in rule.get("waives", ()))
            - {Guard.UNACCOMPANIED_MINOR.value}
            for rule in tomllib.loads(body).get("rule", ())
        }
    except (tomllib.TOMLDecodeError, KeyError, TypeError, AttributeError):
        return {}
