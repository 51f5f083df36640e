"""The internal port: whom it answers, how many at once, and that it delays no end of a process."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest
from prometheus_client import CollectorRegistry

from streams.embedded.worker import RoleProcess
from streams.runtime.connections import Limits
from streams.runtime.http import Runner, Verdict, application, serve
from tests.pipeline.stage import until

WELL: Final = Verdict(True, {})
LIMITS: Final = Limits(most=40, per_address=20, head_seconds=0.5)
HALF: Final = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n"

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
async def served() -> AsyncIterator[tuple[Runner, int]]:
    app = application(lambda: WELL, lambda: WELL, CollectorRegistry(), ["icam-board.example"])
    runner, port = await serve(app, "127.0.0.1", 0, LIMITS)
    yield runner, port
    await runner.cleanup()


async def ask(port: int, host: str, path: str = "/livez") -> int:
    """Return the status of one request."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    status = int((await reader.readline()).split()[1])
    writer.close()
    return status


async def half(port: int, source: str = "127.0.0.1", head: bytes = HALF) -> Stream:
    """Open a connection and send less than the head of a request."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
    writer.write(head)
    return reader, writer


async def closed(stream: Stream) -> bool:
    """Wait until the server closes the connection."""
    reader, writer = stream
    try:
        async with asyncio.timeout(5):
            rest = await reader.read()
    except ConnectionResetError:
        rest = b""
    writer.close()
    return not rest


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "localhost:6066", "LOCALHOST.", "127.0.0.1:6066", "[::1]:6066", "10.1.2.3"),
        *("icam-board.example", "Icam-Board.example:6070"),
    ],
)
async def test_it_answers_to_its_names_and_to_addresses(
    served: tuple[Runner, int], host: str
) -> None:
    assert await ask(served[1], host) == 200


@pytest.mark.parametrize(
    "host",
    [
        *("attacker.example", "attacker.example:6066", "localhost.attacker.example", "127.0.0.1.a"),
        *("icam-board.example.attacker", "xicam-board.example", "", "[::1].a", "::1]"),
    ],
)
@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics", "/unknown"])
async def test_a_foreign_name_is_refused_on_every_path(
    served: tuple[Runner, int], host: str, path: str
) -> None:
    """A page whose name resolves to this machine would otherwise read it (DNS rebinding)."""
    assert await ask(served[1], host, path) in (400, 421)


async def test_half_requests_of_one_address_keep_nobody_out(served: tuple[Runner, int]) -> None:
    _, port = served
    streams = [await half(port) for _ in range(60)]

    assert await ask(port, "localhost") == 200, "from the same address"
    assert await closed(streams[0]), "the oldest made room"
    assert await asyncio.gather(*map(closed, streams[1:])) == [True] * 59, "the others timed out"


async def test_half_requests_of_many_addresses_keep_nobody_out(
    served: tuple[Runner, int],
) -> None:
    _, port = served
    streams = [await half(port, f"127.0.0.{n}") for n in (2, 3, 4) for _ in range(20)]

    assert await ask(port, "localhost") == 200
    assert await asyncio.gather(*map(closed, streams)) == [True] * 60


async def test_whole_requests_at_the_limit_of_their_address_keep_out_that_address_only(
    served: tuple[Runner, int],
) -> None:
    """Their connections are open, and nothing is owed on them."""
    _, port = served
    streams = [await half(port, "127.0.0.2", HALF + b"\r\n") for _ in range(20)]
    for reader, _ in streams:
        assert b"200" in await reader.readline()

    assert await closed(await half(port, "127.0.0.2", HALF))
    assert await ask(port, "localhost") == 200
    for _, writer in streams:
        writer.close()


@pytest.mark.parametrize(
    "sent", [b"", HALF, b"X" * 100, HALF + b"\r\n" + HALF, HALF + b"\r\n\r\nG"]
)
async def test_a_head_that_is_not_finished_in_time_ends_the_connection(
    served: tuple[Runner, int], sent: bytes
) -> None:
    started = time.monotonic()
    reader, writer = await half(served[1], head=sent)
    async with asyncio.timeout(5):
        await asyncio.gather(reader.read(), return_exceptions=True)
    writer.close()

    assert time.monotonic() - started < 3


async def test_a_head_may_come_in_pieces_and_several_in_one(served: tuple[Runner, int]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", served[1])
    request = HALF + b"\r\n"
    for piece in (request[:7], request[7:-3], request[-3:-1], request[-1:] + request):
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0.05)
    answers = b""
    async with asyncio.timeout(5):
        while answers.count(b"HTTP/1.1 200") < 2:
            answers += await reader.read(1000)
    writer.close()


@pytest.mark.server
def test_many_half_requests_do_not_keep_a_probe_from_a_role(tmp_path: Path) -> None:
    """They used to take all files that it may open, and the probe was reset."""
    away = {"ICAM_DATABASE__URL": "postgresql://nobody@127.0.0.1:1/none"}
    few = ("prlimit", "--nofile=512:512")
    role = RoleProcess("exporter", tmp_path, away, inside=few)
    role.start(wait=False)
    try:
        until(lambda: role.probe("livez")[0] == 200, 30, "its port is open")
        with ExitStack() as opened:
            for _ in range(900):
                one = opened.enter_context(socket.create_connection(("127.0.0.1", role.port), 5))
                one.sendall(HALF)
            # A supervisor asks again, too. None of them is closed for its age by then.
            soon = Limits().head_seconds - 1
            until(lambda: role.probe("livez")[0] == 200, soon, "a probe is answered")
            assert len(list(Path(f"/proc/{role.pid}/fd").iterdir())) < 200
    finally:
        role.stop()


async def test_a_request_that_never_ends_does_not_delay_the_end() -> None:
    app = application(lambda: WELL, lambda: WELL, CollectorRegistry())
    runner, port = await serve(app, "127.0.0.1", 0)
    _, unfinished = await asyncio.open_connection("127.0.0.1", port)
    unfinished.write(
        b"POST /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\nhalf"
    )
    await unfinished.drain()
    await asyncio.sleep(0.1)

    started = time.monotonic()
    await runner.cleanup()

    assert time.monotonic() - started < 5
    unfinished.close()
