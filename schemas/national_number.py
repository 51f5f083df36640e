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
_RANDOM_ID: Final = re.compile(
    r"(?<![0-9A-Za-z])(?:[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|(?:[0-9a-f]{8}){2,8})"
    r"(?![0-9A-Za-z])"
)
"""A UUID, or 16, 24, ... 64 hexadecimal digits that stand alone."""
_BIS: Final = (0, 20, 40)


def contains(text: str) -> bool:
    """Return whether a valid number stands anywhere in a text, plain or with separators.

    A number is found between other characters than digits: of longer runs of digits, one in a few
    hundred would have valid check digits by accident. For the same reason one inside a random id
    does not count, which is a UUID or 16, 24, ... 64 lower-case hexadecimal digits that stand
    alone: of eight thousand such ids one would be refused.
    """
    if _LIKELY.search(text) is None:
        return False
    numbers = [one for one in _WRITTEN.finditer(text) if _is_valid("".join(one.groups()))]
    if not numbers:
        return False
    ids = list(_RANDOM_ID.finditer(text))
    return not all(
        any(own.start() <= number.start() and number.end() <= own.end() for own in ids)
        for number in numbers
    )


def _is_valid(digits: str) -> bool:
    if not any(0 <= int(digits[2:4]) - more <= 12 for more in _BIS) or not int(digits):
        return False
    check = int(digits[9:])
    return any(97 - int(century + digits[:9]) % 97 == check for century in ("", "2"))
