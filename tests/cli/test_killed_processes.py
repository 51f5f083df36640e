"""A process of a command is killed, by the kernel when memory is short: the command says so."""

from __future__ import annotations

import asyncio
import multiprocessing
from pathlib import Path

import pytest
from click.testing import CliRunner

from streams.casework import ranges
from streams.cli import main
from tests.domain import given
from tests.meanwhile import once
from tests.producers import FILE
from tests.stopped_clock import stop_clock
from tests.world import World

pytestmark = pytest.mark.server

_SHARES = 40


def _kill_the_first() -> None:
    for child in multiprocessing.active_children()[:1]:
        child.kill()


@pytest.mark.parametrize(
    "words",
    [
        ["rebuild"],
        ["rebuild", "--check", "--json"],
        ["offices", "plan", "--change", "{folder}/directory.toml"],
        ["whatif", "--policy", "{folder}/policy.toml", "--as", "J. Peeters", "--reason", "a trial"],
    ],
    ids=lambda words: "-".join(words[:2]),
)
async def test_the_command_ends_says_why_and_does_the_work_when_it_is_called_again(
    world: World,
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
) -> None:
    stop_clock(database_url, given.WEDNESDAY)
    for number in range(_SHARES):
        await world.arrive(given.order(order_id=f"order-{number}"), case_id=f"case-{number:04}")
    monkeypatch.setattr(ranges, "_CASES", 1)
    monkeypatch.setattr(ranges, "_SHARE", 1)
    (tmp_path / "directory.toml").write_text(given.ref().directory.body)
    (tmp_path / "policy.toml").write_text(given.ref().policy.body)
    command = [word.replace("{folder}", str(tmp_path)) for word in words] + ["--processes", "2"]
    environment = {"ICAM_DATABASE__URL": database_url, "ICAM_PRODUCERS_FILE": str(FILE)}

    def called() -> tuple[int, str]:
        shown = CliRunner().invoke(main, command, env=environment, catch_exceptions=False)
        return shown.exit_code, shown.stderr

    with once(multiprocessing.active_children, _kill_the_first):
        code, errors = await asyncio.to_thread(called)

    assert code == 3, errors
    assert "a process of this command ended by SIGKILL" in errors
    assert "Traceback" not in errors
    assert ("--resume FILE a run can go on later" in errors) == (words[0] == "whatif")
    assert not multiprocessing.active_children()
    assert (await asyncio.to_thread(called))[0] == 0
