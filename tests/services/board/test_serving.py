"""HTTP responses of the board: the page, the state, the stream and the runbooks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse, ClientSession, TCPConnector
from aiohttp.test_utils import TestClient, TestServer

from streams.reference import staffing
from streams.runtime.http import Verdict, application
from streams.runtime.metrics import BoardMetrics
from streams.runtime.settings import Board, Settings
from streams.services.board import serving
from streams.services.board.figures import PublicFigures
from streams.services.board.pages import PageFacts
from streams.services.board.signals import History
from streams.services.board.state import State
from streams.services.board.steps import Steps
from streams.services.web.feed import Feed
from tests.domain.given import WEDNESDAY

STREAMS = 5
"""Streams that one address may open."""
RUNBOOK = """# IcamOutboxStuck

| what | how |
|---|---|
| confirm | `icam doctor` |

<script>alert(1)</script>

Then `IcamBehind`, not `IcamUnknown`; see [elsewhere](../elsewhere.yml).
"""


@pytest.fixture
def feed() -> Feed:
    return Feed()


@pytest.fixture
async def client(feed: Feed, tmp_path: Path) -> AsyncIterator[TestClient[Any, Any]]:
    (tmp_path / "IcamOutboxStuck.md").write_text(RUNBOOK)
    (tmp_path / "IcamBehind.md").write_text("# IcamBehind")
    (tmp_path / "README.md").write_text("# What is always safe")
    settings = Settings(board=Board(runbooks=tmp_path))
    facts = PageFacts.load(settings, WEDNESDAY)
    state = State(
        PublicFigures(facts.offices, facts.levels, staffing.load(), Steps(None)), History(10)
    )
    metrics = BoardMetrics()
    app = application(lambda: Verdict(True, {}), lambda: Verdict(True, {}), metrics.registry)
    serving.add_page(app, facts, state, feed, metrics, STREAMS)
    async with TestClient(TestServer(app)) as client:
        yield client


async def _event(stream: ClientResponse) -> dict[str, str]:
    """Read one server-sent event."""
    lines: list[str] = []
    while (line := (await stream.content.readline()).decode().rstrip("\n")) or not lines:
        lines.append(line)
    return dict(line.split(": ", 1) for line in lines)


async def test_every_response_has_restrictive_security_headers(
    client: TestClient[Any, Any],
) -> None:
    for path in ("/", "/state", "/page/main.js", "/runbooks/", "/livez"):
        answer = await client.get(path)
        assert answer.status == 200, path
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "Set-Cookie" not in answer.headers


async def test_the_page_has_no_external_address_and_no_inline_code(
    client: TestClient[Any, Any],
) -> None:
    page = await (await client.get("/?lang=nl")).text()
    assert '<html lang="nl"' in page
    assert "http" not in page
    assert "style=" not in page
    assert "onclick" not in page
    assert page.count("<script") == 1


async def test_the_page_is_in_the_language_of_the_browser(client: TestClient[Any, Any]) -> None:
    answer = await client.get("/", headers={"Accept-Language": "de-BE,de;q=0.9"})
    assert '<html lang="de"' in await answer.text()
    assert answer.headers["Vary"] == "Accept-Language"


async def test_an_unchanged_file_is_not_sent_again_and_templates_are_not_served(
    client: TestClient[Any, Any],
) -> None:
    first = await client.get("/page/style.css")
    again = await client.get("/page/style.css", headers={"If-None-Match": first.headers["ETag"]})
    assert (first.status, again.status) == (200, 304)
    for name in ("index.html", "../state.py", "..%2Fstate.py", "nothing.js"):
        assert (await client.get(f"/page/{name}")).status == 404


async def test_the_stream_sends_the_current_state_and_every_later_one(
    client: TestClient[Any, Any], feed: Feed
) -> None:
    feed.publish(b'{"n":1}')
    stream = await client.get("/stream", headers={"Last-Event-ID": "77"})
    assert stream.headers["Content-Type"].startswith("text/event-stream")
    assert await _event(stream) == {"retry": "2000"}
    assert await _event(stream) == {"id": "1", "event": "state", "data": '{"n":1}'}
    feed.publish(b'{"n":2}')
    assert (await _event(stream))["data"] == '{"n":2}'
    stream.close()


async def test_a_client_that_does_not_read_delays_no_other_client(
    client: TestClient[Any, Any], feed: Feed
) -> None:
    """The slow client never reads, and receives far more than any buffer holds."""
    slow = await client.get("/stream")
    quick = await client.get("/stream")
    await _event(quick)
    for n in range(100):
        feed.publish(json.dumps({"n": n, "fill": "x" * 200_000}).encode())
        event = await _event(quick)
        assert json.loads(event["data"])["n"] == n
    slow.close()
    quick.close()


async def test_the_number_of_clients_is_exported_and_limited(
    client: TestClient[Any, Any], feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "MOST_CLIENTS", 1)
    feed.publish(b"{}")
    stream = await client.get("/stream")
    await _event(stream)
    refused = await client.get("/stream")
    assert (refused.status, refused.headers["Retry-After"]) == (503, "10")
    assert "icam_board_clients 1.0" in await (await client.get("/metrics")).text()
    stream.close()
    async with asyncio.timeout(10):
        while "icam_board_clients 0.0" not in await (await client.get("/metrics")).text():
            feed.publish(b"{}")
            await asyncio.sleep(0.01)


async def test_one_address_can_not_take_all_streams(
    feed: Feed, client: TestClient[Any, Any]
) -> None:
    feed.publish(b"{}")
    streams = [await client.get("/stream") for _ in range(STREAMS)]
    refused = await client.get("/stream")
    assert (refused.status, refused.headers["Retry-After"]) == (503, "10")
    async with ClientSession(connector=TCPConnector(local_addr=("127.0.0.9", 0))) as other:
        answer = await other.get(client.make_url("/stream"))
        assert answer.status == 200, "an address that has none open"
        answer.close()
    streams.pop().close()
    async with asyncio.timeout(10):
        while (again := await client.get("/stream")).status != 200:
            feed.publish(b"{}")
            await asyncio.sleep(0.01)
    for stream in (*streams, again):
        stream.close()


async def test_a_runbook_is_served_as_a_page_and_its_html_is_escaped(
    client: TestClient[Any, Any],
) -> None:
    answer = await client.get("/runbooks/IcamOutboxStuck?lang=fr")
    page = await answer.text()
    assert "<h1>IcamOutboxStuck</h1>" in page
    assert "<td>confirm</td>" in page
    assert "<script" not in page
    assert '<html lang="fr"' in page
    assert '<a href="/runbooks/IcamBehind"><code>IcamBehind</code></a>' in page
    assert page.count("<a href=") == 2, "the link back and the link to the existing runbook"
    contents = await (await client.get("/runbooks/")).text()
    assert "What is always safe" in contents
    assert contents.count('<a href="/runbooks/') == 2


@pytest.mark.parametrize(
    "name", ["IcamUnknown", "..%2FREADME", "README", "IcamOutboxStuck.md", "%00"]
)
async def test_an_unknown_runbook_is_not_found(client: TestClient[Any, Any], name: str) -> None:
    assert (await client.get(f"/runbooks/{name}")).status == 404
