"""Check that texts written by the pipeline hold no national number and no canary.

A canary is a text that a test puts into records in place of a person's name: a text that repeats it
would repeat a name as well. The raw records in dead letters are exempt.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from streams.audit.database import Snapshot
from streams.audit.findings import Check

_ELEVEN_DIGITS: Final = re.compile(r"(?<![0-9])[0-9]{11}(?![0-9])")
_UUID: Final = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_RANDOM: Final = re.compile(r"(?<![0-9A-Za-z])(?:[0-9a-f]{8}){2,8}(?![0-9A-Za-z])")


def check_privacy(
    check: Check, snapshot: Snapshot, canaries: Sequence[str], texts: Mapping[str, str]
) -> None:
    """Check details and notes of dead letters, headers of outbox rows, and ``texts``.

    ``texts`` are logs, metrics and other texts of the pipeline, by name. Bodies of outbox rows are
    searched for canaries only. A finding gives a canary's number in the list, never its text.
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
    for name, text in texts.items():
        for number, line in enumerate(text.splitlines(), 1):
            _check_text(check, f"{name}:{number}", line, canaries)
    if canaries:
        for reference, text in snapshot.rows(
            "SELECT 'outbox ' || position, body::text FROM outbox"
        ):
            _check_canaries(check, reference, text, canaries)


def _check_text(check: Check, reference: str, text: str, canaries: Sequence[str]) -> None:
    check.compared += 1
    check.expect(not has_national_number(text), reference, "contains a national number")
    _check_canaries(check, reference, text, canaries)


def _check_canaries(check: Check, reference: str, text: str, canaries: Sequence[str]) -> None:
    for number, canary in enumerate(canaries, 1):
        check.expect(canary not in text, reference, f"contains canary {number}")


def has_national_number(text: str) -> bool:
    """Return whether a text contains eleven digits that form a valid Belgian national number.

    Random ids are skipped, as one in some thousands would match by chance: UUIDs, and 16, 24, ...
    64 hexadecimal digits.
    """
    others = _RANDOM.sub(" ", _UUID.sub(" ", text))
    return any(_valid(digits.group()) for digits in _ELEVEN_DIGITS.finditer(others))


def _valid(digits: str) -> bool:
    """Verify the modulus 97 check digits; for births from 2000 on, a 2 precedes the nine digits."""
    number, control = int(digits[:9]), int(digits[9:])
    return control in (97 - number % 97, 97 - (2_000_000_000 + number) % 97)
