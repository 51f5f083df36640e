"""HTTP routes of the studio: its page, the drafts, what they change, and the run."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Literal, NamedTuple, Protocol

import orjson
from aiohttp import web

from schemas.visible import visible
from streams.casework.whatif import Answer, Base
from streams.domain.policy.rules import LANGUAGES, Policy
from streams.domain.whatif import WhatIf
from streams.reference import Reference
from streams.reference.instants import NotAnInstant, read_instant
from streams.services.studio.asked import Asked
from streams.services.studio.changes import draft_shown
from streams.services.studio.drafts import Draft, Drafts, Kind, NoSuchDraft
from streams.services.studio.guard import guarded
from streams.services.studio.runs import Busy, Runs
from streams.services.web.feed import Feed
from streams.services.web.files import File, send_file
from streams.services.web.headers import NO_STORE, secure
from streams.services.web.words import Words, fill_in, language_of

_LARGEST_REQUEST: Final = 10_000
_WHY: Final = "X-Refusal"
"""Header that names the refusal; the text of the answer says it in English."""
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


class Refusal(StrEnum):
    """Why the studio does not do what it is asked. The page says it in the reader's language."""

    DRAFT_GONE = "draft_gone"
    DRAFT_CHANGED = "draft_changed"
    VERSION_CHANGED = "version_changed"
    FAULTS = "faults"
    NO_DRAFT = "no_draft"
    INSTANT = "instant"
    BUSY = "busy"
    RESULT_GONE = "result_gone"


class Page(NamedTuple):
    """The files and words of the page."""

    files: Mapping[str, File]
    words: Words


class Parts(NamedTuple):
    """What the routes need."""

    page: Page
    drafts: Drafts
    base: Callable[[], Awaitable[Base]]
    """Read what a draft is compared with."""
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
            raise _refused(web.HTTPNotFound, Refusal.DRAFT_GONE, str(error)) from None
        except NotAnInstant as error:
            raise _refused(web.HTTPUnprocessableEntity, Refusal.INSTANT, str(error)) from None
        except Busy as error:
            raise _refused(web.HTTPConflict, Refusal.BUSY, str(error)) from None
        except Exception as error:
            raise web.HTTPServiceUnavailable(text=f"{describe(error)}\n") from None
        return answer

    return check


def _refused(error: Callable[..., web.HTTPException], why: Refusal, said: str) -> web.HTTPException:
    return error(text=f"{said}\n", headers={_WHY: why})


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
        def read() -> dict[str, list[str]]:
            return {kind.value: self._parts.drafts.names(kind) for kind in Kind}

        return _json(await asyncio.to_thread(read))

    async def changes(self, request: web.Request) -> web.Response:
        """Answer with what the drafts change in what, and with the instant that a text means."""
        asked = request.query
        base = await self._parts.base()
        found: dict[str, Any] = {
            "since": _since(asked.get("since", "")),
            "base": {
                "policy": visible(base.policy.version),
                "directory": visible(base.directory.version),
                "digests": _digests(base),
                "until": base.until,
                "day": base.ref.calendar.local_date(base.until),
            },
        }
        for kind in Kind:
            name = asked.get(kind, "")
            draft = await self._draft(name, kind, base, "as-dated" in asked) if name else None
            found[kind.value] = draft_shown(draft, base) if draft is not None else None
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
        """Try drafts, if they and what is in force are still what the person looked at."""
        asked = await _asked(request)
        since = str(asked.get("since") or "")
        instant = read_instant(since) if since else None
        as_dated, drafts = bool(asked.get("as_dated")), dict[Kind, Draft]()
        base = await self._parts.base()
        for kind in Kind:
            seen = asked.get(kind)
            if not isinstance(seen, dict):
                continue
            draft = await self._draft(str(seen.get("name", "")), kind, base, as_dated)
            if draft.digest != seen.get("digest"):
                said = "the draft was changed meanwhile: look at it again"
                raise _refused(web.HTTPConflict, Refusal.DRAFT_CHANGED, said)
            if draft.version is None:
                said = "the draft has faults: mend them first"
                raise _refused(web.HTTPUnprocessableEntity, Refusal.FAULTS, said)
            drafts[kind] = draft
        if not drafts:
            raise _refused(web.HTTPUnprocessableEntity, Refusal.NO_DRAFT, "pick a draft to try")
        if asked.get("base") != _digests(base):
            said = "another version came into force meanwhile: look at the draft again"
            raise _refused(web.HTTPConflict, Refusal.VERSION_CHANGED, said)
        self._parts.runs.start(
            Asked(drafts.get(Kind.POLICY), drafts.get(Kind.DIRECTORY), instant, as_dated)
        )
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

    async def _draft(self, name: str, kind: Kind, base: Base, as_dated: bool) -> Draft:
        """Return a draft; one that keeps its first day has its faults beside other versions too."""
        draft = await asyncio.to_thread(self._parts.drafts.read, name, kind)
        if as_dated and isinstance(draft.version, Policy):
            faults = base.faults_beside(draft.version)
            if faults:
                return draft._replace(version=None, faults=tuple(faults))
        return draft

    def _ended(self, request: web.Request) -> Answer:
        found = self._parts.runs.ended(request.match_info["key"])
        if found is None:
            said = "this result is there no more: run the draft again"
            raise _refused(web.HTTPNotFound, Refusal.RESULT_GONE, said)
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


def _since(text: str) -> datetime | Literal[False] | None:
    """Return the instant that a text means; None without one, False if it means none."""
    try:
        return read_instant(text) if text else None
    except NotAnInstant:
        return False


def _digests(base: Base) -> list[str]:
    return [base.policy.digest, base.directory.digest]


def _json(data: Any) -> web.Response:
    return web.Response(body=orjson.dumps(data), content_type="application/json", headers=NO_STORE)
