"""The URL of the database means the same to both drivers, for every parameter that libpq has."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from psycopg.pq import Conninfo
from pydantic import SecretStr

from streams.runtime.settings import DatabaseSettings
from streams.store import address
from streams.store.address import AS_ASYNCPG_DOES, HONOURED, AddressError
from streams.store.pool import expect_own_session, open_pool

URL = (
    "{address}?connect_timeout=7&keepalives_idle=9&keepalives_interval=8&tcp_user_timeout=7000"
    "&target_session_attrs=read-write&options=-c%20work_mem%3D5MB&sslmode=prefer&gssencmode=disable"
)


async def test_both_drivers_take_hosts_and_parameters_alike(database_url: str) -> None:
    """The first host does not answer."""
    first, second = database_url.split("@")
    url = URL.format(address=f"{first}@127.0.0.1:1,{second}")
    pool = await open_pool(DatabaseSettings(url=SecretStr(url)), "test")
    async with pool.acquire() as conn:
        shown = [await conn.fetchval(f"SHOW {name}") for name in ("work_mem", "port")]
        await expect_own_session(conn)
    pool.terminate()
    with psycopg.connect(address.parse(url).for_psycopg()) as same:
        also = [same.execute(f"SHOW {n}".encode()).fetchone() for n in ("work_mem", "port")]

    assert [(value,) for value in shown] == also == [("5MB",), (second[10:].split("/")[0],)]
    assert address.parse(url).for_asyncpg()["timeout"] == 7
    assert address.parse(url).keepalives == (True, 9, 8, None, 7000)


def test_every_parameter_of_libpq_means_the_same_to_both_or_is_refused_by_name() -> None:
    for keyword in (default.keyword.decode() for default in Conninfo.get_defaults()):
        if keyword in HONOURED:
            continue
        with pytest.raises(AddressError, match=f"{keyword} can only be|remove {keyword},"):
            address.parse(f"postgresql://u:secret@h/d?{keyword}=other")
        for value in AS_ASYNCPG_DOES.get(keyword, ()):
            assert address.parse(f"postgresql://h/d?{keyword}={value}")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:secret@h/d?no_such=1",
        "postgresql://u:secret@h:port:1/d",
        "mysql://u:secret@h/d",
        "postgresql://u:secret@h/d?connect_timeout=soon",
        "postgresql://u:secret@h/d?options=secret",
    ],
)
def test_a_url_that_can_not_be_read_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(AddressError) as refused:
        address.parse(url)

    assert "ICAM_DATABASE__URL" in str(refused.value)
    assert "secret" not in str(refused.value)


def test_a_worker_asks_for_a_server_that_takes_writes_unless_told_otherwise(tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text("postgresql://a,b/icam\n")
    database = DatabaseSettings(url_file=file)
    assert address.read(database).for_asyncpg()["host"] == ["a", "b"]
    assert "target_session_attrs" not in address.read(database).for_asyncpg()
    assert address.read(database, writes=True).for_asyncpg()["target_session_attrs"] == "read-write"
    file.write_text("postgresql://a,b/icam?target_session_attrs=any")
    assert address.read(database, writes=True).for_asyncpg()["target_session_attrs"] == "any"
