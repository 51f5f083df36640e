"""What we write ourselves holds no national number; raw evidence is exempt."""

from __future__ import annotations

import re
from typing import Final

from streams.audit.database import Snapshot
from streams.audit.findings import Check

_RUN: Final = re.compile(r"(?<![0-9])[0-9]{11}(?![0-9])")
_UUID: Final = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)


def check_privacy(check: Check, snapshot: Snapshot) -> None:
    """Prove that details and notes of dead letters, and outbox headers, hold no national number."""
    rows = snapshot.rows(
        """
        SELECT 'dead_letter ' || dead_letter_id, detail || ' ' || coalesce(resolved_note, '')
        FROM dead_letter
        UNION ALL
        SELECT 'outbox ' || position, headers::text FROM outbox
        """
    )
    for reference, text in rows:
        check.compared += 1
        check.expect(not names_a_person(text), reference, "holds a national number")


def names_a_person(text: str) -> bool:
    """Whether a text holds eleven digits that are a valid Belgian national number.

    Random ids are left out: one in some hundred thousand would pass by chance.
    """
    return any(_valid(run.group()) for run in _RUN.finditer(_UUID.sub(" ", text)))


def _valid(digits: str) -> bool:
    """Apply the check of modulus 97; from 2000 on a 2 is put before the nine digits."""
    number, control = int(digits[:9]), int(digits[9:])
    return control in (97 - number % 97, 97 - (2_000_000_000 + number) % 97)
