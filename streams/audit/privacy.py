"""What we write ourselves holds no national number and no canary; raw evidence is exempt.

A canary is a text that a test puts into records, where a name would stand: whatever of ours repeats
it would repeat a name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from streams.audit.database import Snapshot
from streams.audit.findings import Check

_RUN: Final = re.compile(r"(?<![0-9])[0-9]{11}(?![0-9])")
_UUID: Final = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)


def check_privacy(
    check: Check, snapshot: Snapshot, canaries: Sequence[str], papers: Mapping[str, str]
) -> None:
    """Prove that details and notes of dead letters, and what is announced, hold no national number
    and no canary; nor do ``papers``: logs, metrics and other texts of ours, by name.

    A canary is named by its place in the list, never repeated.
    """
    rows = snapshot.rows(
        """
        SELECT 'dead_letter ' || dead_letter_id, detail || ' ' || coalesce(resolved_note, '')
        FROM dead_letter
        UNION ALL
        SELECT 'outbox ' || position, headers::text FROM outbox
        """
    )
    for reference, text in rows:
        _check_text(check, reference, text, canaries)
    for name, text in papers.items():
        for number, line in enumerate(text.splitlines(), 1):
            _check_text(check, f"{name}:{number}", line, canaries)
    if canaries:
        for reference, text in snapshot.rows(
            "SELECT 'outbox ' || position, body::text FROM outbox"
        ):
            _check_canaries(check, reference, text, canaries)


def _check_text(check: Check, reference: str, text: str, canaries: Sequence[str]) -> None:
    check.compared += 1
    check.expect(not names_a_person(text), reference, "holds a national number")
    _check_canaries(check, reference, text, canaries)


def _check_canaries(check: Check, reference: str, text: str, canaries: Sequence[str]) -> None:
    for number, canary in enumerate(canaries, 1):
        check.expect(canary not in text, reference, f"repeats canary {number} of a record")


def names_a_person(text: str) -> bool:
    """Whether a text holds eleven digits that are a valid Belgian national number.

    Random ids are left out: one in some hundred thousand would pass by chance.
    """
    return any(_valid(run.group()) for run in _RUN.finditer(_UUID.sub(" ", text)))


def _valid(digits: str) -> bool:
    """Apply the check of modulus 97; from 2000 on a 2 is put before the nine digits."""
    number, control = int(digits[:9]), int(digits[9:])
    return control in (97 - number % 97, 97 - (2_000_000_000 + number) % 97)
