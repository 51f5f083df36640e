"""A worker that must not start says why and ends. On the test double: nothing is delivered."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams import reference
from streams.embedded.broker import EmbeddedBroker
from streams.embedded.worker import WorkerProcess
from tests.pipeline.stage import until


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            ("valid_from = 2026-01-01", "valid_from = 2099-01-01"),
            "is valid from 2099-01-01, not before",
        ),
        (("level = 5", "level = 6"), "level 6 is not 1 to 5"),
    ],
)
def test_a_policy_that_can_not_be_used_ends_the_worker(
    change: tuple[str, str],
    says: str,
    database_url: str,
    mock_broker: EmbeddedBroker,
    tmp_path: Path,
) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text((reference.HERE / "policy.toml").read_text().replace(*change, 1))
    worker = WorkerProcess(
        tmp_path / "worker",
        {
            "ICAM_DATABASE__URL": database_url,
            "ICAM_KAFKA__BOOTSTRAP_SERVERS": mock_broker.bootstrap_servers,
            "ICAM_POLICY_FILE": str(policy),
        },
    )

    worker.start(wait=False)
    until(lambda: worker.exit_code is not None, 30, "it ended")

    assert worker.exit_code == 1
    assert says in worker.log.read_text()


def test_a_database_that_was_not_migrated_ends_the_worker(
    server_url: str, mock_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    worker = WorkerProcess(
        tmp_path / "worker",
        {
            "ICAM_DATABASE__URL": server_url,
            "ICAM_KAFKA__BOOTSTRAP_SERVERS": mock_broker.bootstrap_servers,
        },
    )

    worker.start(wait=False)
    until(lambda: worker.exit_code is not None, 30, "it ended")

    assert worker.exit_code == 1
    assert "run icam migrate" in worker.log.read_text()
