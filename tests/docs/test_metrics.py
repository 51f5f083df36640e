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


def test_names_follow_the_conventions_of_prometheus() -> None:
    named = re.findall(r"^\| `(\w+)` \| (\w+) \|", metrics.page(), re.MULTILINE)

    assert len(named) > 40
    for name, kind in named:
        assert name.startswith("icam_")
        assert name.endswith("_total") == (kind == "counter")
        assert not re.search(r"_(milliseconds|ms|minutes|hours|days|percent)\b", name)
