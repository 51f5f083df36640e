"""Composition root of the studio: read the tables in force, serve the page on loopback."""

from __future__ import annotations

import asyncio
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

import orjson

from streams.casework.whatif import Base, read_base
from streams.runtime import service
from streams.runtime.http import serve
from streams.runtime.settings import Settings
from streams.services.studio.drafts import Drafts
from streams.services.studio.guard import expect_loopback, new_token, origin_of
from streams.services.studio.runs import Engine, Runs
from streams.services.studio.serving import Page, Parts, Renderings, application
from streams.services.web.feed import Feed
from streams.services.web.files import File, load_files
from streams.services.web.typeset import shown
from streams.services.web.words import by_language

_HERE: Final = Path(__file__).parent
_WORDS: Final = _HERE / "words.toml"


class Studio(NamedTuple):
    """What a studio needs from its command."""

    folder: Path
    host: str
    port: int
    engine: Engine
    renderings: Renderings
    describe: Callable[[Exception], str]
    """Say an error to a person, without what a record holds."""
    announce: Callable[[str], None]
    """Say the address of the page, with its token."""


def run(settings: Settings, studio: Studio) -> int:
    """Serve until SIGTERM or SIGINT and return the exit code. Blocks.

    Raises:
        NotLoopback: the host is not this machine alone.
        NoFolder: the folder of the drafts does not exist.
        OSError: the port is in use.
    """
    expect_loopback(studio.host)
    drafts = Drafts(studio.folder)
    return service.run(_serve(settings, studio, drafts), settings.log_level)


def load_page() -> Page:
    """Return the files and the words of the page."""
    words = {
        language: {name: shown(text, language) for name, text in texts.items()}
        for language, texts in by_language(tomllib.loads(_WORDS.read_text())).items()
    }
    files = load_files(_HERE / "page")
    files["words.json"] = File.of(orjson.dumps(words), "application/json")
    return Page(files, words)


async def _serve(settings: Settings, studio: Studio, drafts: Drafts) -> None:
    async def base() -> Base:
        return await read_base(settings)

    feed, token = Feed(), new_token()
    runs = Runs(studio.engine, studio.describe, feed)
    parts = Parts(load_page(), drafts, base, runs, feed, studio.renderings, studio.describe)
    runner, port = await serve(application(parts, token), studio.host, studio.port)
    try:
        studio.announce(f"{origin_of(studio.host, port)}/#{token}")
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()
