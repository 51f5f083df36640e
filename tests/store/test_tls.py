"""A PostgreSQL server that asks for certificates, and every way to have the wrong ones."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import psycopg
import pytest
import trustme
from click.testing import CliRunner, Result

from streams.audit.database import snapshot
from streams.audit.errors import DatabaseUnreadable
from streams.cli import main
from streams.cli.errors import UNREACHABLE, describe_error
from streams.embedded.broker import EmbeddedBroker
from streams.runtime.settings import DatabaseSettings
from streams.store import tls
from streams.store.errors import is_transient, log_fields
from streams.store.pool import open_pool
from streams.worker.errors import describe
from tests.secured.postgres import SecuredPostgres

pytestmark = [
    pytest.mark.postgresql,
    pytest.mark.server,
    pytest.mark.slow,
    pytest.mark.usefixtures("refused_connections"),
]


@pytest.fixture(scope="module", autouse=True)
def brokers() -> Iterator[None]:
    """Brokers for ``icam doctor``, which would wait for them for seconds."""
    with EmbeddedBroker(()) as broker, pytest.MonkeyPatch.context() as patch:
        patch.setenv("ICAM_KAFKA__BOOTSTRAP_SERVERS", broker.bootstrap_servers)
        yield


UrlOf = Callable[[SecuredPostgres, Path], str]


def _icam(url: str, *arguments: str) -> Result:
    environment = {"ICAM_DATABASE__URL": url}
    return CliRunner().invoke(main, arguments, env=environment, catch_exceptions=False)


def _doctor_says(url: str) -> dict[str, object]:
    checks = json.loads(_icam(url, "doctor", "--json").stdout)["checks"]
    (found,) = [check for check in checks if check["what"] == "database"]
    return dict(found)


def test_every_command_connects_with_a_certificate_and_no_password(
    secured_postgres: SecuredPostgres,
) -> None:
    url = secured_postgres.url("icam_auditor")

    assert _doctor_says(url)["ok"]
    said = ("--as", "an official", "--reason", "test")
    assert _icam(url, "escalations", *said, "--json").stdout == "[]\n"
    assert _icam(url, "migrate", "--check").exit_code == 0
    with snapshot(url) as opened:
        assert opened.one("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()") is True


def _wrong_authority(server: SecuredPostgres, _: Path) -> str:
    return server.url("icam_auditor", server.issue("icam_auditor", trusts=trustme.CA()))


def _wrong_host(server: SecuredPostgres, _: Path) -> str:
    return server.url("icam_auditor", host="localhost")


def _no_client_certificate(server: SecuredPostgres, _: Path) -> str:
    return server.url("icam_auditor", leave_out=("sslcert", "sslkey"))


def _certificate_of_another_role(server: SecuredPostgres, _: Path) -> str:
    return server.url("icam_auditor", server.issue("icam_worker"))


def _key_of_another_certificate(server: SecuredPostgres, _: Path) -> str:
    mixed = replace(server.issue("icam_auditor"), key=server.issue("icam_auditor").key)
    return server.url("icam_auditor", mixed)


def _no_authority(server: SecuredPostgres, _: Path) -> str:
    return server.url("icam_auditor", leave_out=("sslrootcert",))


def _authority_is_no_certificate(server: SecuredPostgres, _: Path) -> str:
    good = server.issue("icam_auditor")
    return server.url("icam_auditor", replace(good, root=good.key))


def _missing_file(server: SecuredPostgres, directory: Path) -> str:
    absent = replace(server.issue("icam_auditor"), own=directory / "absent.crt")
    return server.url("icam_auditor", absent)


def _key_is_open(server: SecuredPostgres, _: Path) -> str:
    certificate = server.issue("icam_auditor")
    certificate.key.chmod(0o644)
    return server.url("icam_auditor", certificate)


def _no_tls(server: SecuredPostgres, _: Path) -> str:
    return f"postgresql://icam_auditor@127.0.0.1:{server.port}/postgres?sslmode=disable"


MISTAKES: dict[UrlOf, str] = {
    _wrong_authority: "not trusted: name the file of the authority that signed it with sslrootcert",
    _wrong_host: "is for another host name: connect to a name that the certificate has",
    _no_client_certificate: "name its file with sslcert and its key with sslkey",
    _certificate_of_another_role: "its common name must be the user of the URL",
    _key_of_another_certificate: "sslkey must name the key of the certificate that sslcert names",
    _no_authority: "name a PEM file of its authority with sslrootcert",
    _authority_is_no_certificate: "name a PEM file of its authority with sslrootcert",
    _missing_file: "can't read the file that sslcert names",
    _key_is_open: "remove their access to the file that sslkey names",
    _no_tls: "set sslmode=verify-full and sslrootcert",
}


@pytest.mark.parametrize("url_of", MISTAKES, ids=lambda url_of: url_of.__name__.strip("_"))
def test_a_mistake_is_one_line_that_says_what_to_do_and_exit_code_3(
    url_of: UrlOf,
    secured_postgres: SecuredPostgres,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))  # both drivers look there for files by default
    url, wanted = url_of(secured_postgres, tmp_path), MISTAKES[url_of]

    for command in (["escalations"], ["migrate", "--check"]):
        shown = _icam(url, *command)
        assert shown.exit_code == UNREACHABLE
        assert shown.stderr.startswith("icam: database: ")
        assert wanted in shown.stderr
        assert "check ICAM_DATABASE__URL" in shown.stderr
        assert shown.stderr.count("\n") == 1
    doctor = _doctor_says(url)
    assert (doctor["ok"], doctor["code"]) == (False, UNREACHABLE)
    assert wanted in str(doctor["says"])


def test_the_audit_says_it_too(secured_postgres: SecuredPostgres, tmp_path: Path) -> None:
    url = _wrong_host(secured_postgres, tmp_path)

    with pytest.raises(DatabaseUnreadable) as refused, snapshot(url):
        pass

    described = describe_error(refused.value)
    assert described is not None
    assert described.code == UNREACHABLE
    assert MISTAKES[_wrong_host] in described.message


@pytest.mark.parametrize(
    "url_of", [_wrong_authority, _wrong_host, _no_client_certificate, _missing_file]
)
async def test_a_worker_waits_until_somebody_corrects_the_certificates(
    url_of: UrlOf, secured_postgres: SecuredPostgres, tmp_path: Path
) -> None:
    url = url_of(secured_postgres, tmp_path)

    with pytest.raises(Exception) as refused:  # noqa: PT011 - the test classifies any error
        await open_pool(DatabaseSettings(url=url), "test")

    assert is_transient(refused.value)
    assert MISTAKES[url_of] in log_fields(refused.value)["why"]


async def test_a_worker_whose_url_is_incomplete_ends_and_says_so(
    secured_postgres: SecuredPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    url = _no_authority(secured_postgres, tmp_path)

    with pytest.raises(asyncpg.ClientConfigurationError) as refused:
        await open_pool(DatabaseSettings(url=url), "test")

    assert not is_transient(refused.value)
    assert MISTAKES[_no_authority] in describe(refused.value)


EXPIRED = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("refused", "wanted"),
    [
        ({"not_after": EXPIRED}, "has expired: renew the files that sslcert and sslkey name"),
        ({"signed_by": trustme.CA()}, "signed by an authority of its ssl_ca_file"),
    ],
    ids=["expired", "another authority"],
)
def test_the_server_says_that_it_does_not_accept_our_certificate(
    refused: dict[str, object], wanted: str, secured_postgres: SecuredPostgres
) -> None:
    certificate = secured_postgres.issue("icam_auditor", **refused)  # type: ignore[arg-type]
    url = secured_postgres.url("icam_auditor", certificate)

    assert wanted in str(_doctor_says(url)["says"])


def test_a_server_without_tls_is_named(server_url: str, secured_postgres: SecuredPostgres) -> None:
    secured = secured_postgres.url("postgres")
    plain = psycopg.conninfo.conninfo_to_dict(server_url)["port"]
    url = secured.replace(f":{secured_postgres.port}/", f":{plain}/")

    for command in (["escalations"], ["migrate", "--check"]):
        shown = _icam(url, *command)
        assert (shown.exit_code, "turn it on there" in shown.stderr) == (UNREACHABLE, True)


def test_a_missing_file_is_named_in_either_form_of_address() -> None:
    for address in ("postgresql://db/icam?sslkey=/absent.key", "host=db sslkey=/absent.key"):
        with pytest.raises(tls.CertificateFileError, match=r"sslkey names, /absent\.key"):
            tls.check_files(address)


def test_the_systems_authorities_are_named_by_their_file() -> None:
    with pytest.raises(tls.CertificateFileError, match="name a file"):
        tls.check_files("postgresql://icam_worker@db/icam?sslmode=verify-full&sslrootcert=system")


def test_an_error_without_tls_is_left_as_it_is() -> None:
    assert tls.explain(ConnectionRefusedError("connection refused")) is None
    assert tls.explain(ValueError("certificate verify failed")) is None, "not of the database"
