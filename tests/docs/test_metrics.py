"""The page of metrics says what is exported, and no process ever exports too much."""

from __future__ import annotations

import re

import pytest

from tests.docs import cardinality, metrics

ROLES = cardinality.roles()


def test_the_page_is_what_the_code_says() -> None:
    assert metrics.PAGE.read_text() == metrics.page(), "write it again: make metrics"


@pytest.mark.parametrize("role", ROLES)
def test_a_process_has_two_thousand_series_at_most(role: str) -> None:
    _, most = ROLES[role]

    assert most <= cardinality.MOST, f"a {role} has {most} series when every label is filled"


@pytest.mark.parametrize("role", ROLES)
def test_every_label_was_filled_to_count_them(role: str) -> None:
    assert cardinality.never_filled(ROLES[role][0]) == set()


def test_names_follow_the_conventions_of_prometheus() -> None:
    told = re.findall(r"^\| `(\w+)` \| (\w+) \|", metrics.page(), re.MULTILINE)

    assert len(told) > 40
    for name, kind in told:
        assert name.startswith("icam_")
        assert name.endswith("_total") == (kind == "counter")
        assert not re.search(r"_(milliseconds|ms|minutes|hours|days|percent)\b", name)
