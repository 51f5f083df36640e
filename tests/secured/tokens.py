"""A server of tokens as agencies run one: client credentials over HTTPS, signed tokens (RS256)."""

from __future__ import annotations

import base64
import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from tests.secured.certificates import Authority

ISSUER: Final = "https://tokens.test"
AUDIENCE: Final = "kafka"


class Tokens:
    """Signs tokens for clients that know their secret (RFC 6749, section 4.4)."""

    def __init__(self, directory: Path) -> None:
        self.keys = directory / "jwks.json"
        self.secrets: dict[str, str] = {}
        self.granted: list[str] = []
        self.url = ""
        """Set while the server runs."""
        self.lifetime = 300
        self._key = rsa.generate_private_key(65537, 2048)
        numbers = self._key.public_key().public_numbers()
        public = {
            "kty": "RSA",
            "kid": "one",
            "use": "sig",
            "alg": "RS256",
            "n": _base64(numbers.n.to_bytes(256, "big")),
            "e": _base64(numbers.e.to_bytes(3, "big")),
        }
        directory.mkdir(parents=True, exist_ok=True)
        self.keys.write_text(json.dumps({"keys": [public]}))

    @contextmanager
    def served(self, authority: Authority) -> Iterator[None]:
        """Answer requests for tokens, at ``url``."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*authority.sign("tokens", "127.0.0.1", "localhost"))
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        server.socket = context.wrap_socket(server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{server.server_port}/token"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def answer(self, authorization: str, form: dict[str, list[str]]) -> tuple[int, dict[str, Any]]:
        """Return status and body for a request."""
        kind, _, word = authorization.partition(" ")
        name, _, given = base64.b64decode(word).decode().partition(":")
        if kind != "Basic" or not given or self.secrets.get(name) != given:
            return 401, {"error": "invalid_client"}
        if form.get("grant_type") != ["client_credentials"]:
            return 400, {"error": "unsupported_grant_type"}
        self.granted.append(name)
        scope = " ".join(form.get("scope", []))
        token = self._signed(name, scope)
        return 200, {"access_token": token, "token_type": "Bearer", "expires_in": self.lifetime}

    def _signed(self, name: str, scope: str) -> str:
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": name,
            "scope": scope,
            "iat": now,
            "exp": now + self.lifetime,
        }
        parts = ({"alg": "RS256", "kid": "one", "typ": "JWT"}, claims)
        text = ".".join(_base64(json.dumps(part).encode()) for part in parts)
        signature = self._key.sign(text.encode(), padding.PKCS1v15(), SHA256())
        return f"{text}.{_base64(signature)}"


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _handler(tokens: Tokens) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", "0"))
            form = parse_qs(self.rfile.read(length).decode())
            status, body = tokens.answer(self.headers.get("Authorization", ""), form)
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Log nothing: a request holds the client's secret."""

    return Handler
