"""HTTP routes of the studio: its page, the drafts, what they change, and the run."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

import orjson
from aiohttp import web

from schemas.visible import visible
from streams.casework.whatif import Answer
from streams.domain.explain.policy_changes import Block, changes_in_words
from streams.domain.policy.changes import changes
from streams.domain.policy.rules import LANGUAGES, Policy
from streams.domain.whatif import WhatIf
from streams.reference import Reference
from streams.services.studio.drafts import Draft, Drafts, NoSuchDraft
from streams.services.studio.guard import guarded
from streams.services.studio.runs import Busy, Runs
from streams.services.web.feed import Feed
from streams.services.web.files import File, send_file
from streams.services.web.headers import NO_STORE, secure
from streams.services.web.typeset import shown
from streams.services.web.words import Words, fill_in, language_of

_LARGEST_REQUEST: Final = 10_000
_WAIT_SECONDS: Final = 10.0
"""How long a request waits for a change of the run."""


class Renderings(Protocol):
    """How a result is shown. The same as that of ``icam whatif``."""

    def view(self, result: WhatIf, language: str, ref: Reference) -> Mapping[str, Any]:
        """Return the result as texts, for the page of the studio."""
        ...

    def report(self, result: WhatIf, language: str, ref: Reference) -> str:
        """Return the report as one HTML page."""
        ...


class Page(NamedTuple):
    """The files and words of the page."""

    files: Mapping[str, File]
    words: Words


class InForceNow(NamedTuple):
    """The tables in force, and the version of the policy that a draft is tried instead of."""

    ref: Reference
    policy: Policy


class Parts(NamedTuple):
    """What the routes need."""

    page: Page
    drafts: Drafts
    in_force: Callable[[], Awaitable[InForceNow]]
    """Read the tables in force."""
    runs: Runs
    feed: Feed
    renderings: Renderings
    describe: Callable[[Exception], str]


def application(parts: Parts, token: str) -> web.Application:
    """Return the application; every answer but the page itself needs the token."""
    handlers = _Handlers(parts)
    app = web.Application(
        middlewares=[guarded(token), _told(parts.describe)], client_max_size=_LARGEST_REQUEST
    )
    secure(app)
    app.router.add_get("/", handlers.page)
    app.router.add_get("/page/{name}", handlers.file)
    app.router.add_get("/drafts", handlers.drafts)
    app.router.add_get("/changes", handlers.changes)
    app.router.add_get("/state", handlers.state)
    app.router.add_post("/run", handlers.run)
    app.router.add_post("/cancel", handlers.cancel)
    app.router.add_get("/result/{key}", handlers.result)
    app.router.add_get("/report/{key}", handlers.report)
    app.on_shutdown.append(handlers.close)
    return app


def _told(describe: Callable[[Exception], str]) -> Any:
    """Return a middleware that says an error to the person instead of only its status."""

    @web.middleware
    async def check(request: web.Request, handler: Any) -> web.StreamResponse:
        try:
            answer: web.StreamResponse = await handler(request)
        except web.HTTPException:
            raise
        except NoSuchDraft as error:
            raise web.HTTPNotFound(text=f"{error}\n") from None
        except Busy as error:
            raise web.HTTPConflict(text=f"{error}\n") from None
        except Exception as error:
            raise web.HTTPServiceUnavailable(text=f"{describe(error)}\n") from None
        return answer

    return check


class _Handlers:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def page(self, request: web.Request) -> web.Response:
        page, language = self._parts.page, language_of(request)
        text = fill_in(page.files["index.html"].body.decode(), page.words, language)
        headers = NO_STORE | {"Vary": "Accept-Language"}
        return web.Response(text=text, content_type="text/html", headers=headers)

    async def file(self, request: web.Request) -> web.Response:
        return send_file(request, self._parts.page.files)

    async def drafts(self, _: web.Request) -> web.Response:
        def read() -> list[Draft]:
            return [self._parts.drafts.read(name) for name in self._parts.drafts.names()]

        return _json([_draft(one) for one in await asyncio.to_thread(read)])

    async def changes(self, request: web.Request) -> web.Response:
        draft = await self._draft(request.query.get("draft", ""))
        now = await self._parts.in_force()
        found = _draft(draft) | {"base": now.policy.version}
        if draft.policy is not None:
            found["changes"] = _changes(now, draft.policy)
        return _json(found)

    async def state(self, request: web.Request) -> web.Response:
        """Answer once the run changed after the version that the page has, or after a while."""
        try:
            version = int(request.query.get("after", "0"))
        except ValueError:
            raise web.HTTPBadRequest(text="after: give a number\n") from None
        try:
            async with asyncio.timeout(_WAIT_SECONDS):
                found = await self._parts.feed.after(version)
        except TimeoutError:
            return web.Response(status=204, headers=NO_STORE)
        if found is None:
            raise web.HTTPServiceUnavailable(text="the studio ends\n")
        version, body = found
        return _json({"version": version, **orjson.loads(body)})

    async def run(self, request: web.Request) -> web.Response:
        """Try a draft, if it is still the one that the person looked at."""
        asked = await _asked(request)
        draft = await self._draft(str(asked.get("draft", "")))
        if draft.digest != asked.get("digest"):
            raise web.HTTPConflict(text="the draft was changed meanwhile: look at it again\n")
        if draft.policy is None:
            raise web.HTTPUnprocessableEntity(text="the draft has faults: mend them first\n")
        self._parts.runs.start(draft)
        return web.Response(status=202, headers=NO_STORE)

    async def cancel(self, _: web.Request) -> web.Response:
        self._parts.runs.cancel()
        return web.Response(status=202, headers=NO_STORE)

    async def result(self, request: web.Request) -> web.Response:
        answer = self._ended(request)
        view = self._parts.renderings.view

        def all_languages() -> dict[str, Any]:
            return {one: view(answer.result, one, answer.names) for one in LANGUAGES}

        return _json(await asyncio.to_thread(all_languages))

    async def report(self, request: web.Request) -> web.Response:
        answer = self._ended(request)
        language = language_of(request)
        page = await asyncio.to_thread(
            self._parts.renderings.report, answer.result, language, answer.names
        )
        headers = NO_STORE | {
            "Content-Disposition": f'attachment; filename="whatif-{language}.html"'
        }
        return web.Response(text=page, content_type="text/html", headers=headers)

    async def close(self, _: web.Application) -> None:
        self._parts.feed.close()
        await self._parts.runs.close()

    async def _draft(self, name: str) -> Draft:
        return await asyncio.to_thread(self._parts.drafts.read, name)

    def _ended(self, request: web.Request) -> Answer:
        found = self._parts.runs.ended(request.match_info["key"])
        if found is None:
            raise web.HTTPNotFound(text="this result is there no more: run the draft again\n")
        return found


async def _asked(request: web.Request) -> Mapping[str, Any]:
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType(text="send JSON\n")
    try:
        asked = orjson.loads(await request.read())
    except orjson.JSONDecodeError:
        raise web.HTTPBadRequest(text="send JSON\n") from None
    if not isinstance(asked, dict):
        raise web.HTTPBadRequest(text="send an object\n")
    return asked


def _draft(one: Draft) -> dict[str, Any]:
    policy = one.policy
    return {
        "name": one.name,
        "digest": one.digest,
        "faults": [visible(fault) for fault in one.faults],
        "version": policy.version if policy is not None else None,
        "valid_from": policy.valid_from if policy is not None else None,
        "rules": len(policy.rules) if policy is not None else None,
    }


def _changes(now: InForceNow, draft: Policy) -> dict[str, Any]:
    """Return what a draft changes, by language."""
    found = changes(now.policy, draft)
    return {
        language: [
            _block(block, language)
            for block in changes_in_words(found, now.policy, draft, now.ref.wording(language))
        ]
        for language in LANGUAGES
    }


def _block(block: Block, language: str) -> dict[str, Any]:
    """Return a block; each line says whether the other side lacks it."""

    def lines(mine: Sequence[str], others: Sequence[str]) -> list[tuple[str, bool]]:
        return [(shown(line, language), line not in others) for line in mine]

    return {
        "kind": block.kind,
        "heading": shown(block.heading, language),
        "rows": [
            {
                "part": shown(row.part, language),
                "before": lines(row.before, row.after),
                "after": lines(row.after, row.before),
            }
            for row in block.rows
        ],
    }


def _json(data: Any) -> web.Response:
    return web.Response(body=orjson.dumps(data), content_type="application/json", headers=NO_STORE)
