"""Certificates for one test session: an authority, the broker's, and clients'."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)


class Authority:
    """An authority that signs certificates into PEM files of one directory."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._ca = trustme.CA()
        self.file = directory / "ca.pem"
        self._ca.cert_pem.write_to_path(self.file)

    def sign(
        self, name: str, *hosts: str, ends: datetime | None = None, password: str | None = None
    ) -> tuple[Path, Path]:
        """Return the files of a certificate for ``name`` and of its key."""
        signed = self._ca.issue_cert(
            *(hosts or (f"{name}.test",)), common_name=name, not_after=ends
        )
        certificate, key = self._directory / f"{name}.pem", self._directory / f"{name}.key"
        for path in (certificate, key):
            path.unlink(missing_ok=True)
        for blob in signed.cert_chain_pems:
            blob.write_to_path(certificate, append=True)
        key.write_bytes(_pkcs8(signed.private_key_pem.bytes(), password))
        return certificate, key


def _pkcs8(key: bytes, password: str | None) -> bytes:
    """Return a key in the only form that Java reads."""
    sealed = NoEncryption() if password is None else BestAvailableEncryption(password.encode())
    return load_pem_private_key(key, None).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, sealed)
