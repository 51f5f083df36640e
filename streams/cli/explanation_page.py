"""Write an explanation as one page: it loads nothing, and prints to at most two A4 pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from streams.domain.explain.decision_text import Document, Line
from streams.services.web.typeset import in_html

_STYLE: Final = """
@page { size: A4; margin: 12mm 14mm; }
:root { color-scheme: light; }
body {
  font: 10pt/1.35 system-ui, "Liberation Sans", Arial, sans-serif;
  color: #1b2530; background: #fff; max-width: 182mm; margin: 0 auto; padding: 1em;
}
h1 { font-size: 1.5em; margin: 0 0 .3em; color: #1d4a73; }
h2 {
  font-size: 1.1em; margin: .9em 0 .2em; padding-bottom: .1em;
  border-bottom: 1px solid #d5dade; break-after: avoid;
}
p { margin: .1em 0; color: #55606c; }
ul { margin: 0; padding-left: 1.2em; }
li { margin: .08em 0; overflow-wrap: anywhere; hyphens: auto; }
@media print {
  body { font-size: 7.6pt; line-height: 1.25; max-width: none; padding: 0; }
}
"""


def page(document: Document, language: str) -> str:
    """Return the page, complete with its style."""

    def text(value: str) -> str:
        return in_html(value, language)

    parts = [
        "<!doctype html>",
        f'<html lang="{language}">',
        '<head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="robots" content="noindex">',
        f"<title>{text(document.title)}</title>",
        f"<style>{_STYLE}</style></head>",
        f"<body><header><h1>{text(document.title)}</h1>",
        *(f"<p>{text(line)}</p>" for line in document.basis),
        "</header><main>",
    ]
    for section in document.sections:
        parts.append(f"<section><h2>{text(section.heading)}</h2>")
        parts.append(_list(section.lines, language))
        parts.append("</section>")
    return "\n".join([*parts, "</main></body></html>", ""])


def _list(lines: Sequence[Line], language: str) -> str:
    """Return lines as lists within lists, by their depth."""
    html, depth = "", -1
    for line in lines:
        if line.depth > depth:
            html += "<ul>" * (line.depth - depth)
        else:
            html += "</li>" + "</ul></li>" * (depth - line.depth)
        html += f"<li>{in_html(line.text, language)}"
        depth = line.depth
    return html + "</li></ul>" * (depth + 1)
