"""Tokens by client credentials: both clients log in with one, and a refusal says what to change."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest
from click.testing import CliRunner

from streams.cli import main
from streams.embedded.postgres import EmbeddedPostgres
from streams.embedded.worker import WorkerProcess
from streams.kafka import acls, topics
from streams.kafka.connection import Unreachable, cluster
from streams.kafka.publish import publish
from streams.store import migrate
from tests.pipeline.stage import until
from tests.secured.node import SecuredNode
from tests.secured.test_pipeline import PRINCIPALS, PRODUCERS, Announcements, order

pytestmark = [pytest.mark.kafka, pytest.mark.any_date]

SECRET: Final = "correct horse"  # noqa: S105 - of a server that lives for one test
CLIENTS: Final = ("icam-worker", "orders-register", "case-management")


@pytest.fixture(scope="module")
def node(secured_node: SecuredNode) -> Iterator[SecuredNode]:
    topics.ensure(secured_node.as_admin(), PRODUCERS.topics)
    acls.apply(secured_node.as_admin(), acls.load(PRINCIPALS, PRODUCERS))
    secured_node.tokens.secrets = dict.fromkeys(CLIENTS, SECRET)
    with secured_node.tokens.served(secured_node.authority):
        yield secured_node


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n")
    return file


def environment(node: SecuredNode, database: str, secret: Path) -> dict[str, str]:
    """Return the settings of a worker that logs in with a token."""
    return {
        "ICAM_KAFKA__BOOTSTRAP_SERVERS": node.bootstrap_servers,
        "ICAM_KAFKA__SECURITY_PROTOCOL": "SASL_SSL",
        "ICAM_KAFKA__SASL_MECHANISM": "OAUTHBEARER",
        "ICAM_KAFKA__SASL_USERNAME": "icam-worker",
        "ICAM_KAFKA__SASL_PASSWORD_FILE": str(secret),
        "ICAM_KAFKA__SASL_TOKEN_URL": node.tokens.url,
        "ICAM_KAFKA__SASL_SCOPE": "kafka",
        "ICAM_KAFKA__CA_FILE": str(node.authority.file),
        "ICAM_KAFKA__PARTITIONS": "2",
        "ICAM_KAFKA__SESSION_TIMEOUT_SECONDS": "6",
        "ICAM_DATABASE__URL": database,
    }


REFUSALS: Final[Mapping[str, tuple[dict[str, str], str]]] = {
    "wrong secret": (
        {"sasl_password": "wrong"},
        "gave the user icam-worker no token: check ICAM_KAFKA__SASL_TOKEN_URL, the client's id",
    ),
    "unknown client": (
        {"sasl_username": "stranger"},
        "gave the user stranger no token: check ICAM_KAFKA__SASL_TOKEN_URL, the client's id",
    ),
    "no server of tokens": (
        {"sasl_token_url": "https://127.0.0.1:1/token"},
        "https://127.0.0.1:1/token gave the user icam-worker no token: check",
    ),
    "a token without a scope": (
        {"sasl_scope": ""},
        "refused the user icam-worker: check the name, the password and the mechanism",
    ),
}


def said(worker: WorkerProcess) -> set[tuple[str, str]]:
    """Return the events of the log, each with its reason."""
    lines = map(json.loads, worker.log.read_text().splitlines())
    return {(line["event"], line["why"]) for line in lines if "why" in line}


def test_a_client_logs_in_with_a_token(node: SecuredNode) -> None:
    assert cluster(node.as_client("icam-worker", SECRET))[1].brokers


@pytest.mark.parametrize("case", REFUSALS)
def test_a_refusal_says_what_to_change(node: SecuredNode, case: str) -> None:
    changed, expected = REFUSALS[case]
    kafka = node.as_client("icam-worker", SECRET, **changed)
    with pytest.raises(Unreachable) as raised:
        cluster(kafka, patience=3)

    assert expected in str(raised.value)
    assert SECRET not in str(raised.value)


def test_doctor_says_it_with_exit_code_3(
    node: SecuredNode, database_url: str, secret: Path
) -> None:
    secret.write_text("wrong")
    done = CliRunner().invoke(main, ["doctor"], env=environment(node, database_url, secret))

    assert done.exit_code == 3
    assert "gave the user icam-worker no token" in " ".join(done.output.split())
    assert "wrong" not in done.output


def test_a_worker_waits_for_a_token_says_why_and_goes_on_with_the_right_secret(
    node: SecuredNode, tmp_path: Path, secret: Path
) -> None:
    """The server of tokens is no part of Kafka: its refusal, or its end, must not end a worker."""
    secret.write_text("wrong")
    with EmbeddedPostgres(tmp_path / "postgres", {"fsync": "off"}) as postgres:
        migrate.apply(postgres.url)
        worker = WorkerProcess(
            tmp_path / "worker",
            environment(node, postgres.url, secret) | {"ICAM_KAFKA__SASL_SCOPE": ""},
        )
        announced = Announcements(node.as_client("case-management", SECRET), "icam.case-routed.v1")
        worker.start(wait=False)
        try:
            until(
                lambda: ("no_token", "status 401") in said(worker), 40, "it says that it has none"
            )
            assert worker.probe("livez")[0] == 200
            assert worker.probe("readyz")[0] == 503

            secret.write_text(SECRET)
            until(lambda: ("token_refused", "invalid_token") in said(worker), 20, "without scope")
            assert worker.exit_code is None
        finally:
            worker.stop()

        worker = WorkerProcess(tmp_path / "second", environment(node, postgres.url, secret))
        with worker:
            publish(node.as_client("orders-register", SECRET), [order("case-oauth")])
            until(lambda: announced.of("case-oauth"), 40, "read, applied and announced by tokens")
        announced.close()
    logs = "".join(path.read_text() for path in tmp_path.glob("*/worker.log"))
    assert SECRET not in logs
    assert "Bearer" not in logs
