"""Read the environment into one frozen settings object. Every variable starts with ``ICAM_``.

Nested names use two underscores: ``ICAM_KAFKA__BOOTSTRAP_SERVERS``, ``ICAM_DATABASE__URL``. A
variable that starts with ``ICAM_`` and is no setting is refused.
"""

from __future__ import annotations

import os
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from streams.runtime import variables

SecurityProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
SaslMechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"]


class KafkaSettings(BaseModel):
    """How to reach the brokers and how topics are laid out."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    bootstrap_servers: str = "127.0.0.1:9092"
    group: str = "icam-streams"
    partitions: Annotated[int, Field(ge=1, le=1000)] = 12
    replication_factor: Annotated[int, Field(ge=1, le=9)] = 1
    session_timeout_seconds: Annotated[float, Field(ge=1, le=60)] = 10.0
    fetch_max_wait_ms: Annotated[int, Field(ge=1, le=5000)] = 500

    security_protocol: SecurityProtocol = "PLAINTEXT"
    sasl_mechanism: SaslMechanism = "SCRAM-SHA-512"
    sasl_username: str | None = None
    """User name, or the client id of OAUTHBEARER."""
    sasl_password: SecretStr | None = None
    """Password, or the client secret of OAUTHBEARER. Better from a file."""
    sasl_password_file: Path | None = None
    """File of the password, read at each connection, so that it can be replaced."""
    sasl_token_url: Annotated[str, Field(pattern=r"^https?://")] | None = None
    """Where OAUTHBEARER gets its tokens, by client credentials (RFC 6749, section 4.4)."""
    sasl_scope: str | None = None
    ca_file: Path | None = None
    """Certificates that the brokers' must be signed by, as PEM; by default those of the system."""
    certificate_file: Path | None = None
    """Our certificate for mutual TLS, as PEM, with the chain."""
    key_file: Path | None = None
    """The key of our certificate, as PEM."""
    key_password: SecretStr | None = None
    key_password_file: Path | None = None

    @property
    def tls(self) -> bool:
        """Whether connections are encrypted."""
        return self.security_protocol.endswith("SSL")

    @property
    def sasl(self) -> bool:
        """Whether we log in with a name and a secret."""
        return self.security_protocol.startswith("SASL_")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        """Refuse what would fail at the first connection, or silently protect less than asked."""
        if self.sasl:
            _need(self.sasl_username, "SASL needs ICAM_KAFKA__SASL_USERNAME")
            _need(
                self.sasl_password or self.sasl_password_file,
                "SASL needs ICAM_KAFKA__SASL_PASSWORD_FILE",
            )
            if self.sasl_mechanism == "OAUTHBEARER":
                _need(self.sasl_token_url, "OAUTHBEARER needs ICAM_KAFKA__SASL_TOKEN_URL")
        elif self.sasl_username or self.sasl_password or self.sasl_password_file:
            raise ValueError(
                f"a user or password is set, but {self.security_protocol} sends neither: "
                "set ICAM_KAFKA__SECURITY_PROTOCOL=SASL_SSL"
            )
        if not self.tls and (self.ca_file or self.certificate_file or self.key_file):
            raise ValueError(
                f"certificates are set, but {self.security_protocol} uses none: "
                "set ICAM_KAFKA__SECURITY_PROTOCOL to SSL or SASL_SSL"
            )
        if bool(self.certificate_file) != bool(self.key_file):
            raise ValueError(
                "a client certificate needs its key: set ICAM_KAFKA__CERTIFICATE_FILE and "
                "ICAM_KAFKA__KEY_FILE"
            )
        return self


class DatabaseSettings(BaseModel):
    """How to reach PostgreSQL."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: SecretStr = SecretStr("postgresql://postgres@127.0.0.1:5432/postgres")
    """Any URL that PostgreSQL documents, with several hosts and with parameters."""
    url_file: Path | None = None
    """A file with the URL, which replaces ``url``; read again at each connect."""
    password_file: Path | None = None
    """A file with the password, which replaces the URL's; read again at each connect."""
    pool_size: Annotated[int, Field(ge=3, le=50)] = 8
    statement_timeout_seconds: Annotated[float, Field(gt=0, le=600)] = 30.0

    @property
    def idle_transaction_seconds(self) -> float:
        """Return after how long a transaction is ended whose client says nothing.

        What waits for its locks gets them in time, also if it waits for two of them in a row.
        """
        return self.statement_timeout_seconds / 3


class IntakeSettings(BaseModel):
    """How records are applied."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    batch_max: Annotated[int, Field(ge=1, le=5000)] = 400
    writers: Annotated[int, Field(ge=1, le=16)] = 2
    """Lanes per worker: transactions that run in parallel."""
    max_bugs_in_a_row: Annotated[int, Field(ge=1, le=1000)] = 5
    """Failures of our own code that stop the worker, over all of its lanes."""
    retry_cap_seconds: Annotated[float, Field(gt=0, le=300)] = 10.0
    """Longest pause between two attempts while the database is away."""
    max_ahead_seconds: Annotated[float, Field(ge=0, le=86_400)] = 300.0
    """By how much an event's time may lie ahead of the record's arrival on Kafka."""

    @property
    def max_ahead(self) -> timedelta:
        """Return ``max_ahead_seconds`` as a timedelta."""
        return timedelta(seconds=self.max_ahead_seconds)


class LoopSettings(BaseModel):
    """Intervals of the worker's background loops, in seconds. New work also wakes the relay."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    relay_seconds: Annotated[float, Field(gt=0, le=60)] = 0.5
    relay_batch: Annotated[int, Field(ge=1, le=5000)] = 1000
    sweep_seconds: Annotated[float, Field(gt=0, le=60)] = 1.0
    sweep_batch: Annotated[int, Field(ge=1, le=5000)] = 100
    """Most due cases that are decided at once; records wait meanwhile."""
    requests_seconds: Annotated[float, Field(gt=0, le=60)] = 1.0
    """How often requests to replay or discard a dead letter are sought."""
    stale_seconds: Annotated[float, Field(gt=0, le=86400)] = 300.0
    """How often cases are sought that a worker with earlier reference data decided."""
    caseload_seconds: Annotated[float, Field(gt=0, le=3600)] = 60.0
    """How often the open cases of all teams are counted, to route new cases."""


class HttpSettings(BaseModel):
    """The internal port: health and metrics. Never expose it outside the cluster."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 6066
    stuck_seconds: Annotated[float, Field(ge=1, le=3600)] = 60.0
    """A worker whose batch is in flight for longer, without an outage, is not alive."""


class Exporter(BaseModel):
    """The exporter: port, and the intervals of its readings in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 6067
    backlog_seconds: Annotated[float, Field(gt=0, le=300)] = 5.0
    """Deadlines, outbox, dead letters, records not committed. Reads indexes only."""
    cases_seconds: Annotated[float, Field(gt=0, le=3600)] = 60.0
    """Counts over all cases, and over two weeks of events by producer."""
    offsets_seconds: Annotated[float, Field(gt=0, le=3600)] = 30.0
    """Comparison of committed offsets with the database."""
    audit_seconds: Annotated[float, Field(gt=0, le=7 * 86400)] = 3600.0
    """The whole audit, which reads every record and row."""


class CanarySettings(BaseModel):
    """The canary, which sends synthetic events through the whole pipeline."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 6068
    every_seconds: Annotated[float, Field(gt=0, le=3600)] = 60.0
    patience_seconds: Annotated[float, Field(gt=0, le=600)] = 30.0
    """How long an announcement may take before it counts as missed."""


class CheckpointSettings(BaseModel):
    """The signed checkpoints of what cases hold."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    key_file: Path | None = None
    """The private key that signs, as PEM. Only ``icam checkpoint sign`` may have it."""
    public_key_file: Path | None = None
    """The public keys, as PEM: the present one and those before it. With it the exporter's hourly
    audit verifies the checkpoints."""


class Board(BaseModel):
    """The board, which serves the live page. Never expose it outside the cluster."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 6070
    prometheus_url: Annotated[str, Field(pattern=r"^https?://")] | None = None
    """Prometheus with our rules. Without it the page names no worker, lag and alert."""
    streams_per_address: Annotated[int, Field(ge=1, le=500)] = 50
    """Open pages per IP address. All readers behind a proxy have its address."""
    ops: bool = False
    """Whether counts are exact, for people who work on these cases anyway."""
    step_key: SecretStr | None = None
    """Secret of the offsets of public counts: keep it. Reports need it; the board's default is the
    database's address."""
    every_seconds: Annotated[float, Field(ge=0.2, le=60)] = 2.0
    runbooks: Path = Path("deploy/runbooks")


def _need(value: object, message: str) -> None:
    if not value:
        raise ValueError(message)


def _is_loopback(server: str) -> bool:
    host = server.strip().rpartition(":")[0].strip("[]")
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Settings(BaseSettings):
    """All settings of one deployment."""

    model_config = SettingsConfigDict(
        env_prefix="ICAM_",
        env_nested_delimiter="__",
        frozen=True,
        extra="ignore",
        hide_input_in_errors=True,
    )

    kafka: KafkaSettings = KafkaSettings()
    database: DatabaseSettings = DatabaseSettings()
    audit_database: DatabaseSettings | None = None
    """The database as the audit connects to it, which reads what the exporter's role may not; by
    default as ``database``."""
    intake: IntakeSettings = IntakeSettings()
    loops: LoopSettings = LoopSettings()
    http: HttpSettings = HttpSettings()
    exporter: Exporter = Exporter()
    canary: CanarySettings = CanarySettings()
    checkpoint: CheckpointSettings = CheckpointSettings()
    board: Board = Board()
    policy_file: Path | None = None
    directory_file: Path | None = None
    producers_file: Path | None = None
    """Which producer may say what; replaces the table of this version."""
    staffing_file: Path | None = None
    case_url: Annotated[str, Field(pattern=r"^https?://")] | None = None
    """Address of cases in the offices' own system; a link to a case ends with its id."""
    allowed_hosts: str = ""
    """Names by which clients may address the internal ports, separated by commas: of services, and
    the public name of the board. localhost and IP addresses are always allowed."""
    log_level: Annotated[str, Field(pattern=r"^(DEBUG|INFO|WARNING|ERROR)$")] = "INFO"
    data_directory: Path = Path(".run/worker")
    allow_plaintext: bool = False
    """Whether brokers elsewhere may be reached without encryption, as in a private network."""

    @property
    def database_of_audit(self) -> DatabaseSettings:
        """Return how the audit connects to the database."""
        return self.audit_database or self.database

    @property
    def host_names(self) -> frozenset[str]:
        """Return ``allowed_hosts`` as a set."""
        return frozenset(name.strip() for name in self.allowed_hosts.split(",") if name.strip())

    @property
    def reference_files(self) -> tuple[Path | None, Path | None, Path | None]:
        """Return the files that replace the policy, the directory and the table of producers."""
        return self.policy_file, self.directory_file, self.producers_file

    @model_validator(mode="before")
    @classmethod
    def _known(cls, values: Any) -> Any:
        """Refuse a mistyped variable, which would leave a default in force."""
        variables.expect_known(os.environ, cls)
        return values

    @model_validator(mode="after")
    def _encrypted(self) -> Self:
        """Refuse unencrypted connections to another machine unless they are allowed."""
        kafka = self.kafka
        if kafka.tls or self.allow_plaintext:
            return self
        far = [name for name in kafka.bootstrap_servers.split(",") if not _is_loopback(name)]
        if far:
            raise ValueError(
                f"{kafka.security_protocol} to {', '.join(far)} would send personal data without "
                "encryption: set ICAM_KAFKA__SECURITY_PROTOCOL to SSL or SASL_SSL, or "
                "ICAM_ALLOW_PLAINTEXT=1 on a network that only the pipeline uses"
            )
        return self
