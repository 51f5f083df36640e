"""Every role is alive without its servers, logs JSON, and stops on SIGTERM."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from streams.embedded.ports import free_port
from streams.embedded.worker import Role, RoleProcess
from tests.pipeline.stage import until

pytestmark = pytest.mark.server

ROLES: tuple[Role, ...] = ("exporter", "canary", "board")


@pytest.mark.parametrize("name", ROLES)
def test_a_role_without_its_servers_is_alive_and_not_ready(name: Role, tmp_path: Path) -> None:
    unused_port = free_port()
    environment = {
        "ICAM_KAFKA__BOOTSTRAP_SERVERS": f"127.0.0.1:{unused_port}",
        "ICAM_DATABASE__URL": f"postgresql://postgres@127.0.0.1:{unused_port}/none",
        "ICAM_CANARY__PATIENCE_SECONDS": "1",
    }
    process = RoleProcess(name, tmp_path, environment)
    process.start(wait=False)
    try:
        until(lambda: process.probe("livez")[0] == 200, 30, "it answers")
        assert process.probe("readyz")[0] == 503
        assert "icam_build_info" in process.metrics()
    finally:
        code = process.stop()

    assert code == 0
    lines = process.log.read_text().splitlines()
    assert lines
    assert all("event" in json.loads(line) for line in lines)
