"""A real PgBouncer before the database: recognised in both modes, and refused with the reason."""

from __future__ import annotations

import os
import pwd
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import orjson
import pytest
from click.testing import CliRunner

from streams.cli import main
from streams.embedded import process
from streams.embedded.ports import free_port, listening
from tests.pipeline.stage import until

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("server_url")]

IGNORED: Final = (
    "jit, enable_seqscan, statement_timeout, lock_timeout, idle_in_transaction_session_timeout, "
    "synchronous_commit, default_transaction_isolation, tcp_keepalives_idle, "
    "tcp_keepalives_interval, tcp_user_timeout, extra_float_digits"
)
REASON: Final = "a connection pooler refuses or mixes up sessions: connect to PostgreSQL itself"


@contextmanager
def pooler(directory: Path, database_url: str, *, mode: str, ignored: str) -> Iterator[str]:
    """Run PgBouncer before a database, and return the URL that leads through it."""
    program = shutil.which("pgbouncer")
    if program is None:
        if os.environ.get("ICAM_REQUIRE_PGBOUNCER"):
            pytest.fail("ICAM_REQUIRE_PGBOUNCER is set, but PgBouncer is not installed")
        pytest.skip("PgBouncer is not installed: apt-get install pgbouncer")
    url, port = urlsplit(database_url), free_port()
    name = url.path.removeprefix("/")
    file = directory / "pgbouncer.ini"
    file.write_text(
        f"[databases]\n{name} = host=127.0.0.1 port={url.port} dbname={name} user=postgres\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nauth_type = any\n"
        f"pool_mode = {mode}\nunix_socket_dir =\nignore_startup_parameters = {ignored}\n"
    )
    nobody = pwd.getpwnam("nobody")
    # PgBouncer refuses to run as root.
    account = (nobody.pw_uid, nobody.pw_gid) if os.geteuid() == 0 else None
    if account is not None:
        for path in (directory, file):
            os.chown(path, *account)
    running = process.start([program, file], directory / "log", cwd=directory, account=account)
    try:
        until(lambda: listening(port), 10, "PgBouncer listens")
        yield f"postgresql://postgres@127.0.0.1:{port}/{name}"
    finally:
        process.kill(running)


@pytest.mark.parametrize("mode", ["session", "transaction"])
@pytest.mark.parametrize("ignored", ["extra_float_digits", IGNORED], ids=["strict", "lenient"])
def test_doctor_refuses_a_pooler_and_says_why(
    database_url: str, tmp_path: Path, mode: str, ignored: str
) -> None:
    with pooler(tmp_path, database_url, mode=mode, ignored=ignored) as url:
        ran = CliRunner().invoke(
            main, ["doctor", "--json"], env={"ICAM_DATABASE__URL": url}, catch_exceptions=False
        )

    assert ran.exit_code == 3
    (check,) = (c for c in orjson.loads(ran.output)["checks"] if c["what"] == "database")
    assert (check["ok"], REASON in check["says"]) == (False, True)
