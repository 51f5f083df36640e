"""The auditor finds a national number where the codec does, by code of its own."""

from __future__ import annotations

from random import Random

import pytest

from schemas import national_number
from streams.audit.privacy import has_national_number

FORMS = {
    "{}": True,
    "rrn-{}": True,
    "x{}y": True,
    "bad{}": True,
    "order-{}DCAFE": True,
    "order-0a1b2c3d4e5f6071-{}": True,
    "order_{}dcafe": False,
    "6ba7b810-9dad-11d1-80b4-a{}": False,
    "{}1": False,
}


@pytest.mark.parametrize(("form", "found"), FORMS.items())
def test_both_find_the_same(form: str, found: bool) -> None:
    text = form.format("85073003328")

    assert (has_national_number(text), national_number.contains(text)) == (found, found)


def test_no_random_id_is_taken_for_one() -> None:
    dice = Random(1)
    ids = [f"order_{dice.getrandbits(64):016x}" for _ in range(50_000)]

    assert [text for text in ids if has_national_number(text)] == []
