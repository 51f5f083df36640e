"""The policies that escalations name, as texts: whole or not, and what each rule waives."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from schemas.types import Guard
from streams.audit.database import Snapshot


@dataclass(frozen=True, slots=True)
class AuditedPolicy:
    """One recorded policy. ``whole`` when its text has the digest it is kept under."""

    whole: bool
    waivers: Mapping[str, frozenset[str]]
    """Guards that a rule waives, by rule id."""


def load(snapshot: Snapshot) -> dict[str, AuditedPolicy]:
    """Return every recorded policy by digest."""
    rows = snapshot.rows("SELECT digest, body FROM reference_table WHERE kind = 'policy'")
    return {
        digest: AuditedPolicy(sha256(body.encode()).hexdigest() == digest, _waivers(body))
        for digest, body in rows
    }


def deciding(
    policies: Mapping[str, AuditedPolicy], reference_digest: str | None
) -> AuditedPolicy | None:
    """Return the policy a case was last decided under; a reference digest starts with its name."""
    if not reference_digest:
        return None
    named = (p for digest, p in policies.items() if digest[:32] == reference_digest[:32])
    return next(named, None)


def _waivers(body: str) -> dict[str, frozenset[str]]:
    """Read what rules waive; a text that can't be read waives nothing. A minor's guard never is."""
    try:
        return {
            rule["id"]: frozenset(waiver["guard"] for waiver in rule.get("waives", ()))
            - {Guard.UNACCOMPANIED_MINOR.value}
            for rule in tomllib.loads(body).get("rule", ())
        }
    except (tomllib.TOMLDecodeError, KeyError, TypeError, AttributeError):
        return {}
