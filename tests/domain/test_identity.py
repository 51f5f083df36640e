"""Ids of escalations and messages."""

from __future__ import annotations

from uuid import uuid5

from hypothesis import given
from hypothesis import strategies as st

from streams.domain.identity import NAMESPACE, name_id


@given(st.text())
def test_an_id_is_the_uuid_of_version_5_of_its_name(name: str) -> None:
    # The auditor and subscribers compute it so.
    found = name_id(name)
    assert found == uuid5(NAMESPACE, name)
    assert (found.version, found.variant) == (5, uuid5(NAMESPACE, name).variant)
