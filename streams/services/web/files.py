"""Files of a page, kept in memory and sent again only when they changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final, Self

from aiohttp import web

_SHARED: Final = Path(__file__).with_name("page")
_TYPES: Final = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class File:
    """One file of a page, with its content type and ETag."""

    body: bytes
    type: str
    tag: str

    @classmethod
    def of(cls, body: bytes, kind: str) -> Self:
        """Return a file whose ETag is a digest of its content."""
        return cls(body, kind, f'"{sha256(body).hexdigest()[:16]}"')


def shared_style(name: str) -> str:
    """Return a style that all pages share, for a page that is one file."""
    return (_SHARED / name).read_text()


def load_files(folder: Path) -> dict[str, File]:
    """Return the files of a page by name, those that all pages share included.

    ``<!--head-->`` in a template stands for ``head.html``, which all pages share; so the others.
    """
    return {
        path.name: File.of(_with_shared_parts(path), _TYPES[path.suffix])
        for shared_or_own in (_SHARED, folder)
        for path in shared_or_own.iterdir()
        if path.suffix in _TYPES
    }


def _with_shared_parts(path: Path) -> bytes:
    content = path.read_bytes()
    if path.suffix == ".html":
        for part in _SHARED.glob("*.html"):
            content = content.replace(b"<!--%b-->" % part.stem.encode(), part.read_bytes().strip())
    return content


def send_file(request: web.Request, files: Mapping[str, File]) -> web.Response:
    """Answer with the file that the request names. Templates are no files of a page.

    Raises:
        web.HTTPNotFound: there is no such file.
    """
    found = files.get(request.match_info["name"])
    if found is None or found.type == "text/html":
        raise web.HTTPNotFound
    headers = {"ETag": found.tag, "Cache-Control": "no-cache"}
    if request.headers.get("If-None-Match") == found.tag:
        return web.Response(status=304, headers=headers)
    return web.Response(body=found.body, content_type=found.type, charset="utf-8", headers=headers)
