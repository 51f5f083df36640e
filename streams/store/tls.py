"""Say what is wrong with a TLS connection to PostgreSQL, and what to change.

Both drivers take the same parameters of the URL: ``sslmode``, ``sslrootcert``, ``sslcert`` and
``sslkey``. Their errors name the symptom, each driver in its own words.

Errors::

    OSError
    `-- CertificateFileError    a file that the URL names can't be used; it may be mounted late
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from typing import Final

import asyncpg
import psycopg
from psycopg.conninfo import conninfo_to_dict

_KEY_IS_OPEN: Final = (
    "our key is readable by others: remove their access to the file that sslkey names"
)
_FILES: Final = ("sslrootcert", "sslcert", "sslkey", "sslcrl")

_OPEN: Final = stat.S_IRWXG | stat.S_IRWXO
_OPEN_IF_ROOTS: Final = stat.S_IWGRP | stat.S_IXGRP | stat.S_IRWXO
"""Access that libpq allows to nobody but the owner; the group may read a key of root's."""

_ADVICE: Final = tuple(
    (re.compile(pattern, re.IGNORECASE), advice)
    for pattern, advice in (
        (
            "hostname mismatch|ip address mismatch|does not match host name",
            "the server's certificate is for another host name: connect to a name that the "
            "certificate has, or install a certificate for this name on the server",
        ),
        (
            "certificate verify failed: certificate has expired",
            "the server's certificate has expired: renew it on the server",
        ),
        (
            "certificate verify failed: certificate is not yet valid",
            "the server's certificate is not valid yet: compare the clocks of both machines",
        ),
        (
            "alert certificate.expired|alert_certificate_expired",
            "our certificate has expired: renew the files that sslcert and sslkey name",
        ),
        (
            "alert unknown.ca|alert_unknown_ca",
            "the server does not trust our certificate: have the one that sslcert names signed by "
            "an authority of its ssl_ca_file",
        ),
        (
            "certificate verify failed",
            "the server's certificate is not trusted: name the file of the authority that signed "
            "it with sslrootcert; if it is the right file, the certificate may have expired",
        ),
        (
            "requires a valid client certificate",
            "the server wants a client certificate: name its file with sslcert and its key with "
            "sslkey, and check that both files exist",
        ),
        (
            r"certificate authentication failed for user",
            "our certificate is for another role: its common name must be the user of the URL",
        ),
        (
            "root certificate file .* does not exist|no certificate or crl found|"
            "no_certificate_or_crl_found|could not read root certificate",
            "the server's certificate can't be checked: name a PEM file of its authority with "
            "sslrootcert",
        ),
        (
            "key.values.mismatch|but not private key file|could not load private key",
            "our key can't be used: sslkey must name the key of the certificate that sslcert names",
        ),
        (
            "private key file .* has group or world access|must be owned by",
            _KEY_IS_OPEN,
        ),
        (
            "rejected ssl upgrade|does not support ssl",
            "the server offers no TLS: turn it on there (ssl = on)",
        ),
        (
            "no pg_hba.conf entry .* no encryption",
            "the server refuses connections without TLS: set sslmode=verify-full and sslrootcert",
        ),
    )
)
"""What an error of either driver says, and what a person has to change."""


class CertificateFileError(OSError):
    """A file that the URL names can't be used; the message names parameter and file."""


def check_files(url: str) -> None:
    """Check that every certificate and key that the URL names can be read, the key by us only.

    Takes libpq's keywords (``host=db sslkey=...``) as well as a URL.

    asyncpg reports a missing file without its name, and libpq goes on without a certificate. Only
    libpq refuses a key that others may read; here its rule holds for both drivers.

    Raises:
        CertificateFileError: one can't be read, or others may read the key.
    """
    try:
        parameters = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        return  # the driver says what is wrong with it
    for name in _FILES:
        path = parameters.get(name)
        if path is not None:
            _check_file(name, str(path))


def _check_file(name: str, path: str) -> None:
    if path == "system":
        raise CertificateFileError(
            f"{name}=system is not supported: name a file, such as "
            "/etc/ssl/certs/ca-certificates.crt"
        )
    try:
        with open(path, "rb") as file:
            found = os.stat(file.fileno())
    except OSError as error:
        raise CertificateFileError(
            f"can't read the file that {name} names, {path} ({error.strerror})"
        ) from None
    others = _OPEN_IF_ROOTS if found.st_uid == 0 else _OPEN
    if name == "sslkey" and found.st_mode & others:
        raise CertificateFileError(f"{_KEY_IS_OPEN}, {path}")


def advice(said: str) -> str | None:
    """Return what to change when an error's text is about TLS or a certificate; else None."""
    return next((text for pattern, text in _ADVICE if pattern.search(said)), None)


def explain(error: BaseException) -> str | None:
    """Return what to change when a database error is about TLS or a certificate; else None."""
    if isinstance(error, CertificateFileError):
        return str(error)
    if not isinstance(
        error, (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, psycopg.Error)
    ):
        return None
    return advice("\n".join(_texts(error)))


def _texts(error: BaseException | None) -> Iterator[str]:
    while error is not None:
        yield str(error)
        error = error.__cause__
