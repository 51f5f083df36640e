"""A worker that is frozen while it holds cases keeps nobody from them for long."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.pipeline.histories import history, valid_ids
from tests.pipeline.stage import Stage, until

pytestmark = pytest.mark.kafka


def _is_frozen(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def test_a_worker_that_froze_in_a_statement_gives_up_its_cases(stage: Stage) -> None:
    """No limit of PostgreSQL ends its session: another worker does."""
    script = Path(__file__).with_name("freezing_worker.py")
    frozen, other = stage.worker("frozen", script), stage.worker("other")
    frozen.start()
    planned = history(scale=0.1)
    stage.publish(item.record for item in planned)
    until(lambda: _is_frozen(frozen.pid), 20, "it freezes")

    other.start()
    stage.drain()

    assert "frozen_session_ended" in other.log.read_text()
    os.kill(frozen.pid, signal.SIGCONT)
    until(lambda: frozen.probe("readyz")[0] == 200, 30, "it works again")
    assert stage.audit(produced=valid_ids(planned)).findings == ()
    assert frozen.stop() == 0
    assert other.stop() == 0
