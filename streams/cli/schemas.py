"""``icam schemas``"""

from __future__ import annotations

import json
from pathlib import Path

import click

import schemas.export as exporting
from streams.cli.output import as_json, echo, emit


@click.group()
def schemas() -> None:
    """List, show or export the event schemas: JSON Schema and AsyncAPI documents."""


@schemas.command("list")
@as_json
def list_(json_: bool) -> None:
    """List the names of the schema documents."""
    names = sorted(exporting.documents())
    if json_:
        emit(names)
    else:
        echo("\n".join(names))


@schemas.command()
@click.argument("name")
def show(name: str) -> None:
    """Print one document; NAME is listed by `icam schemas list`."""
    documents = exporting.documents()
    if name not in documents:
        raise click.UsageError(f"no document {name!r}; see: icam schemas list")
    echo(json.dumps(json.loads(documents[name]), indent=2))


@schemas.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def export(folder: Path) -> None:
    """Write all documents into FOLDER."""
    for path in exporting.write(folder):
        echo(str(path))
