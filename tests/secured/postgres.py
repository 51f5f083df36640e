"""A PostgreSQL server with TLS and client certificates, and the files of its clients."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psycopg
import pytest
import trustme

from streams.embedded.errors import ToolMissing
from streams.embedded.postgres import EmbeddedPostgres, ServerTls
from streams.store import migrate
from tests.deploy.files import ROLES

ROLE_NAMES = (
    *("icam_worker", "icam_operator", "icam_auditor"),
    *("icam_exporter", "icam_board", "icam_reader"),
)


@dataclass(frozen=True)
class Certificate:
    """The PEM files that a client names in its URL: authority, own certificate and own key."""

    root: Path
    own: Path
    key: Path


class SecuredPostgres:
    """A migrated server, its roles, and the authority that signs for both sides.

    The server's certificate is for 127.0.0.1, and not for ``localhost``.
    """

    def __init__(self, directory: Path) -> None:
        self.authority = trustme.CA()
        self._directory = directory
        self._issued = 0
        certificate = self.issue("server", name="127.0.0.1")
        self.server = EmbeddedPostgres(
            directory / "postgres",
            {"fsync": "off", "full_page_writes": "off"},
            tls=ServerTls(certificate.own, certificate.key, certificate.root),
        )
        self.port = self.server.port

    def start(self) -> None:
        """Start it; without the Debian package, skip the test, or fail if it is required."""
        try:
            self.server.start()
        except ToolMissing as reason:
            if os.environ.get("ICAM_REQUIRE_POSTGRESQL"):
                pytest.fail(f"ICAM_REQUIRE_POSTGRESQL is set, but {reason}")
            pytest.skip(str(reason))
        owner = self.url("postgres")
        migrate.apply(owner)
        with psycopg.connect(owner, autocommit=True) as conn:
            conn.execute(ROLES.read_bytes())

    def stop(self) -> None:
        self.server.stop()

    def issue(
        self,
        role: str,
        *,
        name: str = "client.icam.test",
        signed_by: trustme.CA | None = None,
        trusts: trustme.CA | None = None,
        not_after: datetime | None = None,
    ) -> Certificate:
        """Write a certificate with the role as common name; by default it is a good one."""
        self._issued += 1
        folder = self._directory / f"{role}-{self._issued}"
        folder.mkdir(parents=True)
        made = (signed_by or self.authority).issue_cert(name, common_name=role, not_after=not_after)
        files = Certificate(folder / "ca.crt", folder / "tls.crt", folder / "tls.key")
        (trusts or self.authority).cert_pem.write_to_path(str(files.root))
        files.own.write_bytes(b"".join(one.bytes() for one in made.cert_chain_pems))
        files.key.touch(mode=0o600)
        made.private_key_pem.write_to_path(str(files.key))
        return files

    def url(
        self,
        role: str,
        certificate: Certificate | None = None,
        *,
        host: str = "127.0.0.1",
        leave_out: tuple[str, ...] = (),
    ) -> str:
        """Return the URL with which a role connects, by default with a good certificate."""
        files = certificate or self.issue(role)
        parameters = {
            "sslmode": "verify-full",
            "sslrootcert": str(files.root),
            "sslcert": str(files.own),
            "sslkey": str(files.key),
        }
        named = "&".join(f"{k}={v}" for k, v in parameters.items() if k not in leave_out)
        return f"postgresql://{role}@{host}:{self.port}/postgres?{named}"
