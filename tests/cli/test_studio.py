"""``icam studio`` as its own process, on a real database and with the real replay."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest
from click.testing import CliRunner

from streams.cli import main
from tests.deploy.files import ROLES
from tests.deploy.grants import ALL_ROLES, AUDITOR, OPERATOR, READER
from tests.domain import given
from tests.world import World

pytestmark = pytest.mark.server

_SAID: Final = ("--as", "J. Peeters", "--reason", "ticket 4711")
_MAY: Final = (READER, OPERATOR, AUDITOR)
DRAFT: Final = given.ref().policy.body.replace('id = "silence"', 'id = "silence-again"')
"""Another rule makes the same proposal, at whatever date the test runs."""
OFFICES: Final = given.ref().directory.body.replace(
    'province = "BE-VOV"\noffice_id = "gent"', 'province = "BE-VOV"\noffice_id = "antwerpen"', 1
)
"""Another office follows the case."""


class Served:
    """A studio that runs: what it printed, and its answers."""

    def __init__(self, address: str) -> None:
        self.origin, _, self.token = address.partition("/#")

    def ask(self, path: str, content: Any = None) -> Any:
        """Return an answer; post if there is content."""
        request = urllib.request.Request(  # noqa: S310
            f"{self.origin}{path}",
            None if content is None else json.dumps(content).encode(),
            {
                "Authorization": f"Bearer {self.token}",
                "Origin": self.origin,
                "Content-Type": "application/json",
            },
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            body = answer.read()
        is_json = answer.headers.get_content_type() == "application/json"
        return json.loads(body) if is_json else body.decode()

    def begin(self, policy: str, directory: str = "", **more: Any) -> None:
        """Look at drafts, then try them."""
        seen = self.ask(f"/changes?policy={policy}&directory={directory}")
        drafts = {
            kind: {"name": seen[kind]["name"], "digest": seen[kind]["digest"]}
            for kind in ("policy", "directory")
            if seen[kind]
        }
        self.ask("/run", {**drafts, "base": seen["base"]["digests"], **more})

    def run(self, policy: str, directory: str = "", **more: Any) -> Any:
        """Try drafts to the end."""
        self.begin(policy, directory, **more)
        version = 0
        while True:
            state = self.ask(f"/state?after={version}")
            if state:
                version = state["version"]
                if state["run"]["step"] not in ("running", "stopping"):
                    return state["run"]


@contextmanager
def served(folder: Path, environment: dict[str, str], *options: str) -> Iterator[Served]:
    command = [sys.executable, "-m", "streams", "studio", str(folder), "--port", "0", *options]
    with subprocess.Popen(
        command, env=os.environ | environment, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            first = next((line for line in process.stdout if line.startswith("open ")), "")
            assert first, "it printed no address"
            yield Served(first.removeprefix("open ").strip())
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "drafts"
    made.mkdir()
    (made / "draft.toml").write_text(DRAFT)
    (made / "same.toml").write_text(given.ref().policy.body)
    (made / "offices.toml").write_text(OFFICES)
    return made


@pytest.fixture
async def url(world: World, database_url: str) -> str:
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute(ROLES.read_bytes())
    await world.arrive(given.order(), given.miss(1))
    return database_url


def environment(url: str, role: str) -> dict[str, str]:
    return {"ICAM_DATABASE__URL": url.replace("//postgres@", f"//{role}@")}


async def test_a_draft_is_tried_and_the_reading_of_its_cases_is_recorded(
    url: str, folder: Path, tmp_path: Path
) -> None:
    def tried() -> tuple[Any, Any, str]:
        with served(folder, environment(url, AUDITOR), *_SAID) as studio:
            assert studio.ask("/drafts")["policy"] == ["draft.toml", "same.toml"]
            run = studio.run("draft.toml")
            assert run["step"] == "done", run
            found = studio.ask(f"/result/{run['key']}")
            return run, found, studio.ask(f"/report/{run['key']}?lang=nl")

    run, found, report = await asyncio.to_thread(tried)

    (example,) = found["en"]["examples"]
    assert given.CASE_ID in example["case"]
    assert run["done"] == run["of"] > 0
    with psycopg.connect(url) as owner:
        stored = owner.execute(
            "SELECT what, case_ids, reader, login, reason FROM case_access ORDER BY access_id"
        ).fetchall()
    said = ("J. Peeters", AUDITOR, "ticket 4711")
    assert stored == [
        ("studio", [], *said),
        ("studio --policy draft.toml", [given.CASE_ID], *said),
    ]
    file = tmp_path / "report.html"
    command = ["whatif", "--policy", str(folder / "draft.toml"), "--lang", "nl", *_SAID]
    shown = await asyncio.to_thread(
        CliRunner().invoke,
        main,
        [*command, "--html", str(file)],
        env=environment(url, AUDITOR),
    )
    assert shown.exit_code == 0, shown.output
    assert file.read_text() == report


async def test_offices_are_tried_with_the_options_of_the_command(
    url: str, folder: Path, tmp_path: Path
) -> None:
    asked = {"since": "2020-01-01", "as_dated": True}

    def tried() -> tuple[Any, str]:
        with served(folder, environment(url, AUDITOR), *_SAID) as studio:
            run = studio.run("", "offices.toml", **asked)
            assert run["step"] == "done", run
            found = studio.ask(f"/result/{run['key']}")
            return found, studio.ask(f"/report/{run['key']}?lang=de")

    found, report = await asyncio.to_thread(tried)

    offices = {row["name"] for table in found["en"]["tables"] for row in table["rows"]}
    assert {"Ghent", "Antwerp"} <= offices
    with psycopg.connect(url) as owner:
        (what,) = owner.execute(
            "SELECT what FROM case_access ORDER BY access_id DESC LIMIT 1"
        ).fetchone() or ("",)
    assert what == "studio --directory offices.toml --since 2019-12-31T23:00:00+00:00 --as-dated"
    file = tmp_path / "report.html"
    command = ["whatif", "--directory", str(folder / "offices.toml"), "--lang", "de", *_SAID]
    shown = await asyncio.to_thread(
        CliRunner().invoke,
        main,
        [*command, "--since", "2020-01-01", "--as-dated", "--html", str(file)],
        env=environment(url, AUDITOR),
    )
    assert shown.exit_code == 0, shown.output
    assert file.read_text() == report


async def test_an_unchanged_draft_changes_nothing(url: str, folder: Path) -> None:
    def tried() -> Any:
        with served(folder, environment(url, AUDITOR), *_SAID) as studio:
            return studio.ask(f"/result/{studio.run('same.toml')['key']}")

    found = await asyncio.to_thread(tried)
    assert "would have changed nothing" in found["en"]["answer"]
    assert found["en"]["examples"] == []


async def test_it_writes_nothing_but_who_reads(url: str, folder: Path) -> None:
    counted = (
        "SELECT (SELECT count(*) FROM case_event), (SELECT count(*) FROM escalation),"
        " (SELECT count(*) FROM outbox), (SELECT count(*) FROM reference_table),"
        " (SELECT md5(string_agg(p::text, '' ORDER BY case_id)) FROM case_projection AS p)"
    )
    with psycopg.connect(url, autocommit=True) as owner:
        before = owner.execute(counted).fetchone()

        def tried() -> None:
            with served(folder, environment(url, AUDITOR), *_SAID) as studio:
                studio.run("draft.toml")

        await asyncio.to_thread(tried)
        assert owner.execute(counted).fetchone() == before


@pytest.mark.parametrize("role", _MAY)
async def test_it_opens_for_those_who_may_read_cases(url: str, folder: Path, role: str) -> None:
    def opened() -> Any:
        with served(folder, environment(url, role), *_SAID) as studio:
            with pytest.raises(urllib.error.HTTPError, match="401"):
                Served(f"{studio.origin}/#wrong").ask("/drafts")
            return studio.ask("/changes?policy=draft.toml")["base"]["policy"]

    assert await asyncio.to_thread(opened) == given.ref().policy.version


def refused(folder: Path, environment: dict[str, str], *options: str) -> Any:
    arguments = ["studio", str(folder), "--port", "0", *options]
    return CliRunner().invoke(main, arguments, env=environment)


@pytest.mark.parametrize("role", [role for role in ALL_ROLES if role not in _MAY])
async def test_it_is_refused_to_every_other_role_at_the_start(
    url: str, folder: Path, role: str
) -> None:
    shown = await asyncio.to_thread(refused, folder, environment(url, role), *_SAID)

    assert (shown.exit_code, shown.stdout) == (3, ""), shown.output
    assert "roles.sql" in shown.stderr


async def test_a_shared_login_says_who_reads_and_why(url: str, folder: Path) -> None:
    shown = await asyncio.to_thread(refused, folder, environment(url, AUDITOR))

    assert (shown.exit_code, shown.stdout) == (2, "")
    assert "say who reads and why" in shown.stderr


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "localhost"])  # noqa: S104
async def test_it_listens_on_loopback_only(url: str, folder: Path, host: str) -> None:
    given_host = ("--host", host, *_SAID)
    shown = await asyncio.to_thread(refused, folder, environment(url, AUDITOR), *given_host)

    assert (shown.exit_code, shown.stdout) == (2, "")
    assert "loopback" in shown.stderr


async def test_a_folder_that_is_missing_is_a_usage_error(url: str, tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    shown = await asyncio.to_thread(refused, missing, environment(url, AUDITOR), *_SAID)

    assert shown.exit_code == 2
    assert "missing" in shown.stderr


_COPIES: Final = """
INSERT INTO case_event (
    event_id, case_id, type, source, occurred_at, payload, digest, topic, "partition", "offset"
)
SELECT gen_random_uuid(), 'copy-' || n, type, source, occurred_at, payload, digest, topic, 0, n
FROM case_event, generate_series(1, 20000) AS n WHERE type = 'icam.oqt-issued.v1'
"""
"""More cases than one process takes at a time."""


@pytest.mark.slow
async def test_a_run_in_several_processes_ends_when_it_is_cancelled(url: str, folder: Path) -> None:
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute(_COPIES)

    def cancelled() -> Any:
        with served(folder, environment(url, AUDITOR), *_SAID, "--processes", "2") as studio:
            studio.begin("draft.toml")
            run, version = studio.ask("/state")["run"], 0
            while not run["of"]:
                state = studio.ask(f"/state?after={version}")
                run, version = state["run"], state["version"]
            assert run["step"] == "running"
            studio.ask("/cancel", {})
            while run["step"] in ("running", "stopping"):
                state = studio.ask(f"/state?after={version}") or {"run": run, "version": version}
                run, version = state["run"], state["version"]
            return run

    run = await asyncio.to_thread(cancelled)
    assert run["step"] == "cancelled"
    assert run["of"] == 21
    with psycopg.connect(url) as owner:
        shown = owner.execute("SELECT what, case_ids FROM case_access").fetchall()
    assert shown == [("studio", [])]
