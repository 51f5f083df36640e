"""``icam topics``: create the topics that are missing."""

from __future__ import annotations

import click

from streams.cli.output import as_json, console, emit, table
from streams.kafka import topics as topics_
from streams.runtime.settings import Settings


@click.command()
@as_json
def topics(json_: bool) -> None:
    """Create the topics that are missing. Existing topics are never changed."""
    states = topics_.ensure(Settings().kafka)
    if json_:
        emit([{"topic": s.name, "partitions": s.partitions, "created": s.created} for s in states])
        return
    rows = [(s.name, s.partitions, "created" if s.created else "exists") for s in states]
    console().print(table("Topics", ("topic", "partitions", "state"), rows))
