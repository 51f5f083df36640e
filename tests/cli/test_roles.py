"""Every command runs with its database role, and says in one line that a role may not run it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final

import click
import psycopg
import pytest
from click.testing import CliRunner, Result

from streams.cli import main
from streams.embedded.broker import EmbeddedBroker
from streams.embedded.worker import Role, RoleProcess
from streams.reference import HERE
from streams.runtime.settings import DatabaseSettings
from streams.store.pool import open_pool
from tests.deploy.files import ROLES
from tests.deploy.grants import (
    ALL_ROLES,
    AUDITOR,
    BOARD,
    CHECKPOINT,
    EXPORTER,
    OPERATOR,
    POLICY,
    READER,
    WORKER,
)
from tests.domain import given
from tests.pipeline.stage import until
from tests.world import World

pytestmark = pytest.mark.server

_DRAFT: Final = HERE / "policy.toml"
"""The policy in force: to publish it again changes nothing."""
ALL_BUT_CHECKPOINT: Final = tuple(role for role in ALL_ROLES if role != CHECKPOINT)
_DIRECTORY: Final = HERE / "directory.toml"
_SAID: Final = "--as official --why test"
_RUN_AS: Final[dict[str, tuple[str, ...]]] = {
    f"access case-0001 {_SAID}": (AUDITOR,),
    "audit": (AUDITOR,),
    f"case case-0001 {_SAID}": (READER, OPERATOR, AUDITOR),
    "dead-letters approve 1 --note x": (OPERATOR,),
    "dead-letters discard 1 --note x": (OPERATOR,),
    f"dead-letters list {_SAID}": (READER, OPERATOR, AUDITOR),
    "dead-letters replay 1 --note x": (OPERATOR,),
    f"dead-letters show 1 {_SAID}": (OPERATOR, AUDITOR),
    f"escalations {_SAID}": (READER, OPERATOR, AUDITOR),
    f"explain case-0001 {_SAID}": (READER, OPERATOR, AUDITOR),
    "gaps list": (READER, OPERATOR, AUDITOR),
    "gaps resolve 1 --note x": (OPERATOR,),
    "migrate --check": ALL_ROLES,
    "offices show": ALL_BUT_CHECKPOINT,
    f"offices plan --change {_DIRECTORY}": (READER, OPERATOR, AUDITOR, POLICY),
    "policy list": (AUDITOR, POLICY),
    "policy migrate --to 2026.2 --apply --because x": (POLICY,),
    f"policy publish {_DRAFT} --because x": (POLICY,),
    "policy withdraw 2026.2 --because x": (POLICY,),
    "policy show 2026.2": ALL_BUT_CHECKPOINT,
    "rebuild --check --processes 1": (WORKER, READER),
    "report fairness": (READER, OPERATOR, AUDITOR),
    "report monthly": (READER, OPERATOR, AUDITOR),
    f"whatif --policy {_DRAFT} {_SAID}": (READER, OPERATOR, AUDITOR),
    f"worklist --office gent {_SAID}": (READER, OPERATOR, AUDITOR),
}
"""The roles that may run each command."""
_SERVES: Final[dict[Role, str]] = {"exporter": EXPORTER, "board": BOARD}
_ALIVE: Final = "worker"
"""Waits, not ready, for a privilege or password: a restart would end the batches of its lanes."""
_ELSEWHERE: Final = ("doctor", "audit chain", "checkpoint sign", "studio")
"""``doctor`` of every role in tests/docs/test_securing.py; ``studio``, which serves a page, in
tests/cli/test_studio.py; the others, which need keys, in tests/pipeline/test_checkpoints.py."""
_WITHOUT_DATABASE: Final = (
    *("checkpoint export", "checkpoint new-key"),
    "policy lint",
    *("canary", "demo", "publish", "schemas export", "schemas list", "schemas show", "simulate"),
    "topics",
)


def _leaves(command: click.Command, words: tuple[str, ...] = ()) -> Iterator[str]:
    if isinstance(command, click.Group):
        if command.invoke_without_command:
            yield " ".join(words)
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from _leaves(below, (*words, name))
    else:
        yield " ".join(words)


def test_every_command_has_a_decision() -> None:
    named = {
        leaf for leaf in _leaves(main) for line in _RUN_AS if f"{line} ".startswith(f"{leaf} ")
    }
    assert named | {*_SERVES, _ALIVE, *_ELSEWHERE, *_WITHOUT_DATABASE} == set(_leaves(main))
    assert len(named) == len(_RUN_AS)


class Icam:
    """Runs commands as any role on one database, with brokers that answer."""

    def __init__(self, url: str, broker: EmbeddedBroker) -> None:
        self._url, self._broker = url, broker

    def environment(self, role: str) -> dict[str, str]:
        return {
            "ICAM_DATABASE__URL": self._url.replace("//postgres@", f"//{role}@"),
            "ICAM_KAFKA__BOOTSTRAP_SERVERS": self._broker.bootstrap_servers,
            "ICAM_BOARD__STEP_KEY": "a secret of the tests",
            "COLUMNS": "300",
        }

    async def __call__(self, role: str, line: str) -> Result:
        return await asyncio.to_thread(
            CliRunner().invoke, main, line.split(), env=self.environment(role)
        )


@pytest.fixture
async def icam(world: World, database_url: str, mock_broker: EmbeddedBroker) -> AsyncIterator[Icam]:
    """A case, a dead letter and a gap, the roles, and a worker that does what it is asked for."""
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute(ROLES.read_bytes())
        owner.execute(
            'INSERT INTO input_gap (topic, "partition", first_offset, next_offset, reason)'
            " VALUES ('icam.oqt-issued.v1', 0, 0, 1, 'deleted')"
        )
    await world.arrive(given.order(), given.miss(1), case_id="case-0001")
    await world.take([world.record(given.miss(2), case_id="case-0001", value=b"{")])
    icam = Icam(database_url, mock_broker)
    as_worker = icam.environment(WORKER)["ICAM_DATABASE__URL"]
    pool = await open_pool(DatabaseSettings(url=as_worker), "test")
    loop = asyncio.create_task(World(pool, world.ref).requests.run())
    yield icam
    loop.cancel()
    pool.terminate()


async def test_each_command_runs_with_its_roles(icam: Icam) -> None:
    for line, roles in _RUN_AS.items():
        for role in roles:
            shown = await icam(role, line)
            said = f"{role}: icam {line}: {shown.output} {shown.exception!r}"
            assert isinstance(shown.exception, SystemExit | None), said
            assert "permission denied" not in shown.output, said
            assert shown.exit_code in (0, 1), said


async def test_a_role_that_may_not_run_a_command_is_told_so_in_one_line(icam: Icam) -> None:
    """The board may run nothing but its page; a stranger is no role at all."""
    for line, roles in _RUN_AS.items():
        for role, says in ((BOARD, "roles.sql"), ("stranger", "pg_hba.conf")):
            if role in roles:
                continue
            shown = await icam(role, line)
            said = f"{role}: icam {line}: {shown.output} {shown.exception!r}"
            assert shown.exit_code == 3, said
            assert shown.stderr.count("\n") == 1, said
            assert shown.stderr.startswith("icam: "), said
            assert says in shown.stderr, said


async def test_a_service_ends_when_the_database_refuses_its_role(
    icam: Icam, tmp_path: Path
) -> None:
    """Otherwise it would stay alive and never be ready. The operator reads one line."""
    started = []
    for name in _SERVES:
        for role, says in ((OPERATOR, "roles.sql"), ("stranger", "pg_hba.conf")):
            process = RoleProcess(name, tmp_path / role, icam.environment(role))
            process.start(wait=False)
            started.append((process, says))
    try:
        until(lambda: all(one.exit_code is not None for one, _ in started), 60, "they end")
    finally:
        for process, _ in started:
            process.stop()
    for process, says in started:
        *_, last = process.log.read_text().splitlines()
        assert (process.exit_code, last[:16]) == (3, "icam: database: "), last
        assert says in last
        assert "Traceback" not in process.log.read_text()


async def test_a_service_is_ready_with_its_role(icam: Icam, tmp_path: Path) -> None:
    started = []
    for name, role in _SERVES.items():
        environment = icam.environment(role)
        if name == "exporter":
            audit = icam.environment(AUDITOR)["ICAM_DATABASE__URL"]
            environment["ICAM_AUDIT_DATABASE__URL"] = audit
        process = RoleProcess(name, tmp_path, environment)
        process.start(wait=False)
        started.append(process)
    try:
        until(lambda: all(process.ready() for process in started), 60, "they are ready")
    finally:
        assert [process.stop() for process in started] == [0, 0]
