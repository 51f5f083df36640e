"""The steps of "Securing it" in docs/deploy.md, followed word for word on a real server."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import trustme
from click.testing import CliRunner, Result

from streams.cli import main
from streams.embedded.broker import EmbeddedBroker
from streams.kafka import topics
from streams.runtime.settings import DatabaseSettings
from streams.store import migrate
from streams.store.pool import open_pool
from tests.deploy.files import ROLES, TOP
from tests.deploy.grants import OFFICE
from tests.secured.postgres import ROLE_NAMES, Certificate, SecuredPostgres

pytestmark = [
    pytest.mark.postgresql,
    pytest.mark.server,
    pytest.mark.slow,
    pytest.mark.usefixtures("refused_connections"),
]

OWNER, WORKER = "icam_owner", "icam_worker"
LOCAL = "127.0.0.1/32"


def _section() -> str:
    page = (TOP / "docs" / "deploy.md").read_text()
    found = re.search(r"\n## Securing it\n.*?### PostgreSQL\n(.*?)\n###? ", page, re.DOTALL)
    assert found
    return found[1]


def _block(language: str, start: str) -> str:
    """Return the block of the section that is in this language and begins with these words."""
    blocks = re.findall(rf"   ```{language}\n(.*?)   ```", _section(), re.DOTALL)
    (found,) = [text for text in blocks if text.strip().startswith(start)]
    return re.sub("^   ", "", found, flags=re.MULTILINE)


class Page:
    """The server of the page, in place of ``postgres.example``, and the files of its clients."""

    def __init__(self, directory: Path) -> None:
        self.secured = SecuredPostgres(directory)
        self.data = self.secured.server.directory / "data"
        self.files: dict[str, Certificate] = {}

    def prepare(self) -> None:
        """Start a server as an agency has it before step 1: a database and its owner."""
        self.secured.start()
        with psycopg.connect(self.secured.url("postgres"), autocommit=True) as conn:
            conn.execute("CREATE ROLE icam_owner LOGIN CREATEROLE")
            for role in (*ROLE_NAMES, OFFICE):
                conn.execute(f"GRANT {role} TO icam_owner WITH ADMIN OPTION".encode())
            conn.execute("CREATE DATABASE icam OWNER icam_owner")
        self.files = {role: self.secured.issue(role) for role in ("postgres", OWNER, *ROLE_NAMES)}
        settings = self.data / "postgresql.conf"
        kept = [line for line in settings.read_text().splitlines() if not line.startswith("ssl")]
        settings.write_text("\n".join([*kept, _block("ini", "ssl = on")]))
        self.admit(_block("text", "hostssl"))

    def admit(self, lines: str) -> None:
        """Restart with these lines of ``pg_hba.conf`` after those of an administrator."""
        own = f"hostssl all postgres {LOCAL} cert\n"
        (self.data / "pg_hba.conf").write_text(own + lines.replace("192.0.2.0/24", LOCAL))
        self.secured.server.restart()

    def reload(self) -> None:
        """Run the page's command that has the server read its files again."""
        found = re.search(r"`(SELECT pg_reload_conf\(\));`", _section())
        assert found
        url = self.secured.url("postgres", self.files["postgres"])
        with psycopg.connect(url, autocommit=True) as conn:
            conn.execute(found[1].encode())

    def url(self, role: str) -> str:
        """Return the page's URL for a role, with its files in place of those of the page."""
        url, files = _block("text", "postgresql://").strip(), self.files[role]
        for example, real in {
            "icam_worker@": f"{role}@",
            "postgres.example:5432": f"127.0.0.1:{self.secured.port}",
            "/etc/icam-tls/ca.crt": str(files.root),
            "/etc/icam-tls/tls.crt": str(files.own),
            "/etc/icam-tls/tls.key": str(files.key),
        }.items():
            assert example in url, "the page's URL is as the test knows it"
            url = url.replace(example, real)
        return url


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """The server after step 4."""
    made = Page(tmp_path_factory.mktemp("page"))
    made.prepare()
    migrate.apply(made.url(OWNER))
    with psycopg.connect(made.url(OWNER), autocommit=True) as conn:
        conn.execute(ROLES.read_bytes())
    yield made
    made.secured.stop()


def _icam(url: str, *arguments: str, **more: str) -> Result:
    environment = {"ICAM_DATABASE__URL": url, **more}
    return CliRunner().invoke(main, arguments, env=environment, catch_exceptions=False)


def test_every_role_connects_as_the_page_says(
    page: Page, mock_broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The double answers no question about properties; tests/pipeline asks real Kafka.
    monkeypatch.setattr(
        topics, "configured", lambda _, names: {n: topics.wanted(n, 1) for n in names}
    )
    (check,) = _block("sh", "icam").splitlines()
    words = check.split()[1:]
    for role in (OWNER, *ROLE_NAMES):
        shown = _icam(
            page.url(role), *words, ICAM_KAFKA__BOOTSTRAP_SERVERS=mock_broker.bootstrap_servers
        )
        assert shown.exit_code == 0, shown.output

    with psycopg.connect(page.url(WORKER)), psycopg.connect(page.secured.url("postgres")) as owner:
        sessions = owner.execute(_block("sql", "SELECT").encode()).fetchall()
    assert [(role, encrypted) for role, encrypted, _ in sessions] == [(WORKER, True)]
    assert "/CN=" in sessions[0][2]


@pytest.mark.parametrize("role", ROLE_NAMES)
def test_a_role_without_its_certificate_or_without_tls_is_refused(role: str, page: Page) -> None:
    url = page.url(role)
    for refused, wanted in (
        (re.sub("&sslcert=.*", "", url), "name its file with sslcert"),
        (page.url(OWNER).replace("icam_owner@", f"{role}@"), "common name"),
        (url.partition("?")[0] + "?sslmode=disable", "pg_hba.conf rejects connection"),
    ):
        shown = _icam(refused, "migrate", "--check")
        assert (shown.exit_code, wanted in shown.stderr) == (3, True), shown.stderr
        assert shown.stderr.count("\n") == 1


def test_a_password_can_be_asked_for_as_well(page: Page) -> None:
    section = " ".join(_section().split())
    found = re.search(r"write `([^`]+)` in place of `(\w+)`", section)
    assert found
    method, replaced = found.groups()
    lines = _block("text", "hostssl")
    with psycopg.connect(page.secured.url("postgres"), autocommit=True) as owner:
        owner.execute("ALTER ROLE icam_worker PASSWORD 'test-only'")
    page.admit(lines.replace(f"  {replaced}\n", f"  {method}\n"))
    try:
        url = page.url(WORKER)
        with_password = url.replace("icam_worker@", "icam_worker:test-only@")

        assert _icam(with_password, "migrate", "--check").exit_code == 0
        assert _icam(url, "migrate", "--check").exit_code == 3
        without_certificate = re.sub("&sslcert=.*", "", with_password)
        assert "sslcert" in _icam(without_certificate, "migrate", "--check").stderr
    finally:
        page.admit(lines)


async def test_renewed_files_are_read_at_the_next_connect(page: Page) -> None:
    """Both sides change to another authority while a role is connected."""
    files, old = page.files[WORKER], page.files[WORKER].root.read_bytes()
    new = trustme.CA()
    data = page.data
    touched = [files.root, files.own, files.key, page.files["postgres"].root]
    touched += [data / name for name in ("root.crt", "server.crt", "server.key")]
    before = {path: path.read_bytes() for path in touched}
    pool = await open_pool(DatabaseSettings(url=page.url(WORKER)), "test")
    try:
        for bundle in (files.root, data / "root.crt", page.files["postgres"].root):
            bundle.write_bytes(old + new.cert_pem.bytes())
        renewed = page.secured.issue(WORKER, signed_by=new)
        files.own.write_bytes(renewed.own.read_bytes())
        files.key.write_bytes(renewed.key.read_bytes())
        server = page.secured.issue("server", name="127.0.0.1", signed_by=new)
        for name, source in {"server.crt": server.own, "server.key": server.key}.items():
            (data / name).write_bytes(source.read_bytes())
        page.reload()

        async with pool.acquire() as open_before:
            assert await open_before.fetchval("SELECT 1") == 1
            async with pool.acquire() as opened_now:
                assert await opened_now.fetchval("SELECT 1") == 1
        files.root.write_bytes(old)
        await pool.expire_connections()
        with pytest.raises(OSError, match="certificate verify failed"):
            await pool.fetchval("SELECT 1")
    finally:
        pool.terminate()
        for path, content in before.items():
            path.write_bytes(content)
        page.secured.server.restart()
