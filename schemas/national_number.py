"""Recognise Belgian national numbers and BIS numbers, which no reference may contain.

A number has eleven digits: the date of birth (YYMMDD), a serial number, and two check digits,
which are 97 minus the first nine digits modulo 97; a 2 goes before them for births from 2000 on. A
BIS number adds 20 or 40 to the month. Parts of the date that are unknown may be out of range.

The verdict does not depend on today's date: a record that was accepted stays accepted.

Source: [STDNUM] in docs/domain.md, which is the oracle of the tests.
"""

from __future__ import annotations

import re
from typing import Final

_LIKELY: Final = re.compile(r"[0-9][-_.0-9]{9,14}[0-9]")
"""Much quicker to search than ``_WRITTEN``, and found wherever that is."""
_WRITTEN: Final = re.compile(
    r"(?<![0-9])([0-9]{2})[-_.]?([0-9]{2})[-_.]?([0-9]{2})[-_.]?([0-9]{3})[-_.]?([0-9]{2})(?![0-9])"
)
_BIS: Final = (0, 20, 40)


def contains(text: str) -> bool:
    """Return whether a valid number stands anywhere in a text, plain or with separators.

    A number is found between other characters than digits: of longer runs of digits, one in a few
    hundred would have valid check digits by accident.
    """
    if _LIKELY.search(text) is None:
        return False
    return any(_is_valid("".join(parts)) for parts in _WRITTEN.findall(text))


def _is_valid(digits: str) -> bool:
    if not any(0 <= int(digits[2:4]) - more <= 12 for more in _BIS) or not int(digits):
        return False
    check = int(digits[9:])
    return any(97 - int(century + digits[:9]) % 97 == check for century in ("", "2"))
