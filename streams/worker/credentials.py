"""How the worker's consumer connects: the Kafka settings, rendered for Faust and aiokafka."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any, Final

import aiohttp
from aiokafka.abc import AbstractTokenProvider
from aiokafka.client import ConnectionGroup
from faust import auth

from streams.kafka.connection import secret
from streams.runtime.settings import KafkaSettings

_TOKEN_SECONDS: Final = 10.0


def credentials(kafka: KafkaSettings) -> auth.Credentials | None:
    """Return Faust's credentials; None for connections without encryption and login.

    Raises:
        SecretUnreadable: the file of a secret can't be read.
        OSError: a certificate or key can't be read.
    """
    context = _context(kafka) if kafka.tls else None
    if not kafka.sasl:
        return auth.SSLCredentials(context) if context is not None else None
    if kafka.sasl_mechanism == "OAUTHBEARER":
        return auth.OAuthCredentials(oauth_cb=TokenProvider(kafka), ssl_context=context)
    return auth.SASLCredentials(
        username=kafka.sasl_username,
        password=secret(kafka.sasl_password, kafka.sasl_password_file),
        mechanism=kafka.sasl_mechanism,
        ssl_context=context,
    )


def _context(kafka: KafkaSettings) -> ssl.SSLContext:
    """Return a context that verifies the brokers' certificate and host name."""
    context = ssl.create_default_context(cafile=kafka.ca_file)
    if kafka.certificate_file is not None:
        context.load_cert_chain(
            kafka.certificate_file,
            kafka.key_file,
            # Never empty: without a password OpenSSL would ask for one on the terminal.
            lambda: secret(kafka.key_password, kafka.key_password_file) or " ",
        )
    return context


class TokenProvider(AbstractTokenProvider):  # type: ignore[misc]  # aiokafka has no types
    """Get a token by client credentials (RFC 6749, section 4.4) at each connection."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka

    async def token(self) -> str:
        """Return an access token.

        Raises:
            aiohttp.ClientError, TimeoutError: the server of tokens refused, or did not answer.
        """
        kafka = self._kafka
        form = {"grant_type": "client_credentials"}
        if kafka.sasl_scope:
            form["scope"] = kafka.sasl_scope
        login = aiohttp.BasicAuth(
            kafka.sasl_username or "", secret(kafka.sasl_password, kafka.sasl_password_file)
        )
        verified = ssl.create_default_context(cafile=kafka.ca_file)
        async with (
            asyncio.timeout(_TOKEN_SECONDS),
            aiohttp.ClientSession(raise_for_status=True) as session,
            session.post(kafka.sasl_token_url or "", data=form, auth=login, ssl=verified) as answer,
        ):
            token: str = (await answer.json())["access_token"]
            return token


def read_secret_anew(client: Any, kafka: KafkaSettings) -> None:
    """Let an aiokafka client read the password again before each new connection.

    aiokafka keeps the one that it was made with, and a replaced one would need a restart.
    """
    if not kafka.sasl or kafka.sasl_password_file is None:
        return
    connect = client._get_conn

    async def connect_anew(
        node_id: Any, *, group: Any = ConnectionGroup.DEFAULT, **more: Any
    ) -> Any:
        known = client._conns.get((node_id, group))
        if known is None or not known.connected():
            client._sasl_plain_password = secret(kafka.sasl_password, kafka.sasl_password_file)
        return await connect(node_id, group=group, **more)

    client._get_conn = connect_anew
