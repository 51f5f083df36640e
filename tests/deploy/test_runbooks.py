"""Every alert has a runbook; the commands, settings and names in the runbooks exist."""

from __future__ import annotations

import builtins
import re
import shlex
from collections.abc import Iterator
from typing import Final

import aiokafka.errors
import asyncpg
import click
import cramjam
import psycopg
import pytest
from confluent_kafka import KafkaError

from schemas.rejected import Reason
from streams.audit.auditor import audit_log
from streams.cli import main
from streams.runtime.http import Verdict, application
from streams.runtime.metrics import Metrics
from streams.store import relay_lease
from streams.store.pool import Pool
from tests.audit.memory import MemoryLog
from tests.deploy.files import ROLES, RUNBOOKS, TOP, rules, variables
from tests.producers import PRODUCERS

ALERTS: Final = {rule["alert"] for rule in rules()}
PAGES: Final = {path.stem: path.read_text() for path in sorted(RUNBOOKS.glob("*.md"))}
_HEADINGS: Final = ["What it means", "How to confirm", "What to do", "How to undo"]
_PORTS: Final = {"worker-1": 6066, "worker-2": 6066, "exporter": 6067, "canary": 6068}
_KAFKA: Final = {
    "kafka-get-offsets.sh": {"--bootstrap-server", "--topic"},
    "kafka-consumer-groups.sh": {
        *("--bootstrap-server", "--describe", "--group"),
        *("--reset-offsets", "--topic", "--to-offset", "--execute"),
    },
}
"""Scripts of Kafka 4.1 with the options that the pages use; each was tested manually."""


def _commands() -> Iterator[tuple[str, str]]:
    for name, text in PAGES.items():
        for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL):
            for line in block.splitlines():
                if line.strip() and not line.startswith("export "):
                    yield name, line.strip()


def _typed(tool: str) -> list[list[str]]:
    words = (shlex.split(command) for command in sorted({command for _, command in _commands()}))
    return [line for line in words if line[0].startswith(tool)]


QUERIES: Final = [query for _, option, query in _typed("psql") if option == "-c"]


def test_every_alert_has_a_runbook_and_every_runbook_an_alert() -> None:
    assert PAGES.keys() == {*ALERTS, "README"}


def test_a_runbook_has_the_four_sections(
    subtests: pytest.Subtests,
) -> None:
    for alert in sorted(ALERTS):
        with subtests.test(alert):
            first, *sections = PAGES[alert].split("\n## ")

            assert first.strip() == f"# {alert}"
            assert [section.partition("\n")[0] for section in sections] == _HEADINGS
            assert all(section.partition("\n")[2].strip() for section in sections)
            assert "```sh" in sections[1]


def test_a_runbook_names_only_existing_alerts(subtests: pytest.Subtests) -> None:
    for page in PAGES:
        with subtests.test(page):
            assert set(re.findall(r"\bIcam\w+", PAGES[page])) <= ALERTS


def test_a_runbook_names_only_existing_settings_and_names(subtests: pytest.Subtests) -> None:
    """Log events, columns, metrics and errors have the same names as in the code."""
    sources = "".join(
        path.read_text()
        for folder in ("streams", "schemas", "deploy/postgres")
        for path in sorted((TOP / folder).rglob("*"))
        if path.suffix in {".py", ".sql"}
    )
    of_postgresql = {"pg_is_in_recovery"}
    for page in PAGES:
        with subtests.test(page):
            words = re.findall(r"`([A-Za-z_]+)`", PAGES[page])
            for word in words:
                if word.startswith("ICAM_"):
                    assert word in variables(), word
                elif word.endswith("Error"):
                    libraries = (asyncpg, builtins, aiokafka.errors, cramjam)
                    assert any(hasattr(library, word) for library in libraries), word
                elif word.isupper() and "_" in word:
                    assert hasattr(KafkaError, word), word
                elif "_" in word and word not in of_postgresql:
                    assert re.search(rf"\b{word}\b", sources), word


def test_the_links_and_paths_of_a_runbook_exist(subtests: pytest.Subtests) -> None:
    for page in PAGES:
        with subtests.test(page):
            for target in re.findall(r"\]\((?!http|#)([^)#]+)", PAGES[page]):
                assert (RUNBOOKS / target).exists(), target
            for path in re.findall(r"`(deploy/[\w./-]+)`", PAGES[page]):
                assert (TOP / path).exists(), path


def test_runbooks_use_only_known_tools() -> None:
    tools = {shlex.split(command)[0] for _, command in _commands()}

    assert tools == {"icam", "psql", "curl", *_KAFKA}


def test_every_icam_command_of_the_runbooks_exists(subtests: pytest.Subtests) -> None:
    for words in _typed("icam"):
        with subtests.test(" ".join(words)):
            group: click.Command = main
            rest = words[1:]
            while isinstance(group, click.Group) and rest:
                found = group.get_command(click.Context(main), rest[0])
                assert found is not None, words
                group, rest = found, rest[1:]
            group.make_context("icam", rest)


def test_every_kafka_option_of_the_runbooks_was_tested(subtests: pytest.Subtests) -> None:
    for words in _typed("kafka-"):
        with subtests.test(" ".join(words)):
            assert {word for word in words if word.startswith("--")} <= _KAFKA[words[0]]


def test_every_address_of_the_runbooks_is_served(subtests: pytest.Subtests) -> None:
    served = application(lambda: Verdict(True, {}), lambda: Verdict(True, {}), Metrics().registry)
    paths = {resource.canonical for resource in served.router.resources()}
    for words in _typed("curl"):
        with subtests.test(" ".join(words)):
            ((host, port, path),) = re.findall(r"http://([\w-]+):(\d+)(/\w+)$", words[-1])

            assert words[1:-1] == ["-s"]
            assert _PORTS[host] == int(port)
            assert path in paths


def test_the_auditor_may_run_every_query_of_the_runbooks(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as conn:
        conn.execute(ROLES.read_bytes())
    with psycopg.connect(database_url.replace("//postgres@", "//icam_auditor@")) as conn:
        for query in QUERIES:
            assert conn.execute(query).description, query
    assert len(QUERIES) > 10


async def test_the_auditor_can_see_who_holds_the_relay(database_url: str, pool: Pool) -> None:
    with psycopg.connect(database_url, autocommit=True) as conn:
        conn.execute(ROLES.read_bytes())
    (query,) = {query for query in QUERIES if "relay_lease" in query}
    async with pool.acquire() as worker:
        await relay_lease.take(worker, "worker-1:7")
        with psycopg.connect(database_url.replace("//postgres@", "//icam_auditor@")) as auditor:
            ((holder, since, fence, expires, now),) = auditor.execute(query).fetchall()

    assert (holder, fence) == ("worker-1:7", 1)
    assert since < now < expires


def test_every_reason_of_a_dead_letter_is_in_a_runbook() -> None:
    for reason in Reason:
        assert f"`{reason}`" in PAGES["IcamDeadLetterBurst"]


def test_every_check_of_the_audit_is_in_a_runbook(database_url: str) -> None:
    for check in audit_log(MemoryLog(), database_url, group="none", producers=PRODUCERS).checks:
        assert f"`{check.name}`" in PAGES["IcamAuditDifference"]
