"""PostgreSQL keeps committed rows, and leaves no process, however it ends."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from streams.embedded import process
from streams.embedded.errors import ServerDidNotStart, ToolMissing
from streams.embedded.postgres import EmbeddedPostgres
from tests.embedded.orphans import left_by_a_killed_parent

pytestmark = pytest.mark.server

CAP_DAC_OVERRIDE = 1 << 1


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres(tmp_path_factory.mktemp("pg"), {"work_mem": "7MB"}) as running:
        yield running


def _processes(server: EmbeddedPostgres) -> list[int]:
    return process.titled(_show(server, "cluster_name"))


def _show(server: EmbeddedPostgres, name: str) -> str:
    with psycopg.connect(server.url) as conn:
        row = conn.execute("SELECT current_setting(%s)", [name]).fetchone()
    assert row is not None
    return str(row[0])


def test_settings_are_taken_and_durability_is_the_default(server: EmbeddedPostgres) -> None:
    assert _show(server, "work_mem") == "7MB"
    assert _show(server, "fsync") == _show(server, "synchronous_commit") == "on"
    assert _show(server, "server_encoding") == "UTF8"


def test_it_listens_on_this_machine_alone(server: EmbeddedPostgres) -> None:
    assert _show(server, "listen_addresses") == "127.0.0.1"
    assert _show(server, "unix_socket_directories") == ""


def test_it_does_not_run_as_root(server: EmbeddedPostgres) -> None:
    assert all(Path(f"/proc/{pid}").stat().st_uid != 0 for pid in _processes(server))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL under another account")
def test_root_runs_it_below_a_directory_that_only_root_may_enter(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with EmbeddedPostgres(tmp_path / "pg", {"fsync": "off"}) as server:
        ours = {
            line.partition(":")[0]: line.split()
            for line in Path(f"/proc/{_processes(server)[0]}/status").read_text().splitlines()
        }

    assert "0" not in ours["Uid"]
    assert "0" not in ours["Gid"]
    assert int(ours["CapEff"][1], 16) == CAP_DAC_OVERRIDE


def test_a_program_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")

    with pytest.raises(ToolMissing, match="install util-linux"):
        process.leashed(["true"])


def test_committed_rows_survive_a_kill(server: EmbeddedPostgres) -> None:
    url, family = server.url, _processes(server)
    with psycopg.connect(url) as conn:
        conn.execute("CREATE TABLE kept AS SELECT 1 AS n")
        conn.commit()
        server.kill()
    assert all(process.ended(pid, 0) for pid in family)

    server.start()

    assert server.url == url
    with psycopg.connect(url) as conn:
        assert conn.execute("SELECT n FROM kept").fetchone() == (1,)


def test_it_starts_again_after_somebody_else_killed_it(server: EmbeddedPostgres) -> None:
    with psycopg.connect(server.url):
        # Process ids wrap around, so the smallest need not be the server's.
        main = int(
            (Path(_show(server, "data_directory")) / "postmaster.pid").read_text().split()[0]
        )
        os.kill(main, 9)
        assert process.ended(main, 10)
        server.start()

    assert _show(server, "work_mem") == "7MB"


def test_it_survives_the_thread_that_started_it(server: EmbeddedPostgres) -> None:
    thread = threading.Thread(target=server.restart)
    thread.start()
    thread.join()

    assert _show(server, "work_mem") == "7MB"


def test_stop_leaves_no_process(server: EmbeddedPostgres) -> None:
    family = _processes(server)

    with psycopg.connect(server.url):
        server.stop()

    assert all(process.ended(pid, 0) for pid in family)
    assert not server.running
    server.start()


def test_two_in_one_directory_are_told_apart(
    server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "ended", lambda *_: False)

    with pytest.raises(ServerDidNotStart, match="stop it first"):
        EmbeddedPostgres(server.directory).start()

    assert server.running


def test_a_setting_that_is_none_is_told_with_the_log(tmp_path: Path) -> None:
    with pytest.raises(ServerDidNotStart, match="no_such_setting"):
        EmbeddedPostgres(tmp_path, {"no_such_setting": "1", "fsync": "off"}).start()


def test_it_is_gone_when_its_parent_is_killed_and_starts_again(server: EmbeddedPostgres) -> None:
    server.stop()
    family = left_by_a_killed_parent(
        "from pathlib import Path\n"
        "from streams.embedded.postgres import EmbeddedPostgres\n"
        "from streams.embedded import process\n"
        f"server = EmbeddedPostgres(Path({str(server.directory)!r}))\n"
        "server.start()\n"
        "print(*process.titled(server._name), flush=True)"
    )

    server.start()

    assert len(family) > 1
    assert all(process.ended(pid, 0) for pid in family)
