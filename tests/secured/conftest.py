"""One secured broker for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.secured.node import SecuredNode


@pytest.fixture(scope="session")
def secured_node(
    kafka_libraries: None,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[SecuredNode]:
    with SecuredNode(tmp_path_factory.mktemp("secured")) as node:
        yield node
