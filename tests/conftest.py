"""Real servers for the tests: PostgreSQL always, Apache Kafka where it can be had.

Tests run in several processes (``pytest -n``), each with servers of its own, started when a test
first asks for them. The tests of a file run in one process, in their order, except those of
``APART``.
"""

from __future__ import annotations

import gc
import os
import shutil
import warnings
from collections.abc import AsyncIterator, Iterator
from itertools import count
from typing import Final, NoReturn

import psycopg
import pytest
from confluent_kafka.admin import AdminClient
from xdist.remote import Producer
from xdist.scheduler.loadscope import LoadScopeScheduling

from streams import reference
from streams.embedded import kafka as real_kafka
from streams.embedded import process
from streams.embedded.broker import EmbeddedBroker
from streams.embedded.kafka import KafkaNode
from streams.embedded.postgres import EmbeddedPostgres
from streams.kafka.topics import every
from streams.reference import Reference
from streams.runtime import core_dumps, logs
from streams.runtime.settings import DatabaseSettings
from streams.store import migrate, reference_tables
from streams.store.pool import Pool, open_pool
from tests import properties  # noqa: F401, read for its effect
from tests.producers import FILE, TOPICS
from tests.secured.postgres import SecuredPostgres
from tests.world import World

_NUMBERS = count(1)
_SERVER_FIXTURES: Final = frozenset(
    {
        *("server_url", "kafka_node", "kafka_servers", "mock_broker", "alertmanager"),
        *("secured_postgres", "kafka_libraries"),
    }
)
APART: Final = frozenset(
    {
        "tests/cli/test_commands.py",
        "tests/dates/test_dates.py",
        "tests/faults/test_faults.py",
        "tests/pipeline/test_canary.py",
        "tests/pipeline/test_crashes.py",
        "tests/pipeline/test_stream.py",
        "tests/schedules/test_simulation.py",
        "tests/services/exporter/test_role.py",
    }
)
"""Files whose tests take long and share nothing that is costly to make."""
_LONG: Final = ("kafka", "slow")
QUICK_JAVA: Final = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
"""For a broker that lives for minutes: half the processor time until it serves."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a server, and let what takes long begin first."""
    for item in items:
        if _SERVER_FIXTURES & set(getattr(item, "fixturenames", ())) or item.get_closest_marker(
            "kafka"
        ):
            item.add_marker("server")
    items.sort(key=lambda item: not any(map(item.get_closest_marker, _LONG)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """Have whole files distributed, in the order in which tests were collected."""
    config.option.loadscopereorder = False
    return _ByFile(config, log)


class _ByFile(LoadScopeScheduling):  # type: ignore[misc] # it has no types
    """Distributes files, and the tests of ``APART`` one by one.

    xdist's own groups have no effect with pytest 9.2 (pytest-xdist issue 1386).
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return nodeid if file in APART else file


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Hold tests to their marks: one that is not marked ``server`` can't start any.

    A command that runs in this process leaves its limits and hooks as they are: the limits could
    not be taken back, and the hooks are those of pytest.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(core_dumps, "turn_off", lambda: None)
        patch.setattr(logs, "hide_texts", lambda: None)
        if item.get_closest_marker("server") is None:
            patch.setattr(process, "spawn", _unmarked)
        return (yield)


def _unmarked(*_: object, **__: object) -> NoReturn:
    pytest.fail("a test that starts a server or a process of ours is marked server")


@pytest.fixture(scope="session")
def ref() -> Reference:
    return reference.load(producers_file=FILE)


@pytest.fixture(scope="session")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL server whose ``template`` database is migrated."""
    quick = {"fsync": "off", "full_page_writes": "off", "max_connections": "200"}
    folder = tmp_path_factory.mktemp("postgres")
    with EmbeddedPostgres(folder, quick) as server:
        with psycopg.connect(server.url, autocommit=True) as conn:
            conn.execute("CREATE DATABASE template")
        migrate.apply(_named(server.url, "template"))
        yield server.url
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def secured_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredPostgres]:
    """A migrated PostgreSQL server that accepts nothing but TLS with a client certificate."""
    secured = SecuredPostgres(tmp_path_factory.mktemp("secured"))
    secured.start()
    yield secured
    secured.stop()


@pytest.fixture
def refused_connections() -> Iterator[None]:
    """Collect what is left of refused TLS connections.

    asyncpg leaves their closing to an event loop that ends with the command.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        yield
        gc.collect()


@pytest.fixture
def database_url(server_url: str) -> Iterator[str]:
    """A migrated database of the test's own, dropped after it: they would fill a small disk."""
    name = f"test_{next(_NUMBERS)}"
    with psycopg.connect(server_url, autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {name} TEMPLATE template")
    yield _named(server_url, name)
    with psycopg.connect(server_url, autocommit=True) as conn:
        conn.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    opened = await open_pool(DatabaseSettings(url=database_url), "test")
    yield opened
    opened.terminate()


@pytest.fixture
async def world(pool: Pool, ref: Reference) -> World:
    """One worker's units of work on a database of the test's own."""
    async with pool.acquire() as conn:
        await reference_tables.record(conn, ref.tables, ref.producers)
    return World(pool, ref)


@pytest.fixture(scope="session")
def kafka_libraries() -> None:
    """Have Apache Kafka's artifacts; skip the test if this machine can't have them."""
    reason = real_kafka.available()
    if reason is not None:
        if os.environ.get("ICAM_REQUIRE_KAFKA"):
            pytest.fail(f"ICAM_REQUIRE_KAFKA is set, but {reason}")
        pytest.skip(reason)
    real_kafka.fetch()


@pytest.fixture(scope="session")
def kafka_node(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[KafkaNode | None]:
    """One real Kafka node for the session; None when brokers are named in the environment."""
    if os.environ.get("ICAM_KAFKA__BOOTSTRAP_SERVERS"):
        yield None
        return
    request.getfixturevalue("kafka_libraries")
    with KafkaNode(tmp_path_factory.mktemp("kafka"), java_options=QUICK_JAVA) as node:
        yield node


@pytest.fixture(scope="session")
def kafka_servers(kafka_node: KafkaNode | None) -> str:
    if kafka_node is not None:
        return kafka_node.bootstrap_servers
    servers = os.environ["ICAM_KAFKA__BOOTSTRAP_SERVERS"]
    admin = AdminClient({"bootstrap.servers": servers})
    in_use = sorted(set(every(TOPICS)) & set(admin.list_topics(timeout=10).topics))
    if in_use:
        # The tests delete their topics; these may be somebody's.
        pytest.fail(f"{servers} has {', '.join(in_use)}: name brokers without our topics")
    return servers


@pytest.fixture
def mock_broker() -> Iterator[EmbeddedBroker]:
    """The test double: quick, and no proof of any promise."""
    with EmbeddedBroker(every(TOPICS)) as broker:
        yield broker


def _named(url: str, name: str) -> str:
    return url.rsplit("/", 1)[0] + f"/{name}"
