"""HTTP answers of the studio: who is answered, and with what."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from streams.cli.whatif_page import page
from streams.domain.policy.rules import LANGUAGES
from streams.services.studio.guard import NotLoopback, expect_loopback, new_token, origin_of
from streams.services.studio.serving import Parts, application
from tests import whatifs
from tests.services.studio.stage import OF, TOKEN, Replays, drafts_in, parts

BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def engine() -> Replays:
    return Replays()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return drafts_in(tmp_path / "drafts")


class Client:
    """A page of the studio: its origin and its token."""

    def __init__(self, client: TestClient[Any, Any], made: Parts) -> None:
        self.plain, self.parts = client, made
        self.origin = f"http://127.0.0.1:{client.port}"

    async def get(self, path: str, **headers: str) -> Any:
        return await self.plain.get(path, headers=BEARER | headers)

    async def json(self, path: str) -> Any:
        answer = await self.get(path)
        assert answer.status == 200, await answer.text()
        return await answer.json()

    async def post(self, path: str, content: Any = None, **headers: str) -> Any:
        return await self.plain.post(
            path, json=content or {}, headers=BEARER | {"Origin": self.origin} | headers
        )

    async def begin(self, draft: str = "draft.toml") -> Any:
        digest = (await self.json(f"/changes?draft={draft}"))["digest"]
        return await self.post("/run", {"draft": draft, "digest": digest})

    async def until(self, step: str) -> Any:
        """Follow the run until it came to a step."""
        version = 0
        while True:
            state = await self.json(f"/state?after={version}")
            version = state["version"]
            if state["run"] and state["run"]["step"] == step:
                return state["run"]


@pytest.fixture
async def client(folder: Path, engine: Replays) -> AsyncIterator[Client]:
    made = parts(folder, engine)
    async with TestClient(TestServer(application(made, TOKEN))) as plain:
        yield Client(plain, made)


PRIVATE = ("/drafts", "/changes?draft=draft.toml", "/state", "/result/x", "/report/x")


class TestWhoIsAnswered:
    @pytest.mark.parametrize("path", PRIVATE)
    @pytest.mark.parametrize(
        "given", ["", "Bearer", "Bearer ", f"Basic {TOKEN}", f"Bearer {TOKEN}x"]
    )
    async def test_nobody_without_the_token(self, client: Client, path: str, given: str) -> None:
        answer = await client.plain.get(path, headers={"Authorization": given} if given else {})
        assert answer.status == 401
        assert "draft" not in await answer.text()

    @pytest.mark.parametrize("path", ["/run", "/cancel"])
    async def test_nothing_is_done_without_the_token(self, client: Client, path: str) -> None:
        answer = await client.plain.post(path, json={}, headers={"Origin": client.origin})
        assert answer.status == 401

    @pytest.mark.parametrize("path", ["/", "/page/main.js", *PRIVATE])
    @pytest.mark.parametrize("host", ["example.org", "127.0.0.1", "127.0.0.1:1", "10.0.0.1:{port}"])
    async def test_no_other_name(self, client: Client, path: str, host: str) -> None:
        answer = await client.get(path, Host=host.format(port=client.plain.port))
        assert answer.status == 421

    async def test_localhost_is_this_machine_too(self, client: Client) -> None:
        host = f"localhost:{client.plain.port}"
        assert (await client.get("/drafts", Host=host)).status == 200

    @pytest.mark.parametrize("origin", ["http://example.org", "null", "http://127.0.0.1:1"])
    async def test_no_other_page(self, client: Client, origin: str) -> None:
        assert (await client.post("/run", Origin=origin)).status == 403
        assert (await client.get("/drafts", Origin=origin)).status == 403

    async def test_no_request_without_an_origin_does_something(self, client: Client) -> None:
        answer = await client.plain.post("/cancel", json={}, headers=BEARER)
        assert answer.status == 403

    @pytest.mark.parametrize("site", ["cross-site", "same-site"])
    async def test_no_request_that_another_site_began(self, client: Client, site: str) -> None:
        answer = await client.get("/drafts", **{"Sec-Fetch-Site": site})
        assert answer.status == 403

    async def test_the_page_itself_holds_no_data(self, client: Client) -> None:
        answer = await client.plain.get("/")
        assert answer.status == 200
        text = await answer.text()
        assert "draft.toml" not in text
        assert TOKEN not in text

    @pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "localhost", "example.org", ""])  # noqa: S104
    def test_it_listens_on_loopback_only(self, host: str) -> None:
        with pytest.raises(NotLoopback, match="loopback"):
            expect_loopback(host)

    @pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1"])
    def test_every_loopback_address_is_accepted(self, host: str) -> None:
        expect_loopback(host)

    def test_tokens_differ_and_an_ipv6_address_is_in_brackets(self) -> None:
        assert len({new_token() for _ in range(20)}) == 20
        assert len(new_token()) >= 40
        assert origin_of("::1", 80) == "http://[::1]:80"
        assert origin_of("127.0.0.1", 80) == "http://127.0.0.1:80"


async def test_every_answer_has_restrictive_headers(client: Client) -> None:
    for path in ("/", "/page/main.js", "/drafts", "/nothing"):
        answer = await client.get(path)
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "Set-Cookie" not in answer.headers
        assert "Access-Control-Allow-Origin" not in answer.headers


async def test_the_page_has_no_external_address_and_no_inline_code(client: Client) -> None:
    text = await (await client.get("/?lang=nl")).text()
    assert '<html lang="nl"' in text
    assert "http" not in text
    assert "style=" not in text
    assert text.count("<script") == 1


async def test_it_lists_the_drafts_with_their_faults(client: Client) -> None:
    found = {one["name"]: one for one in await client.json("/drafts")}
    assert set(found) == {"draft.toml", "same.toml", "faulty.toml"}
    assert found["draft.toml"]["version"] == "2026.3"
    assert found["faulty.toml"]["version"] is None
    assert found["faulty.toml"]["faults"]


async def test_it_says_what_a_draft_changes_in_every_language(client: Client) -> None:
    found = await client.json("/changes?draft=draft.toml")

    assert found["base"] == "2026.2"
    assert set(found["changes"]) == set(LANGUAGES)
    assert len(found["changes"]["en"]) == len(whatifs.DRAFTED) - 1  # its name changes nothing
    silence = next(one for one in found["changes"]["en"] if "(silence)" in one["heading"])
    assert silence["rows"] == [
        {
            "part": "terms",
            "before": [["last step of the follow-up + 20\u00a0working days", True]],
            "after": [["last step of the follow-up + 30\u00a0working days", True]],
        }
    ]
    assert (await client.json("/changes?draft=same.toml"))["changes"]["fr"] == []
    assert "changes" not in await client.json("/changes?draft=faulty.toml")
    assert (await client.get("/changes?draft=../draft.toml")).status == 404


class TestRuns:
    async def test_a_run_says_how_far_it_is_and_has_a_result(
        self, client: Client, engine: Replays
    ) -> None:
        assert (await client.json("/state"))["run"] is None
        assert (await client.begin()).status == 202
        run = await client.until("running")
        assert run["draft"] == "draft.toml"
        engine.go()
        run = await client.until("done")
        assert (run["done"], run["of"]) == (OF, OF)
        assert engine.tried == [whatifs.drafted()]
        result = await client.json(f"/result/{run['key']}")
        assert set(result) == set(LANGUAGES)
        assert "of 12,000\u00a0cases" in result["en"]["answer"]
        assert len(result["de"]["examples"]) == 10

    @pytest.mark.parametrize("language", LANGUAGES)
    async def test_the_report_is_that_of_the_command(
        self, client: Client, engine: Replays, language: str
    ) -> None:
        await client.begin()
        engine.go()
        run = await client.until("done")
        answer = await client.get(f"/report/{run['key']}?lang={language}")
        assert await answer.text() == page(whatifs.some(), language, whatifs.draft())
        assert answer.headers["Content-Disposition"].startswith("attachment")

    async def test_one_run_at_a_time(self, client: Client, engine: Replays) -> None:
        await client.begin()
        again = await client.begin("same.toml")
        assert again.status == 409
        assert "another run is under way" in await again.text()
        engine.go()
        await client.until("done")
        assert (await client.begin("same.toml")).status == 202
        engine.go()

    async def test_a_run_can_be_cancelled(self, client: Client, engine: Replays) -> None:
        await client.begin()
        run = await client.until("running")
        assert (await client.post("/cancel")).status == 202
        await client.until("cancelled")
        assert (await client.get(f"/result/{run['key']}")).status == 404
        assert (await client.post("/cancel")).status == 202
        assert (await client.begin()).status == 202
        engine.go()
        await client.until("done")

    async def test_a_run_that_fails_says_why(self, client: Client, engine: Replays) -> None:
        engine.error = RuntimeError("quotes a record")
        await client.begin()
        engine.go()
        assert (await client.until("failed"))["error"] == "described RuntimeError"

    async def test_a_draft_that_was_changed_meanwhile_is_not_tried(
        self, client: Client, engine: Replays, folder: Path
    ) -> None:
        seen = (await client.json("/changes?draft=draft.toml"))["digest"]
        (folder / "draft.toml").write_text(f"{whatifs.drafted()}\n# edited")
        answer = await client.post("/run", {"draft": "draft.toml", "digest": seen})
        assert answer.status == 409
        assert "look at it again" in await answer.text()
        assert engine.tried == []

    async def test_a_draft_with_faults_is_not_tried(self, client: Client, engine: Replays) -> None:
        assert (await client.begin("faulty.toml")).status == 422
        assert engine.tried == []

    @pytest.mark.parametrize("body", [b"", b"[]", b"{", b"x" * 20_000])
    async def test_what_is_no_request_is_refused(self, client: Client, body: bytes) -> None:
        headers = BEARER | {"Origin": client.origin, "Content-Type": "application/json"}
        answer = await client.plain.post("/run", data=body, headers=headers)
        assert answer.status in (400, 413)
        form = BEARER | {"Origin": client.origin}
        assert (await client.plain.post("/run", data={"draft": "x"}, headers=form)).status == 415

    async def test_an_error_of_the_database_is_said(self, folder: Path, engine: Replays) -> None:
        async def away() -> Any:
            raise ConnectionRefusedError("secret")

        made = parts(folder, engine)._replace(in_force=away)
        async with TestClient(TestServer(application(made, TOKEN))) as plain:
            answer = await plain.get("/changes?draft=draft.toml", headers=BEARER)
            assert answer.status == 503
            assert await answer.text() == "described ConnectionRefusedError\n"

    async def test_the_end_of_the_studio_ends_the_run(self, folder: Path, engine: Replays) -> None:
        made = parts(folder, engine)
        async with TestClient(TestServer(application(made, TOKEN))) as plain:
            client = Client(plain, made)
            await client.begin()
            waiting = asyncio.create_task(client.get("/state?after=1000"))
            await client.until("running")
        await asyncio.wait([waiting])
        assert made.runs.ended("anything") is None
