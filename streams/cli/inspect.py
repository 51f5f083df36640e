"""``icam case`` and ``icam escalations``"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence, Set
from datetime import UTC, datetime
from functools import partial
from typing import Any

import click
from pydantic import TypeAdapter

from schemas.outcomes import EscalationRaised, EscalationWithdrawn, WithdrawalReason
from schemas.types import fields_of
from streams.cli.choices import not_one_of
from streams.cli.in_force import tables_in_force
from streams.cli.output import as_json, console, echo, emit, table, with_connection
from streams.cli.reading import by_reader, described, read_recorded
from streams.cli.worklist import known_offices
from streams.domain.case import Fact
from streams.domain.corrections import outranked
from streams.domain.explain.cases import CaseView, HeldGuard, HeldRule, OpenLetter, explain_case
from streams.domain.explain.proposals import Proposal, explain_proposal
from streams.domain.policy.rules import LANGUAGES
from streams.reference import Reference
from streams.runtime.settings import Settings
from streams.store import cases, dead_letters
from streams.store import escalations as ledger
from streams.store import events as log
from streams.store.access import Reader
from streams.store.pool import Connection

language = click.option(
    "--lang", type=click.Choice(LANGUAGES), default="fr", show_default=True, help="Language."
)


@click.command()
@click.argument("case_id")
@language
@by_reader
@as_json
def case(case_id: str, lang: str, reader: str | None, why: str | None, json_: bool) -> None:
    """Show one case: its route and why, its escalations, what guards block, and its log.

    Who reads, and why, is recorded: see icam access.

    \b
    Examples:
      icam case case-1f3a --lang nl
      icam case case-1f3a --json
      icam case case-1f3a --as "J. Peeters" --reason "appointment of 3 March"
    """
    settings = Settings()

    async def read(
        conn: Connection,
    ) -> tuple[tuple[dict[str, Any], list[Fact], Reference] | None, Collection[str]]:
        ref = await tables_in_force(settings, conn)
        found = await _load(conn, case_id, ref)
        return (None, []) if found is None else ((*found, ref), [case_id])

    found = read_recorded(settings, Reader(reader, why), "case", read)
    if found is None:
        echo(f"icam: no case {case_id}", err=True)
        raise SystemExit(1)
    details, facts, ref = found
    if json_:
        emit(details)
        return
    out = console()
    for line in explain_case(_view(details, facts, datetime.now(UTC)), ref.wording(lang)):
        out.print(line, markup=False)


def _expect_known(settings: Settings, office: str | None, rule: str | None) -> None:
    """Refuse a mistyped office or rule. One that is not in force any more may still have rows."""
    ref = with_connection(settings, partial(tables_in_force, settings))
    rules = list(
        dict.fromkeys(rule.id for one in ref.tables.policies.versions for rule in one.rules)
    )
    for name, value, known in (("office", office, known_offices(ref)), ("rule", rule, rules)):
        if value is not None and value not in known:
            raise click.UsageError(f"--{name}: {not_one_of(value, known)}")


@click.command()
@click.option("--office", help="Only those of this office.")
@click.option("--rule", help="Only those raised by this rule.")
@click.option("--level", type=click.IntRange(1, 5), help="Only those of this level.")
@click.option("--all", "all_", is_flag=True, help="Include withdrawn ones.")
@click.option("--explain", "explained", is_flag=True, help="Explain each one in words.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@language
@by_reader
@as_json
def escalations(
    office: str | None,
    rule: str | None,
    level: int | None,
    all_: bool,
    explained: bool,
    limit: int,
    lang: str,
    reader: str | None,
    why: str | None,
    json_: bool,
) -> None:
    """List the escalations that are proposed to officials, newest first.

    Who reads, and why, is recorded: see icam access.

    \b
    Examples:
      icam escalations --office gent --level 3
      icam escalations --explain --lang nl --limit 1
    """
    settings = Settings()

    async def read(
        conn: Connection,
    ) -> tuple[tuple[list[dict[str, Any]], list[list[str]]], Collection[str]]:
        rows = await ledger.find(
            conn,
            office_id=office,
            rule_id=rule,
            level=level,
            standing_only=not all_,
            limit=limit,
        )
        paragraphs: list[list[str]] = []
        if explained and not json_:
            ref = await tables_in_force(settings, conn)
            paragraphs = await in_words(conn, rows, ref, lang)
        return (rows, paragraphs), [row["case_id"] for row in rows]

    what = described(
        "escalations", office=office, rule=rule, level=level, all=all_, explain=explained
    )
    rows, paragraphs = read_recorded(settings, Reader(reader, why), what, read)
    if not rows:
        _expect_known(settings, office, rule)
    if json_:
        emit(rows)
        return
    out = console()
    if explained:
        for lines in paragraphs:
            for line in [*lines, ""]:
                out.print(line, markup=False)
        return
    out.print(
        table(
            f"Escalations ({len(rows)})",
            ("raised", "level", "rule", "case", "office", "round", "withdrawn"),
            [
                (
                    row["raised_at"].isoformat(timespec="seconds"),
                    row["level"],
                    row["rule_id"],
                    row["case_id"],
                    row["office_id"],
                    row["round"],
                    row["withdrawal"]["reason"] if row["withdrawal"] else "",
                )
                for row in rows
            ],
        )
    )


async def _load(
    conn: Connection, case_id: str, ref: Reference
) -> tuple[dict[str, Any], list[Fact]] | None:
    shown = await cases.show(conn, case_id)
    if shown is None:
        return None
    facts = (await log.log(conn, [case_id])).get(case_id, [])
    above = {one.fact.event_id: one.above.source for one in outranked(facts, ref.producers.rank)}
    events = [
        {**row, "without_effect": above.get(row["event_id"])}
        for row in await log.history(conn, case_id)
    ]
    details = {
        **shown,
        "escalations": await ledger.find(conn, case_id=case_id, standing_only=False),
        "dead_letters": await dead_letters.find(conn, case_id=case_id),
        "events": events,
    }
    return details, facts


async def case_in_words(conn: Connection, case_id: str, ref: Reference, lang: str) -> list[str]:
    """Return the lines that show one case, none if it is not known."""
    found = await _load(conn, case_id, ref)
    if found is None:
        return []
    details, facts = found
    return explain_case(_view(details, facts, datetime.now(UTC)), ref.wording(lang))


async def in_words(
    conn: Connection, rows: Sequence[Mapping[str, Any]], ref: Reference, lang: str
) -> list[list[str]]:
    """Explain ledger entries, each as a list of lines. Reads the log of their cases."""
    case_ids = sorted({row["case_id"] for row in rows})
    facts = {
        str(fact.event_id): fact
        for events in (await log.log(conn, case_ids)).values()
        for fact in events
    }
    rules = {
        case_id: {standing.rule_id for standing in kept.standing}
        for case_id, kept in (await ledger.ledger(conn, case_ids)).items()
    }
    now, wording = datetime.now(UTC), ref.wording(lang)
    return [
        explain_proposal(_proposal(row, facts, rules[row["case_id"]], now), wording) for row in rows
    ]


def _view(details: Mapping[str, Any], facts: Sequence[Fact], now: datetime) -> CaseView:
    """Return a case as stored, with its escalations, dead letters and log, to explain."""
    by_id = {str(fact.event_id): fact for fact in facts}
    rules = {row["rule_id"] for row in details["escalations"] if not row["withdrawal"]}
    return CaseView(
        case_id=details["case_id"],
        status=details["status"],
        order_id=details["order_id"],
        office_id=details["office_id"],
        track=details["track"],
        route=details["route"],
        next_check_at=details["next_check_at"],
        next_reason=details.get("next_reason"),
        owner=details.get("owner"),
        ended_at=details.get("ended_at"),
        end_reason=details.get("end_reason"),
        held=[
            HeldRule(
                blocked["rule_id"],
                blocked["level"],
                [HeldGuard(by["guard"], by["state"], by["because"]) for by in blocked["by"]],
            )
            for blocked in details["blocked"] or ()
        ],
        letters=[
            OpenLetter(letter["dead_letter_id"], letter["reason"])
            for letter in details["dead_letters"]
        ],
        log=sorted(facts, key=lambda fact: (fact.time, fact.event_id)),
        proposals=[_proposal(row, by_id, rules, now) for row in details["escalations"]],
        outranked={
            row["event_id"]: row["without_effect"]
            for row in details["events"]
            if row["without_effect"] is not None
        },
    )


def _proposal(
    row: Mapping[str, Any], facts: Mapping[str, Fact], rules: Set[str], now: datetime
) -> Proposal:
    """Return one ledger entry to explain."""
    raised = TypeAdapter(EscalationRaised).validate_python(
        {
            **{name: row[name] for name in fields_of(EscalationRaised) if name in row},
            "escalation_id": str(row["escalation_id"]),
            "detected_at": row["raised_at"],
        },
        strict=False,
    )
    withdrawn = None
    if row["withdrawal"]:
        withdrawn = EscalationWithdrawn(
            escalation_id=raised.escalation_id,
            round=raised.round,
            case_id=raised.case_id,
            rule_id=raised.rule_id,
            level=raised.level,
            office_id=raised.office_id,
            reason=WithdrawalReason(row["withdrawal"]["reason"]),
            because=tuple(row["withdrawal"]["because"]),
            withdrawn_at=row["withdrawn_at"],
        )
    return Proposal(raised, now, withdrawn, facts, rules)
