"""How every Kafka client connects: one rendering of the settings for librdkafka.

The worker's consumer renders the same settings for aiokafka in ``streams.worker.credentials``.
"""

from __future__ import annotations

import ssl
import time
from pathlib import Path
from typing import Any, Final, TypeAlias

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._metadata import ClusterMetadata
from pydantic import SecretStr

from streams.runtime.settings import KafkaSettings

ClientConfig: TypeAlias = dict[str, Any]
"""Settings of a librdkafka client, by librdkafka's names."""

_DENIED: Final = frozenset(
    {
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    }
)


_NO_TOKEN: Final = "Failed to acquire SASL OAUTHBEARER token"  # noqa: S105 - a message
"""How librdkafka begins what it says when the server of tokens refused or did not answer."""
_REFUSALS: Final = frozenset({KafkaError._AUTHENTICATION, KafkaError._SSL, KafkaError._RESOLVE})


class SecretUnreadable(Exception):
    """The file of a password can't be read; the message says which and why."""


def secret(value: SecretStr | None, file: Path | None) -> str:
    """Return a secret; that of the file, read anew, has precedence. Empty if there is neither.

    Raises:
        SecretUnreadable: the file can't be read.
    """
    if file is None:
        return value.get_secret_value() if value is not None else ""
    try:
        return file.read_text().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise SecretUnreadable(f"can't read the secret in {file}: {error}") from None


def client(kafka: KafkaSettings) -> ClientConfig:
    """Return how a client connects. It reads the secrets anew: call it for each new client.

    Raises:
        SecretUnreadable: the file of a secret can't be read.
    """
    config: ClientConfig = {
        "bootstrap.servers": kafka.bootstrap_servers,
        "security.protocol": kafka.security_protocol,
    }
    if kafka.tls:
        config |= _tls(kafka)
    if kafka.sasl:
        config |= _sasl(kafka)
    return config


def tls_context(kafka: KafkaSettings) -> ssl.SSLContext:
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


def _tls(kafka: KafkaSettings) -> ClientConfig:
    found: ClientConfig = {}
    if kafka.ca_file is not None:
        found["ssl.ca.location"] = str(kafka.ca_file)
    if kafka.certificate_file is not None:
        found["ssl.certificate.location"] = str(kafka.certificate_file)
        found["ssl.key.location"] = str(kafka.key_file)
        if password := secret(kafka.key_password, kafka.key_password_file):
            found["ssl.key.password"] = password
    return found


def _sasl(kafka: KafkaSettings) -> ClientConfig:
    name = kafka.sasl_username or ""
    password = secret(kafka.sasl_password, kafka.sasl_password_file)
    if kafka.sasl_mechanism != "OAUTHBEARER":
        return {
            "sasl.mechanism": kafka.sasl_mechanism,
            "sasl.username": name,
            "sasl.password": password,
        }
    found: ClientConfig = {
        "sasl.mechanism": "OAUTHBEARER",
        "sasl.oauthbearer.method": "oidc",
        "sasl.oauthbearer.client.id": name,
        "sasl.oauthbearer.client.secret": password,
        "sasl.oauthbearer.token.endpoint.url": kafka.sasl_token_url or "",
    }
    if kafka.sasl_scope:
        found["sasl.oauthbearer.scope"] = kafka.sasl_scope
    # Without a file, the places of all systems are searched: the default is that of one.
    found["https.ca.location"] = "probe" if kafka.ca_file is None else str(kafka.ca_file)
    return found


class Unreachable(Exception):
    """The brokers did not answer or refused us; the message says what to do."""


def cluster(kafka: KafkaSettings, patience: float = 8.0) -> tuple[AdminClient, ClusterMetadata]:
    """Return a client for administration, and the topics that it may see. Blocks.

    Waits up to ``patience`` seconds for an answer, but not once the brokers refused us.

    Raises:
        Unreachable: there was no answer, or a refusal.
        SecretUnreadable: the file of a secret can't be read.
    """
    diagnosis = Diagnosis(kafka)
    config = client(kafka)
    config |= {"error_cb": diagnosis.note, "socket.timeout.ms": 10_000, "log_level": 0}
    admin = AdminClient(config)
    deadline = time.monotonic() + patience
    while True:
        try:
            return admin, admin.list_topics(timeout=1)
        except KafkaException as error:
            admin.poll(0)  # delivers what the client reported meanwhile
            if diagnosis.refused or time.monotonic() > deadline:
                raise Unreachable(diagnosis.describe(error)) from None


class Diagnosis:
    """What a client reports about its connections, and the words for a person.

    Pass ``note`` as a client's ``error_cb``: a request that fails only says that time ran out. The
    client calls it while it is polled.
    """

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._noted: KafkaError | None = None

    def note(self, error: KafkaError) -> None:
        """Keep what says most: a refusal says more than a connection that was lost after it."""
        if self._noted is None or error.code() in _REFUSALS:
            self._noted = error

    @property
    def refused(self) -> bool:
        """Whether another attempt with the same settings would fail too."""
        return self._noted is not None and self._noted.code() in _REFUSALS

    def describe(self, failure: KafkaException) -> str:
        """Return what failed and what to do."""
        error: KafkaError = failure.args[0]
        noted = self._noted if self._noted is not None else error
        servers = self._kafka.bootstrap_servers
        if error.code() in _DENIED:
            return (
                f"the brokers at {servers} allow {self._who()} less than it needs "
                f"({error.str()}): grant it with icam topics --acls"
            )
        if noted.code() == KafkaError._AUTHENTICATION and _NO_TOKEN in noted.str():
            return (
                f"{self._kafka.sasl_token_url} gave {self._who()} no token: check "
                "ICAM_KAFKA__SASL_TOKEN_URL, the client's id and secret "
                "(ICAM_KAFKA__SASL_USERNAME, ICAM_KAFKA__SASL_PASSWORD_FILE), its scope, and "
                "ICAM_KAFKA__CA_FILE "
                f"({_brief(noted).removeprefix(_NO_TOKEN).lstrip(': ')})"
            )
        if noted.code() == KafkaError._AUTHENTICATION:
            return (
                f"the brokers at {servers} refused {self._who()}: check the name, the password "
                f"and the mechanism, ICAM_KAFKA__SASL_* ({_brief(noted)})"
            )
        if noted.code() == KafkaError._SSL:
            return (
                f"TLS with {servers} failed: check ICAM_KAFKA__CA_FILE, the name in the brokers' "
                f"certificate, its dates, and our own certificate ({_brief(noted)})"
            )
        if noted.code() == KafkaError._RESOLVE:
            return f"the name of {servers} is not known: check ICAM_KAFKA__BOOTSTRAP_SERVERS"
        ours = ""
        if self._kafka.tls:
            # A broker that wants another certificate only closes the connection.
            ours = ", and our own certificate if they ask for one"
        return (
            f"no answer from the brokers at {servers}: check ICAM_KAFKA__BOOTSTRAP_SERVERS and "
            f"ICAM_KAFKA__SECURITY_PROTOCOL, here {self._kafka.security_protocol}{ours} "
            f"({_brief(noted)})"
        )

    def _who(self) -> str:
        if self._kafka.sasl:
            return f"the user {self._kafka.sasl_username}"
        return "our certificate" if self._kafka.certificate_file else "us"


def _brief(error: KafkaError) -> str:
    """Return the client's own words, without the address that precedes them."""
    return error.str().split("]: ", 1)[-1]
