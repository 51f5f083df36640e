"""The whole pipeline on a secured broker: each role as its own principal, and nobody else."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from uuid import uuid4

import psycopg
import pytest
from click.testing import CliRunner
from confluent_kafka import Consumer

from schemas.codec import Outgoing, encode
from schemas.codes import Guard
from schemas.events import Event
from streams import reference
from streams.audit import audit
from streams.cli import main
from streams.embedded.postgres import EmbeddedPostgres
from streams.embedded.worker import RoleProcess, WorkerProcess
from streams.kafka import acls, topics
from streams.kafka.connection import client
from streams.kafka.publish import PublishError, publish
from streams.runtime.settings import KafkaSettings
from streams.simulate.event import APPOINTMENTS, DECISIONS, ORDERS
from streams.store import migrate
from tests.domain import given
from tests.pipeline.stage import until
from tests.secured.node import SecuredNode

pytestmark = [pytest.mark.kafka, pytest.mark.any_date]

PASSWORD = "correct horse"  # noqa: S105 - of a broker that lives for one test session
PRINCIPALS = Path(__file__).parents[2] / "deploy" / "kafka" / "principals.toml"
PAGE = Path(__file__).parents[2] / "docs" / "deploy.md"
PRODUCERS = reference.producers()
ROLES = (
    "icam-worker",
    "icam-exporter",
    "icam-auditor",
    "icam-canary",
    "orders-register",
    "office-agenda",
)


@pytest.fixture(scope="module")
def node(secured_node: SecuredNode) -> SecuredNode:
    topics.ensure(secured_node.as_admin(), PRODUCERS.topics)
    acls.apply(secured_node.as_admin(), acls.load(PRINCIPALS, PRODUCERS))
    for name in (*ROLES, "case-management"):
        secured_node.set_password(name, PASSWORD)
    return secured_node


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres(tmp_path / "postgres", {"fsync": "off"}) as server:
        migrate.apply(server.url)
        yield server


def block(start: str) -> list[str]:
    """Return the lines of the block of the page "Securing it" that begins with these words."""
    section = re.search(r"### Kafka\n(.*?)\n### ", PAGE.read_text(), re.DOTALL)
    assert section
    blocks = re.findall(r"   ```sh\n(.*?)   ```", section[1], re.DOTALL)
    (found,) = [text for text in blocks if text.strip().startswith(start)]
    return [line.strip() for line in found.splitlines()]


def environment(
    node: SecuredNode, postgres: EmbeddedPostgres, name: str, secret: Path
) -> dict[str, str]:
    """Return the settings that the page gives for a role, with our addresses and files."""
    secret.write_text(PASSWORD)
    said = dict(line.removeprefix("export ").split("=") for line in block("export"))
    ours = {
        "ICAM_KAFKA__BOOTSTRAP_SERVERS": node.bootstrap_servers,
        "ICAM_KAFKA__SASL_USERNAME": name,
        "ICAM_KAFKA__SASL_PASSWORD_FILE": str(secret),
        "ICAM_KAFKA__CA_FILE": str(node.authority.file),
    }
    assert ours.keys() <= said.keys()
    return {
        **said,
        **ours,
        "ICAM_DATABASE__URL": postgres.url,
        "ICAM_KAFKA__PARTITIONS": "2",
        "ICAM_KAFKA__SESSION_TIMEOUT_SECONDS": "6",
    }


def order(case_id: str) -> Outgoing:
    now = datetime.now(UTC)
    event = given.order(notified_at=now - timedelta(days=1), order_id=f"order-{case_id}").event
    return encode(
        event, event_id=uuid4(), case_id=case_id, source=ORDERS, time=now - timedelta(hours=1)
    )


class Announcements:
    """What the principal of a subscriber reads from a topic."""

    def __init__(self, kafka: KafkaSettings, topic: str) -> None:
        self._consumer = Consumer(
            {
                **client(kafka),
                "group.id": "case-management",
                "auto.offset.reset": "earliest",
                "log_level": 0,
            }
        )
        self._consumer.subscribe([topic])
        self._seen = set[str]()

    def of(self, case_id: str) -> bool:
        """Whether something was announced about a case."""
        while case_id not in self._seen:
            message = self._consumer.poll(1)
            if message is None or message.error() is not None:
                return False
            self._seen.add((message.key() or b"").decode())
        return True

    def close(self) -> None:
        self._consumer.close()


def test_every_role_works_as_its_own_principal_and_outlasts_a_new_password(
    node: SecuredNode, postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    secret = tmp_path / "password"
    worker = WorkerProcess(tmp_path / "worker", environment(node, postgres, "icam-worker", secret))
    announced = Announcements(node.as_user("case-management", PASSWORD), "icam.case-routed.v1")
    register = node.as_user("orders-register", PASSWORD)
    canary = RoleProcess(
        "canary",
        tmp_path / "canary",
        environment(node, postgres, "icam-canary", tmp_path / "canary-password")
        | {"ICAM_CANARY__EVERY_SECONDS": "1"},
    )
    exporter = RoleProcess(
        "exporter",
        tmp_path / "exporter",
        environment(node, postgres, "icam-exporter", tmp_path / "exporter-password")
        | {"ICAM_EXPORTER__AUDIT_SECONDS": "2", "ICAM_EXPORTER__OFFSETS_SECONDS": "1"},
    )
    with worker, canary, exporter:
        publish(register, [order("case-00001")])
        until(lambda: announced.of("case-00001"), 30, "the order is routed and announced")
        until(lambda: succeeded(canary), 30, "a canary comes through")

        agenda = node.as_user("office-agenda", PASSWORD)
        for kafka, record in forged(register, agenda):
            with contextlib.suppress(PublishError):
                publish(kafka, [record])
        until(lambda: letters(postgres) == REFUSED, 30, "impostors are refused")

        node.set_password("icam-worker", "a new one")
        secret.write_text("a new one\n")
        node.restart()
        publish(register, [order("case-00002")])
        until(lambda: announced.of("case-00002"), 60, "work goes on with the new password")

        until(lambda: audited(exporter), 60, "the exporter has audited")
        assert worker.exit_code is None
        text = (tmp_path / "worker" / "worker.log").read_text() + worker.metrics()
    announced.close()
    report = audit(
        client(node.as_user("icam-auditor", PASSWORD)),
        postgres.url,
        group="icam-streams",
        producers=PRODUCERS,
    )
    assert report.findings == ()
    assert report.counts["events"] >= 2
    assert not any(word in text for word in (PASSWORD, "a new one"))


REFUSED: Final = [
    ("icam.appointment-missed.v1", "beyond_authority"),
    ("icam.appointment-missed.v1", "reserved"),
    ("icam.appointment-missed.v1", "unknown_source"),
    ("icam.oqt-issued.v1", "beyond_authority"),
]
"""What a principal gets for what it writes on its own topics under another's name."""


def forged(
    register: KafkaSettings, agenda: KafkaSettings
) -> Iterator[tuple[KafkaSettings, Outgoing]]:
    """Yield what two principals try: each other's topics, then each other's sources."""
    now = datetime.now(UTC)
    appeal = given.circumstance(Guard.APPEAL_SUSPENSIVE_PENDING, ends=True).event
    missed = given.miss(1, scheduled_at=now - timedelta(hours=1)).event

    def record(event: Event, source: str, case_id: str = "case-00001") -> Outgoing:
        return encode(event, event_id=uuid4(), case_id=case_id, source=source, time=now)

    for kafka in (register, agenda):
        yield kafka, record(appeal, DECISIONS)
    yield agenda, order("case-00001")
    yield register, record(missed, APPOINTMENTS)
    yield register, replace(order("case-00001"), headers=order_of(DECISIONS))
    yield agenda, record(missed, ORDERS)
    yield agenda, record(missed, "/anybody")
    yield agenda, record(missed, APPOINTMENTS, "canary-person1")


def order_of(source: str) -> tuple[tuple[str, bytes], ...]:
    """Return the headers of an order under another source."""
    return tuple(
        (name, source.encode() if name == "ce_source" else value)
        for name, value in order("case-00001").headers
    )


def letters(postgres: EmbeddedPostgres) -> list[tuple[str, str]]:
    with psycopg.connect(postgres.url) as conn:
        found = conn.execute("SELECT topic, reason FROM dead_letter").fetchall()
    return sorted((topic, reason) for topic, reason in found)


def succeeded(canary: RoleProcess) -> bool:
    return bool(
        re.search(r"^icam_canary_last_success_timestamp_seconds [1-9]", canary.metrics(), re.M)
    )


def audited(exporter: RoleProcess) -> bool:
    return 'icam_audit_findings{check="log"} 0.0' in exporter.metrics()


def test_a_producer_is_told_what_it_may_not_write(node: SecuredNode) -> None:
    with pytest.raises(PublishError, match="grant it with icam topics --acls"):
        publish(node.as_user("icam-canary", PASSWORD), [circumstance()])


def circumstance() -> Outgoing:
    event = given.circumstance(Guard.IDENTITY_DOUBT).event
    return encode(
        event, event_id=uuid4(), case_id="case-0000001", source=DECISIONS, time=datetime.now(UTC)
    )


def test_the_command_compares_and_grants(
    node: SecuredNode, postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    admin = environment(node, postgres, "admin", tmp_path / "secret")
    (tmp_path / "secret").write_text("admin-secret")
    file = tmp_path / "principals.toml"
    file.write_text(
        PRINCIPALS.read_text() + '[[principal]]\nname = "newcomer"\nreads = ["outputs"]\n'
    )

    said = [line.split()[1:] for line in block("icam topics")]
    assert said == [
        ["topics"],
        ["topics", "--acls", "deploy/kafka/principals.toml"],
        ["topics", "--acls", "deploy/kafka/principals.toml", "--apply"],
    ]

    def icam(*words: str) -> tuple[int, str]:
        ran = CliRunner().invoke(main, words, env=admin, catch_exceptions=False)
        return ran.exit_code, ran.output

    assert icam(*said[0])[0] == 0
    code, shown = icam("topics", "--acls", str(file))
    assert (code, "newcomer" in shown, "missing" in shown) == (1, True, True)
    code, shown = icam("topics", "--acls", str(file), "--apply")
    assert (code, "granted" in shown) == (0, True)
    rights = len(acls.load(file, PRODUCERS))
    assert icam("topics", "--acls", str(file)) == (
        0,
        f"the brokers grant exactly the {rights} rights of the file and the producers\n",
    )
    code, shown = icam("topics", "--acls", str(PRINCIPALS), "--apply")
    assert (code, "revoked" in shown) == (0, True)
    (tmp_path / "secret").write_text("wrong")
    code, shown = icam("doctor")
    assert code == 3
    assert "refused the user admin: check the name, the password" in " ".join(shown.split())
    assert "wrong" not in shown
