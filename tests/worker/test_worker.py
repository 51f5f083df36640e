"""A worker that must not start says why and ends. On the test double: nothing is delivered."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from streams import reference
from streams.embedded.broker import EmbeddedBroker
from streams.embedded.worker import WorkerProcess
from tests.pipeline.stage import until

ROOT = Path(__file__).parents[2]


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


def test_a_worker_in_an_empty_directory_makes_its_data_directory(
    server_url: str, mock_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    ended = _icam_worker(
        tmp_path,
        {
            "ICAM_DATABASE__URL": server_url,  # without tables: the worker ends by itself
            "ICAM_KAFKA__BOOTSTRAP_SERVERS": mock_broker.bootstrap_servers,
        },
    )

    assert "run icam migrate" in ended.stderr, "it came as far as the database"
    assert (tmp_path / ".run" / "worker").is_dir()


@pytest.mark.slow
@pytest.mark.parametrize("below", ["", "more"], ids=["a file", "below a file"])
def test_a_data_directory_that_can_not_be_made_is_named_with_what_to_do(
    below: str, tmp_path: Path
) -> None:
    file = tmp_path / "taken"
    file.touch()

    ended = _icam_worker(tmp_path, {"ICAM_DATA_DIRECTORY": str(file / below)})

    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert str(file / below) in line
    assert "ICAM_DATA_DIRECTORY" in line


@pytest.mark.slow
def test_a_worker_in_a_directory_that_it_may_not_write_says_so() -> None:
    ended = _icam_worker(Path("/proc"), {})

    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert "can't make /proc/.run/worker" in line


def _icam_worker(directory: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    inherited = {name: v for name, v in os.environ.items() if not name.startswith("ICAM_")}
    return subprocess.run(
        [sys.executable, "-m", "streams", "worker"],
        cwd=directory,
        env=inherited | {"PYTHONPATH": str(ROOT), "ICAM_HTTP__PORT": "0"} | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
