"""Quotas of producers: how many bytes a second each principal may send.

Neither of our client libraries sets quotas, so the two requests of the Kafka protocol are here:
DescribeClientQuotas and AlterClientQuotas, version 0 (KIP-546).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Boolean, Float64, Int8, Int16, Int32, Schema, String

from streams.kafka.connection import secret, tls_context
from streams.runtime.settings import KafkaSettings

_RATE: Final = "producer_byte_rate"
_USER: Final = "user"
_EXACTLY: Final = 0
_SECONDS: Final = 20.0


class QuotasError(Exception):
    """The brokers can't be asked, or refuse; the message says what to do."""


class Quota(NamedTuple):
    """How many bytes a second a principal may send: on the brokers, and wanted; None for any."""

    principal: str
    found: int | None
    wanted: int | None


class _Described(Response):  # type: ignore[misc] # it has no types
    API_KEY = 48
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("error_code", Int16),
        ("error_message", String("utf-8")),
        (
            "entries",
            Array(
                ("entity", Array(("type", String("utf-8")), ("name", String("utf-8")))),
                ("values", Array(("key", String("utf-8")), ("value", Float64))),
            ),
        ),
    )


class _Describe(RequestStruct):  # type: ignore[misc] # it has no types
    API_KEY = 48
    API_VERSION = 0
    RESPONSE_TYPE = _Described
    SCHEMA = Schema(
        (
            "components",
            Array(("type", String("utf-8")), ("match_type", Int8), ("match", String("utf-8"))),
        ),
        ("strict", Boolean),
    )


class _Altered(Response):  # type: ignore[misc] # it has no types
    API_KEY = 49
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "entries",
            Array(
                ("error_code", Int16),
                ("error_message", String("utf-8")),
                ("entity", Array(("type", String("utf-8")), ("name", String("utf-8")))),
            ),
        ),
    )


class _Alter(RequestStruct):  # type: ignore[misc] # it has no types
    API_KEY = 49
    API_VERSION = 0
    RESPONSE_TYPE = _Altered
    SCHEMA = Schema(
        (
            "entries",
            Array(
                ("entity", Array(("type", String("utf-8")), ("name", String("utf-8")))),
                (
                    "ops",
                    Array(("key", String("utf-8")), ("value", Float64), ("remove", Boolean)),
                ),
            ),
        ),
        ("validate_only", Boolean),
    )


class _DescribeRequest(Request[_Describe]):  # type: ignore[misc] # it has no types
    API_KEY = 48

    def __init__(self, principal: str) -> None:
        self._principal = principal

    def build(self, request_struct_class: type[_Describe]) -> _Describe:
        return request_struct_class([(_USER, _EXACTLY, self._principal)], True)


class _AlterRequest(Request[_Alter]):  # type: ignore[misc] # it has no types
    API_KEY = 49

    def __init__(self, quotas: list[Quota]) -> None:
        self._quotas = quotas

    def build(self, request_struct_class: type[_Alter]) -> _Alter:
        entries = [
            (
                [(_USER, quota.principal)],
                [(_RATE, float(quota.wanted or 0), quota.wanted is None)],
            )
            for quota in self._quotas
        ]
        return request_struct_class(entries, False)


def compare(kafka: KafkaSettings, wanted: Mapping[str, int | None]) -> list[Quota]:
    """Return the principals whose quota on the brokers is not the wanted one. Blocks.

    Raises:
        QuotasError: the brokers do not answer or refuse us.
    """
    return asyncio.run(_run(kafka, wanted, apply=False))


def apply(kafka: KafkaSettings, wanted: Mapping[str, int | None]) -> list[Quota]:
    """Set the quotas that differ; return them as ``compare`` does. Blocks. May be repeated.

    Raises:
        QuotasError: the brokers do not answer or refuse us.
    """
    return asyncio.run(_run(kafka, wanted, apply=True))


async def _run(
    kafka: KafkaSettings, wanted: Mapping[str, int | None], *, apply: bool
) -> list[Quota]:
    try:
        async with asyncio.timeout(_SECONDS):
            client = AIOKafkaClient(bootstrap_servers=kafka.bootstrap_servers, **_login(kafka))
            await client.bootstrap()
            try:
                differing = []
                for principal, rate in sorted(wanted.items()):
                    found = await _found(client, principal)
                    if found != rate:
                        differing.append(Quota(principal, found, rate))
                if apply and differing:
                    answer = await _ask(client, _AlterRequest(differing))
                    for code, *_ in answer.entries:
                        _check(code)
                return differing
            finally:
                await client.close()
    except (KafkaError, OSError, TimeoutError, NotImplementedError) as error:
        raise QuotasError(
            f"the quotas of principals can't be read or set ({type(error).__name__}): icam topics "
            "needs DescribeConfigs and AlterConfigs on the cluster"
        ) from None


async def _found(client: Any, principal: str) -> int | None:
    answer = await _ask(client, _DescribeRequest(principal))
    _check(answer.error_code)
    for _, values in answer.entries or ():
        for key, value in values:
            if key == _RATE:
                return int(value)
    return None


async def _ask(client: Any, request: Any) -> Any:
    return await client.send(client.get_random_node(), request)


def _check(code: int) -> None:
    if code:
        raise for_code(code)


def _login(kafka: KafkaSettings) -> dict[str, Any]:
    login: dict[str, Any] = {"security_protocol": kafka.security_protocol}
    if kafka.tls:
        login["ssl_context"] = tls_context(kafka)
    if kafka.sasl:
        if kafka.sasl_mechanism == "OAUTHBEARER":
            raise QuotasError("quotas need a login by password or certificate, not by token")
        login["sasl_mechanism"] = kafka.sasl_mechanism
        login["sasl_plain_username"] = kafka.sasl_username
        login["sasl_plain_password"] = secret(kafka.sasl_password, kafka.sasl_password_file)
    return login
