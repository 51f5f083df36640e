"""How the worker's consumer connects: the Kafka settings, rendered for Faust and aiokafka.

Errors::

    NoCredentialError    no token, a refused one, or no readable secret: connect again later
"""

from __future__ import annotations

import asyncio
import json
import ssl
from typing import Any, Final

import aiohttp
import structlog
from aiokafka import conn
from aiokafka.abc import AbstractTokenProvider
from aiokafka.client import ConnectionGroup
from aiokafka.errors import KafkaConnectionError
from faust import auth

from streams.kafka.connection import SecretUnreadable, secret, tls_context
from streams.runtime.settings import KafkaSettings

log = structlog.get_logger(__name__)

_TOKEN_SECONDS: Final = 10.0
_ADVICE: Final = (
    "check ICAM_KAFKA__SASL_TOKEN_URL, the client's id and secret (ICAM_KAFKA__SASL_USERNAME, "
    "ICAM_KAFKA__SASL_PASSWORD_FILE), its scope, and ICAM_KAFKA__CA_FILE"
)
_REFUSED: Final = (
    "the brokers want other claims: check ICAM_KAFKA__SASL_SCOPE, and that the server of tokens is "
    "the one that the brokers trust"
)


class NoCredentialError(KafkaConnectionError):  # type: ignore[misc]  # aiokafka has no types
    """There is nothing to log in with at present. The client treats it as a broker that is away."""


def credentials(kafka: KafkaSettings) -> auth.Credentials | None:
    """Return Faust's credentials; None for connections without encryption and login.

    Raises:
        SecretUnreadable: the file of a secret can't be read.
        OSError: a certificate or key can't be read.
    """
    context = tls_context(kafka) if kafka.tls else None
    if not kafka.sasl:
        return auth.SSLCredentials(context) if context is not None else None
    if kafka.sasl_mechanism == "OAUTHBEARER":
        conn.OAuthAuthenticator = StrictAuthenticator
        return auth.OAuthCredentials(oauth_cb=TokenProvider(kafka), ssl_context=context)
    return auth.SASLCredentials(
        username=kafka.sasl_username,
        password=secret(kafka.sasl_password, kafka.sasl_password_file),
        mechanism=kafka.sasl_mechanism,
        ssl_context=context,
    )


class TokenProvider(AbstractTokenProvider):  # type: ignore[misc]  # aiokafka has no types
    """Get a token by client credentials (RFC 6749, section 4.4) at each connection."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka

    async def token(self) -> str:
        """Return an access token.

        Raises:
            NoCredentialError: the server of tokens refused, did not answer, or answered no token.
        """
        try:
            return await self._request()
        except SecretUnreadable as error:
            why = str(error)
        except aiohttp.ClientResponseError as error:
            why = f"status {error.status}"
        except (aiohttp.ClientError, OSError, LookupError, TypeError, ValueError) as error:
            why = type(error).__name__
        log.error("no_token", url=self._kafka.sasl_token_url, why=why, do=_ADVICE)
        raise NoCredentialError("no token")

    async def _request(self) -> str:
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


class StrictAuthenticator(conn.OAuthAuthenticator):  # type: ignore[misc]  # aiokafka has no types
    """Notice that the brokers refuse a token: they say so in a message, without an error code.

    aiokafka ignores the message. The connection then answers with empty metadata, which ends the
    client.
    """

    async def step(self, payload: bytes | None) -> tuple[bytes, bool] | None:
        """Send the token, or check the answer.

        Raises:
            NoCredentialError: the brokers refused the token, or there is none.
        """
        if self._token_sent and payload:
            log.error("token_refused", why=_status(payload), do=_REFUSED)
            raise NoCredentialError("the brokers refused the token")
        answer: tuple[bytes, bool] | None = await super().step(payload)
        return answer


def _status(payload: bytes) -> str:
    """Return the code of a refusal (RFC 7628, section 3.2.2), or a question mark."""
    try:
        status = json.loads(payload)["status"]
    except (ValueError, LookupError, TypeError):
        return "?"
    return status[:40] if isinstance(status, str) and status.isprintable() else "?"


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
            try:
                password = secret(kafka.sasl_password, kafka.sasl_password_file)
            except SecretUnreadable as error:
                log.error("no_password", why=str(error))
                raise NoCredentialError("no password") from None
            client._sasl_plain_password = password
        return await connect(node_id, group=group, **more)

    client._get_conn = connect_anew
