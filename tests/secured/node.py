"""A broker that admits nobody without a login: SCRAM or tokens over TLS, and certificates.

Rights come from access lists alone (``StandardAuthorizer``, nothing allowed by default).
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._scram import (
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from streams.embedded.kafka import KafkaNode
from streams.embedded.ports import free_port
from streams.kafka.connection import client
from streams.runtime.settings import KafkaSettings
from tests.secured.certificates import Authority
from tests.secured.tokens import AUDIENCE, ISSUER, Tokens

ADMIN: Final = "admin"
_PASSWORD: Final = "admin-secret"  # noqa: S105 - of a broker that lives for one test session


class SecuredNode(KafkaNode):
    """One broker with a SASL_SSL listener (passwords, tokens) and an SSL one (certificates)."""

    def __init__(self, directory: Path) -> None:
        self.tokens = Tokens(directory / "tokens")
        keys = self.tokens.keys.as_uri()
        super().__init__(
            directory,
            java_options=(
                "-XX:TieredStopAtLevel=1",
                "-XX:+UseSerialGC",
                f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={keys}",
            ),
        )
        self.authority = Authority(directory / "certificates")
        self.certificates_port = free_port()
        self._internal = free_port()

    @property
    def by_certificate(self) -> str:
        """Return the address of the listener that admits certificates."""
        return f"127.0.0.1:{self.certificates_port}"

    @property
    def in_plaintext(self) -> str:
        """Return the address of the listener without encryption or login, for comparisons."""
        return f"127.0.0.1:{self._internal}"

    def as_user(self, name: str, password: str, **changed: object) -> KafkaSettings:
        """Return settings that log in with a password, by SCRAM over TLS."""
        return KafkaSettings.model_validate(
            {
                "bootstrap_servers": self.bootstrap_servers,
                "security_protocol": "SASL_SSL",
                "sasl_mechanism": "SCRAM-SHA-512",
                "sasl_username": name,
                "sasl_password": password,
                "ca_file": self.authority.file,
                "partitions": 2,
                **changed,
            }
        )

    def as_client(self, name: str, secret: str, **changed: object) -> KafkaSettings:
        """Return settings that log in with a token of the server of tokens, over TLS."""
        return self.as_user(
            name,
            secret,
            **{
                "sasl_mechanism": "OAUTHBEARER",
                "sasl_token_url": self.tokens.url,
                "sasl_scope": "kafka",
                **changed,
            },
        )

    def as_certificate(self, name: str, **changed: object) -> KafkaSettings:
        """Return settings that log in with a certificate of ``name``."""
        certificate, key = self.authority.sign(name)
        return KafkaSettings.model_validate(
            {
                "bootstrap_servers": self.by_certificate,
                "security_protocol": "SSL",
                "ca_file": self.authority.file,
                "certificate_file": certificate,
                "key_file": key,
                "partitions": 2,
                **changed,
            }
        )

    def as_admin(self) -> KafkaSettings:
        """Return settings of the user that may do anything."""
        return self.as_user(ADMIN, _PASSWORD)

    def set_password(self, name: str, password: str) -> None:
        """Make a SCRAM user, or replace its password."""
        info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
        change = UserScramCredentialUpsertion(name, info, password.encode())
        admin = AdminClient(client(self.as_admin()))
        for future in admin.alter_user_scram_credentials([change]).values():
            future.result(15)

    def _settings(self, broker: str, controller: str) -> dict[str, str]:
        certificate, key = self.authority.sign("broker", "127.0.0.1", "localhost")
        keystore = self.directory / "broker.pem"
        keystore.write_text(key.read_text() + certificate.read_text())
        internal = f"127.0.0.1:{self._internal}"
        scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        plain = (
            "org.apache.kafka.common.security.plain.PlainLoginModule required "
            f'user_{ADMIN}="{_PASSWORD}";'
        )
        listeners = f"LOGIN://{broker},MTLS://{self.by_certificate},INTERNAL://{internal}"
        return {
            **super()._settings(broker, controller),
            "listeners": f"{listeners},CONTROLLER://{controller}",
            "advertised.listeners": listeners,
            "inter.broker.listener.name": "INTERNAL",
            "listener.security.protocol.map": (
                "CONTROLLER:PLAINTEXT,INTERNAL:PLAINTEXT,LOGIN:SASL_SSL,MTLS:SSL"
            ),
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(keystore),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.authority.file),
            "ssl.principal.mapping.rules": "RULE:^.*CN=([^,]+).*$/$1/",
            "listener.name.mtls.ssl.client.auth": "required",
            "listener.name.login.ssl.client.auth": "none",
            "listener.name.login.sasl.enabled.mechanisms": (
                "SCRAM-SHA-512,SCRAM-SHA-256,PLAIN,OAUTHBEARER"
            ),
            "listener.name.login.oauthbearer.sasl.jaas.config": (
                "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;"
            ),
            "listener.name.login.oauthbearer.sasl.server.callback.handler.class": (
                "org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler"
            ),
            "listener.name.login.oauthbearer.sasl.oauthbearer.jwks.endpoint.url": (
                self.tokens.keys.as_uri()
            ),
            "listener.name.login.oauthbearer.sasl.oauthbearer.expected.audience": AUDIENCE,
            "listener.name.login.oauthbearer.sasl.oauthbearer.expected.issuer": ISSUER,
            "listener.name.login.scram-sha-512.sasl.jaas.config": scram,
            "listener.name.login.scram-sha-256.sasl.jaas.config": scram,
            "listener.name.login.plain.sasl.jaas.config": plain,
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "allow.everyone.if.no.acl.found": "false",
            # The broker's own connections, which are on a listener that only it knows.
            "super.users": f"User:{ADMIN};User:ANONYMOUS",
        }

    def _format_options(self) -> list[str]:
        return ["--add-scram", f"SCRAM-SHA-512=[name={ADMIN},password={_PASSWORD}]"]
