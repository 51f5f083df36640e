"""A process that crashes leaves no dump of its memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from streams.embedded.worker import RoleProcess
from tests.pipeline.stage import until

ABORT = "import os, resource; {}; os.abort()"
ALLOW = "_, hard = resource.getrlimit(4); resource.setrlimit(4, (hard, hard))"
TURN_OFF = "from streams.runtime import core_dumps; core_dumps.turn_off()"


def crash(script: str, directory: Path) -> bool:
    """Run a script that aborts; return whether the system says that it dumped."""
    running = subprocess.Popen([sys.executable, "-c", ABORT.format(script)], cwd=directory)
    _, status = os.waitpid(running.pid, 0)
    running.returncode = 0
    assert os.WIFSIGNALED(status)
    return os.WCOREDUMP(status)


def test_a_crash_dumps_nothing(tmp_path: Path) -> None:
    assert not crash(f"{ALLOW}; {TURN_OFF}", tmp_path)


def test_it_keeps_a_limit_of_nothing() -> None:
    script = "import resource; resource.setrlimit(resource.RLIMIT_CORE, (0, 0))"
    done = subprocess.run([sys.executable, "-c", f"{script}; {TURN_OFF}"], check=False)

    assert done.returncode == 0


@pytest.mark.server
def test_a_role_has_them_off(tmp_path: Path) -> None:
    away = {"ICAM_DATABASE__URL": "postgresql://nobody@127.0.0.1:1/none"}
    role = RoleProcess("exporter", tmp_path, away)
    role.start(wait=False)
    try:
        until(lambda: role.probe("livez")[0] == 200, 30, "its port is open")
        limits = Path(f"/proc/{role.pid}/limits").read_text()
    finally:
        role.stop()
    (line,) = [one for one in limits.splitlines() if "core file" in one]

    assert set(line.split()[4:6]) <= {"0", "1"}
