"""The address of the database: one reading of ``ICAM_DATABASE__URL`` for asyncpg and psycopg.

libpq parses the URL, so it is what PostgreSQL documents ("Connection Strings"), with several hosts,
``target_session_attrs``, ``connect_timeout`` and ``keepalives``. psycopg is libpq. asyncpg gets the
same values translated; a parameter that can't be translated is refused for both, so that it never
means something to one command and nothing to another.

Errors::

    AddressError              the URL or a parameter of it can't be used
    PasswordUnreadableError   a file with the URL or the password can't be read now; an OSError
    PoolerError               a pooler stands between us and the server; an OSError
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from streams.runtime.settings import DatabaseSettings

CONNECT_SECONDS: Final = 5
"""Time to connect to one host, unless ``connect_timeout`` says otherwise."""
KEEPALIVE_SECONDS: Final = 5
"""Idle time before a keepalive probe, and between probes."""
DEAD_AFTER_MS: Final = 15_000
"""Time without an answer after which client and server treat the connection as dead."""

_DIRECT: Final = frozenset(
    {"user", "password", "passfile", "service", "target_session_attrs", "krbsrvname", "gsslib"}
)
_BY_URL: Final = frozenset(
    {
        *("sslmode", "sslcert", "sslkey", "sslrootcert", "sslcrl", "sslpassword", "sslnegotiation"),
        *("ssl_min_protocol_version", "ssl_max_protocol_version"),
    }
)
_TRANSLATED: Final = frozenset(
    {
        *("host", "port", "dbname", "options", "connect_timeout", "application_name"),
        *("fallback_application_name", "tcp_user_timeout", "keepalives", "keepalives_idle"),
        *("keepalives_interval", "keepalives_count"),
    }
)
HONOURED: Final = _DIRECT | _BY_URL | _TRANSLATED
"""Parameters that mean the same to both drivers. Our own application name replaces one given."""
AS_ASYNCPG_DOES: Final[Mapping[str, frozenset[str]]] = {
    "client_encoding": frozenset({"utf8", "utf-8", "auto"}),
    "channel_binding": frozenset({"prefer", "disable"}),
    "gssencmode": frozenset({"prefer", "disable"}),
    "load_balance_hosts": frozenset({"disable"}),
    "sslcompression": frozenset({"0"}),
    "sslsni": frozenset({"1"}),
}
"""Parameters with the only values that asyncpg can give them; any other parameter is refused."""


class AddressError(ValueError):
    """The address can't be used; the message names the parameter, never a value."""


class PasswordUnreadableError(OSError):
    """The file with the URL or the password can't be read; it is read again at each connect."""


class PoolerError(OSError):
    """A pooler gives one server session to many clients; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Address:
    """A database to connect to, by libpq's keywords."""

    parameters: Mapping[str, str]

    def for_psycopg(self) -> str:
        """Return a connection string for psycopg, with our keepalives where none are named."""
        defaults = {
            "connect_timeout": str(CONNECT_SECONDS),
            "keepalives_idle": str(KEEPALIVE_SECONDS),
            "keepalives_interval": str(KEEPALIVE_SECONDS),
            "tcp_user_timeout": str(DEAD_AFTER_MS),
        }
        return make_conninfo(**{**defaults, **self.parameters})

    def for_asyncpg(self) -> dict[str, Any]:
        """Return arguments of ``asyncpg.connect``, server settings included."""
        known = self.parameters
        found: dict[str, Any] = {name: known[name] for name in _DIRECT & known.keys()}
        by_url = {name: known[name] for name in _BY_URL & known.keys()}
        found["dsn"] = "postgresql://?" + urlencode(by_url)
        if "dbname" in known:
            found["database"] = known["dbname"]
        if hosts := [host for host in known.get("host", "").split(",") if host]:
            found["host"] = hosts
        if "port" in known:
            ports = [int(port or 5432) for port in known["port"].split(",")]
            found["port"] = ports if len(ports) > 1 else ports[0]
        seconds = float(known.get("connect_timeout", CONNECT_SECONDS))
        found["timeout"] = seconds if seconds > 0 else None
        found["server_settings"] = _settings(known.get("options", ""))
        return found

    @property
    def keepalives(self) -> tuple[bool, int, int, int | None, int]:
        """Return whether they are on, idle and interval in s, their count, the timeout in ms."""
        known = self.parameters
        count = known.get("keepalives_count")
        return (
            known.get("keepalives", "1") != "0",
            int(known.get("keepalives_idle", KEEPALIVE_SECONDS)),
            int(known.get("keepalives_interval", KEEPALIVE_SECONDS)),
            int(count) if count else None,
            int(known.get("tcp_user_timeout", DEAD_AFTER_MS)),
        )

    def shown(self) -> str:
        """Return hosts and database, without user and password."""
        hosts = self.parameters.get("host", "the default host")
        return f"{self.parameters.get('dbname', 'the default database')} at {hosts}"


def read(database: DatabaseSettings, *, writes: bool = False) -> Address:
    """Return the address of the settings; files with the URL or the password are read now.

    ``writes`` asks for a server that takes writes, unless the URL has ``target_session_attrs``.

    Raises:
        AddressError: the URL can't be used.
        PasswordUnreadableError: a file can't be read.
    """
    url = database.url.get_secret_value()
    if database.url_file is not None:
        url = _secret(database.url_file, "ICAM_DATABASE__URL_FILE")
    address = parse(url)
    more: dict[str, str] = {}
    if database.password_file is not None:
        more["password"] = _secret(database.password_file, "ICAM_DATABASE__PASSWORD_FILE")
    if writes and "target_session_attrs" not in address.parameters:
        more["target_session_attrs"] = "read-write"
    return Address({**address.parameters, **more})


_SLASH_IN_PASSWORD: Final = re.compile(r"\s*postgres(ql)?://[^/@?]*/[^?]*@")
"""A path with an "@": libpq reads what precedes the first slash as the host, the rest as a name."""


def parse(url: str) -> Address:
    """Return the address that a URL, or another connection string of libpq, names.

    Raises:
        AddressError: it can't be read, or has a parameter that not every command can honour.
    """
    try:
        found = {name: str(value) for name, value in conninfo_to_dict(url).items()}
    except psycopg.Error as error:
        # libpq quotes what it can't parse, which may be the password.
        reason = str(error).split('"', 1)[0].strip(" :\n")
        raise AddressError(f"ICAM_DATABASE__URL can't be read ({reason})") from None
    # libpq ends the password at the first "@", and takes what follows for the host, which is shown.
    if "@" in found.get("host", "") or _SLASH_IN_PASSWORD.match(url):
        raise AddressError(
            'ICAM_DATABASE__URL: write "@" and "/" of the password as %40 and %2F, or use '
            "ICAM_DATABASE__PASSWORD_FILE"
        )
    for name, value in found.items():
        if name in HONOURED:
            continue
        if name not in AS_ASYNCPG_DOES:
            raise AddressError(f"ICAM_DATABASE__URL: remove {name}, not every command knows it")
        if value.lower() not in AS_ASYNCPG_DOES[name]:
            allowed = " or ".join(sorted(AS_ASYNCPG_DOES[name]))
            raise AddressError(f"ICAM_DATABASE__URL: {name} can only be {allowed}")
    for name in ("connect_timeout", "keepalives_idle", "keepalives_interval", "tcp_user_timeout"):
        if not found.get(name, "0").isdecimal():
            raise AddressError(f"ICAM_DATABASE__URL: {name} must be a number")
    if not all(port.isdecimal() for port in found.get("port", "").split(",") if port):
        raise AddressError("ICAM_DATABASE__URL: a port must be a number")
    if "options" in found:
        _settings(found["options"])
    return Address(found)


def _settings(options: str) -> dict[str, str]:
    """Return the server settings of ``options``, as ``-c name=value`` or ``--name=value``."""
    settings: dict[str, str] = {}
    try:
        words = iter(shlex.split(options))
    except ValueError:
        raise AddressError("ICAM_DATABASE__URL: options has a quote that is not closed") from None
    for word in words:
        text = next(words, "") if word == "-c" else word.removeprefix("-c").removeprefix("--")
        name, equals, value = text.partition("=")
        if not equals or not word.startswith("-"):
            raise AddressError("ICAM_DATABASE__URL: options can only have -c name=value")
        settings[name.replace("-", "_")] = value
    return settings


def _secret(file: Path, variable: str) -> str:
    try:
        return file.read_text().strip()
    except OSError as error:
        raise PasswordUnreadableError(
            f"can't read {file} of {variable} ({error.strerror})"
        ) from None
