"""``icam case`` and ``icam escalations``"""

from __future__ import annotations

from typing import Any

import click

from schemas.outcomes import EscalationRaised
from streams import reference
from streams.cli.output import as_json, console, emit, table, with_connection
from streams.domain.explain import explain
from streams.domain.policy.rules import LANGUAGES
from streams.reference import Reference
from streams.runtime.settings import Settings
from streams.store import cases, dead_letters
from streams.store import escalations as ledger
from streams.store import events as log
from streams.store.pool import Connection

language = click.option(
    "--lang", type=click.Choice(LANGUAGES), default="fr", show_default=True, help="Language."
)


@click.command()
@click.argument("case_id")
@language
@as_json
def case(case_id: str, lang: str, json_: bool) -> None:
    """Show one case: its route and why, its escalations, what guards block, and its log.

    \b
    Examples:
      icam case case-1f3a --lang nl
      icam case case-1f3a --json
    """
    settings = Settings()

    async def read(conn: Connection) -> dict[str, Any] | None:
        shown = await cases.show(conn, case_id)
        if shown is None:
            return None
        return {
            **shown,
            "escalations": await ledger.find(conn, case_id=case_id, standing_only=False),
            "dead_letters": await dead_letters.find(conn, case_id=case_id),
            "events": await log.history(conn, case_id),
        }

    details = with_connection(settings, read)
    if details is None:
        click.echo(f"icam: no case {case_id}", err=True)
        raise SystemExit(1)
    if json_:
        emit(details)
        return
    out = console()
    out.print(
        table(
            f"Case {case_id}",
            ("status", "order", "office", "track", "level", "next check"),
            [
                (
                    details["status"],
                    details["order_id"],
                    details["office_id"],
                    details["track"],
                    details["level"],
                    details["next_check_at"],
                )
            ],
        )
    )
    if details["route"]:
        out.print(f"Routed by rule {details['route']['rule_id']}: {details['route']['reason']}")
    for blocked in details["blocked"]:
        guards = "; ".join(f"{g['guard']} {g['state']}: {g['because']}" for g in blocked["by"])
        out.print(f"Blocked: {blocked['rule_id']} (level {blocked['level']}) by {guards}")
    for letter in details["dead_letters"]:
        out.print(
            f"Open dead letter {letter['dead_letter_id']}: {letter['reason']}: {letter['detail']}"
        )
    out.print(
        table(
            "Log",
            ("occurred", "type", "event", "position"),
            [
                (
                    event["occurred_at"],
                    event["type"],
                    event["event_id"],
                    f"{event['topic']}/{event['partition']}/{event['offset']}",
                )
                for event in details["events"]
            ],
        )
    )
    ref = reference.load(settings.policy_file, settings.directory_file)
    for row in details["escalations"]:
        out.print()
        for line in in_words(row, ref, lang):
            out.print(line, markup=False)


@click.command()
@click.option("--office", help="Only those of this office.")
@click.option("--rule", help="Only those raised by this rule.")
@click.option("--level", type=click.IntRange(1, 5), help="Only those of this level.")
@click.option("--all", "all_", is_flag=True, help="Include withdrawn ones.")
@click.option("--explain", "explained", is_flag=True, help="Explain each one in words.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@language
@as_json
def escalations(
    office: str | None,
    rule: str | None,
    level: int | None,
    all_: bool,
    explained: bool,
    limit: int,
    lang: str,
    json_: bool,
) -> None:
    """List the escalations that are proposed to officials, newest first.

    \b
    Examples:
      icam escalations --office gent --level 3
      icam escalations --explain --lang nl --limit 1
    """
    settings = Settings()

    async def read(conn: Connection) -> list[dict[str, Any]]:
        return await ledger.find(
            conn,
            office_id=office,
            rule_id=rule,
            level=level,
            standing_only=not all_,
            limit=limit,
        )

    rows = with_connection(settings, read)
    if json_:
        emit(rows)
        return
    out = console()
    if explained:
        ref = reference.load(settings.policy_file, settings.directory_file)
        for row in rows:
            for line in in_words(row, ref, lang):
                out.print(line, markup=False)
            out.print()
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


def in_words(row: dict[str, Any], ref: Reference, lang: str) -> list[str]:
    """Explain one ledger entry, one line per element of the result."""
    raised = EscalationRaised.model_validate(
        {
            **{name: row[name] for name in EscalationRaised.model_fields if name in row},
            "escalation_id": str(row["escalation_id"]),
            "detected_at": row["raised_at"],
        },
        strict=False,
    )
    lines = explain(raised, ref.policy, ref.directory, ref.calendar, reference.words(), lang)
    if row["withdrawal"]:
        because = "; ".join(row["withdrawal"]["because"])
        at = row["withdrawn_at"].isoformat(timespec="seconds")
        lines.append(f"[{row['withdrawal']['reason']} {at}] {because}")
    return lines
