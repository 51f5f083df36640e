"""``icam topics``: create the topics that are missing, and compare the others with ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import click

from streams import reference
from streams.cli.errors import FINDINGS
from streams.cli.output import as_json, console, echo, emit, table
from streams.kafka import acls, quotas
from streams.kafka import topics as topics_
from streams.kafka.topics import TopicState
from streams.runtime.settings import KafkaSettings, Settings


@click.command()
@click.option(
    "--acls",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Compare the brokers' access lists with the rights in this file instead.",
)
@click.option("--apply", "apply_", is_flag=True, help="Set what differs.")
@as_json
def topics(file: Path | None, apply_: bool, json_: bool) -> None:
    """Create the topics that are missing, and show what is other than we rely on.

    Existing topics are changed with --apply only. Partitions and replicas are never changed: ask
    the Kafka administrator. Exit code 1 when something still differs.

    The input topics are those of the table of producers (ICAM_PRODUCERS_FILE).

    With --acls: exit code 1 when access lists or quotas differ from the file, without --apply.
    The rights to write to input topics come from the table of producers.

    \b
    Examples:
      icam topics
      icam topics --apply
      icam topics --acls deploy/kafka/principals.toml
      icam topics --acls deploy/kafka/principals.toml --apply
    """
    settings = Settings()
    producers = reference.producers(settings.producers_file)
    if file is not None:
        wanted, rates = acls.load(file, producers), acls.quotas(file, producers)
        _acls(settings.kafka, wanted, rates, apply_=apply_, json_=json_)
        return
    states = topics_.ensure(settings.kafka, producers.topics, apply=apply_)
    if json_:
        emit(
            [
                {
                    "topic": state.name,
                    "partitions": state.partitions,
                    "created": state.created,
                    "differences": [asdict(one) for one in state.differences],
                }
                for state in states
            ]
        )
    else:
        _show_topics(states)
    if any(state.differences for state in states):
        raise SystemExit(FINDINGS)


def _show_topics(states: list[TopicState]) -> None:
    rows = [(s.name, s.partitions, "created" if s.created else "exists") for s in states]
    console().print(table("Topics", ("topic", "partitions", "state"), rows))
    differing = [
        (state.name, one.name, one.found, one.wanted, "--apply" if one.can_apply else "a person")
        for state in states
        for one in state.differences
    ]
    if differing:
        shown = ("topic", "property", "found", "wanted", "by")
        console().print(table("Differences", shown, differing))


def _acls(
    kafka: KafkaSettings,
    wanted: frozenset[acls.Right],
    rates: Mapping[str, int | None],
    *,
    apply_: bool,
    json_: bool,
) -> None:
    found = acls.apply(kafka, wanted) if apply_ else acls.compare(kafka, wanted)
    limits = quotas.apply(kafka, rates) if apply_ else quotas.compare(kafka, rates)
    if json_:
        emit(
            {
                "applied": apply_,
                "missing": [right._asdict() for right in found.missing],
                "surplus": [right._asdict() for right in found.surplus],
                "quotas": [quota._asdict() for quota in limits],
            }
        )
    else:
        _show(found, len(wanted), applied=apply_)
        if limits:
            columns = ("principal", "bytes/s found", "bytes/s set" if apply_ else "bytes/s wanted")
            console().print(table("Quotas", columns, limits))
    if not apply_ and (found.missing or found.surplus or limits):
        raise SystemExit(FINDINGS)


def _show(found: acls.Difference, wanted: int, *, applied: bool) -> None:
    if not found.missing and not found.surplus:
        echo(f"the brokers grant exactly the {wanted} rights of the file and the producers")
        return
    missing, surplus = ("granted", "revoked") if applied else ("missing", "surplus")
    rows = [(missing, *right) for right in found.missing]
    rows += [(surplus, *right) for right in found.surplus]
    console().print(table("Rights", ("", "principal", "on", "name", "operation"), rows))
