"""HTTP answers of the studio: who is answered, and with what."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp.test_utils import TestClient, TestServer

from streams.casework.whatif import Base
from streams.cli.whatif_page import page
from streams.domain.policy.load import load_policy
from streams.domain.policy.rules import LANGUAGES
from streams.reference import Reference
from streams.services.studio.drafts import Kind
from streams.services.studio.guard import NotLoopback, expect_loopback, new_token, origin_of
from streams.services.studio.serving import Parts, Refusal, application
from tests import whatifs
from tests.domain import given
from tests.services.studio.stage import OF, TOKEN, Replays, charleroi, drafts_in, parts

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

    async def seen(self, policy: str = "draft.toml", directory: str = "") -> dict[str, Any]:
        """Look at drafts; return what the page sends to try them."""
        found = await self.json(f"/changes?policy={policy}&directory={directory}")
        drafts = {
            kind: found[kind] and {"name": found[kind]["name"], "digest": found[kind]["digest"]}
            for kind in ("policy", "directory")
        }
        return drafts | {"base": found["base"]["digests"]}

    async def begin(self, policy: str = "draft.toml", directory: str = "", **more: Any) -> Any:
        return await self.post("/run", await self.seen(policy, directory) | more)

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


PRIVATE = ("/drafts", "/changes?policy=draft.toml", "/state", "/result/x", "/report/x")


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
    assert "<!--" not in text


async def test_it_lists_the_drafts_of_each_kind(client: Client) -> None:
    assert await client.json("/drafts") == {
        "policy": ["draft.toml", "faulty.toml", "same.toml"],
        "directory": ["charleroi.toml", "nowhere.toml"],
    }


async def test_it_says_what_a_draft_of_the_policy_changes_in_every_language(
    client: Client,
) -> None:
    found = (await client.json("/changes?policy=draft.toml"))["policy"]

    assert (found["version"], found["entries"]) == ("2026.3", 25)
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
    same = await client.json("/changes?policy=same.toml")
    assert same["policy"]["changes"]["fr"] == []
    assert (await client.get("/changes?policy=../draft.toml")).status == 404


async def test_it_says_what_a_draft_of_the_directory_changes(client: Client) -> None:
    found = await client.json("/changes?directory=charleroi.toml")

    assert found["policy"] is None
    assert (found["directory"]["version"], found["directory"]["valid_from"]) == (
        *("2026.4", "2026-02-01"),
    )
    _, offices, places = found["directory"]["changes"]["en"]
    assert offices["rows"] == [
        {
            "part": "Charleroi (charleroi)",
            "before": [],
            "after": [["Charleroi", True], ["from 2\u00a0March 2026", True]],
        }
    ]
    assert places["rows"][0]["after"] == [["Charleroi, from 2\u00a0March 2026", True]]


async def test_it_looks_at_a_policy_and_a_directory_together(client: Client) -> None:
    found = await client.json("/changes?policy=draft.toml&directory=charleroi.toml")

    assert found["policy"]["changes"]["de"]
    assert found["directory"]["changes"]["de"]
    faulty = await client.json("/changes?policy=faulty.toml&directory=nowhere.toml")
    for kind in Kind:
        assert faulty[kind]["version"] is None
        assert faulty[kind]["faults"]
        assert "changes" not in faulty[kind]


async def test_a_draft_is_compared_with_what_is_in_force_at_the_end_of_the_history(
    folder: Path, engine: Replays
) -> None:
    shipped = given.ref()
    tomorrow = shipped.calendar.local_date(whatifs.UNTIL) + timedelta(days=1)
    ahead = load_policy(
        shipped.policy.body.replace('"2026.2"', '"2027.1"').replace("2026-01-01", str(tomorrow))
    )
    ref = Reference.of(
        [shipped.policy, ahead], [shipped.directory], shipped.calendar, shipped.producers
    )

    async def base() -> Base:
        return Base(ref, whatifs.UNTIL)

    made = parts(folder, engine)._replace(base=base)
    async with TestClient(TestServer(application(made, TOKEN))) as plain:
        found = await Client(plain, made).json("/changes?policy=same.toml")
    assert found["base"]["policy"] == "2026.2"
    assert found["base"]["day"] == "2026-08-31"
    assert found["policy"]["changes"]["en"] == []


async def test_a_draft_that_keeps_its_first_day_is_checked_beside_the_other_versions(
    client: Client, folder: Path
) -> None:
    later = given.ref().policy.body.replace("2026-01-01", "2026-06-01")
    (folder / "later.toml").write_text(later)

    assert (await client.json("/changes?policy=later.toml"))["policy"]["faults"] == []
    dated = await client.json("/changes?policy=later.toml&as-dated")
    assert dated["policy"]["faults"] == ["version 2026.2 is there twice"]
    assert (await client.begin("later.toml", as_dated=True)).status == 422


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("", None),
        ("2026-03-05", "2026-03-04T23:00:00+00:00"),
        ("2026-07-05T14:30", "2026-07-05T12:30:00+00:00"),
        ("2026-07-05 14:30Z", "2026-07-05T14:30:00+00:00"),
        ("5 March", False),
        ("2026-02-30", False),
        ("0001-01-01", False),
    ],
)
async def test_an_instant_is_read_as_the_command_reads_it(
    client: Client, text: str, instant: str | bool | None
) -> None:
    found = await client.json(f"/changes?policy=draft.toml&since={quote(text)}")
    assert found["since"] == instant


class TestRuns:
    async def test_a_run_says_how_far_it_is_and_has_a_result(
        self, client: Client, engine: Replays
    ) -> None:
        assert (await client.json("/state"))["run"] is None
        assert (await client.begin()).status == 202
        run = await client.until("running")
        assert run["drafts"] == ["draft.toml"]
        engine.go()
        run = await client.until("done")
        assert (run["done"], run["of"]) == (OF, OF)
        (asked,) = engine.tried
        assert [one.text for one in asked.drafts] == [whatifs.drafted()]
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

    async def test_everything_that_is_asked_is_tried(self, client: Client, engine: Replays) -> None:
        asked = {"since": "2026-03-05", "as_dated": True}
        assert (await client.begin("draft.toml", "charleroi.toml", **asked)).status == 202
        run = await client.until("running")
        assert run["drafts"] == ["draft.toml", "charleroi.toml"]
        engine.go()
        await client.until("done")
        ((policy, directory, since, as_dated),) = engine.tried
        assert policy is not None
        assert directory is not None
        assert directory.text == charleroi()
        assert since == datetime(2026, 3, 4, 23, tzinfo=UTC)
        assert as_dated

    async def test_a_directory_alone_can_be_tried(self, client: Client, engine: Replays) -> None:
        assert (await client.begin("", "charleroi.toml")).status == 202
        engine.go()
        await client.until("done")
        assert engine.tried[0].policy is None

    async def test_nothing_is_tried_without_a_draft(self, client: Client, engine: Replays) -> None:
        assert (await client.begin("", "")).status == 422
        assert engine.tried == []

    async def test_a_wrong_instant_is_not_tried(self, client: Client, engine: Replays) -> None:
        answer = await client.begin(since="yesterday")
        assert answer.status == 422
        assert "such as 2026-03-05" in await answer.text()
        assert engine.tried == []

    @pytest.mark.parametrize("name", ["draft.toml", "charleroi.toml"])
    async def test_a_draft_that_was_changed_meanwhile_is_not_tried(
        self, client: Client, engine: Replays, folder: Path, name: str
    ) -> None:
        seen = await client.seen("draft.toml", "charleroi.toml")
        (folder / name).write_text(f"{(folder / name).read_text()}\n# edited")
        answer = await client.post("/run", seen)
        assert answer.status == 409
        assert "look at it again" in await answer.text()
        assert answer.headers["X-Refusal"] == Refusal.DRAFT_CHANGED
        assert engine.tried == []

    async def test_a_draft_is_not_tried_against_another_version_than_was_shown(
        self, client: Client, engine: Replays
    ) -> None:
        answer = await client.begin(base=["another", "version"])
        assert answer.status == 409
        assert "another version came into force" in await answer.text()
        assert engine.tried == []

    @pytest.mark.parametrize("drafts", [("faulty.toml", ""), ("draft.toml", "nowhere.toml")])
    async def test_a_draft_with_faults_is_not_tried(
        self, client: Client, engine: Replays, drafts: tuple[str, str]
    ) -> None:
        assert (await client.begin(*drafts)).status == 422
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

        made = parts(folder, engine)._replace(base=away)
        async with TestClient(TestServer(application(made, TOKEN))) as plain:
            answer = await plain.get("/changes?policy=draft.toml", headers=BEARER)
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
