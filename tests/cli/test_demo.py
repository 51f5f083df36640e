"""``icam demo`` ends at once when it can't go on, also while it publishes slowly."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from streams.cli.demo_run import DemoPlan, DemoRun
from streams.embedded.errors import ServerEnded
from tests.meanwhile import once

pytestmark = pytest.mark.server

PLAN = DemoPlan(seed=1, scale=0.1, days=90, rate=2, language="en")
"""To publish all of it would take a quarter of an hour."""


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[DemoRun]:
    with DemoRun(tmp_path, PLAN, Console(file=StringIO())) as run:
        yield run


@pytest.fixture
def heeds_ctrl_c() -> Iterator[None]:
    """Let Ctrl-C interrupt: who runs in the background of a script ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_a_process_that_is_killed_ends_the_demo(demo: DemoRun) -> None:
    with once(lambda: demo.published, demo.worker.kill), pytest.raises(ServerEnded) as raised:
        demo.run()
    log = demo.worker.log
    assert str(raised.value) == f"the worker ended with -9: see {log}, then start again"


def test_a_server_that_is_stopped_ends_the_demo(demo: DemoRun) -> None:
    with (
        once(lambda: demo.published, demo.database.stop),
        pytest.raises(ServerEnded, match="the embedded PostgreSQL ended: start again"),
    ):
        demo.run()


@pytest.mark.usefixtures("heeds_ctrl_c")
def test_ctrl_c_while_it_publishes_ends_the_demo(demo: DemoRun) -> None:
    def press() -> None:
        os.kill(os.getpid(), signal.SIGINT)

    with once(lambda: demo.published, press), pytest.raises(KeyboardInterrupt):
        demo.run()
