"""``icam explain``"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from streams import reference
from streams.casework.projection import announced_route
from streams.casework.unit_of_work import letters_of
from streams.cli.explanation_data import decision_as_data
from streams.cli.explanation_page import page
from streams.cli.in_force import tables_in_force
from streams.cli.inspect import language
from streams.cli.instants import instant
from streams.cli.output import as_json, console, echo, emit, write_page
from streams.cli.reading import by_reader, described, read_recorded
from streams.domain.case import Case
from streams.domain.decision import Announced
from streams.domain.explain.decision import (
    Explanation,
    Known,
    explain_decision,
    happened_by,
)
from streams.domain.explain.decision_text import decision_in_words, lines_of
from streams.domain.loads import Choice
from streams.reference import Reference
from streams.runtime.settings import Settings
from streams.store import cases, clock, dead_letters, escalations, events, outbox, publications
from streams.store.access import Reader
from streams.store.pool import Connection

_Explained = tuple[Explanation, Reference]


class Future(click.UsageError):
    """The instant to explain lies ahead: nothing was decided then."""

    def __init__(self, at: datetime) -> None:
        super().__init__(
            f"--at: {at.isoformat(timespec='seconds')} lies ahead; without --at the answer says "
            "from when something would be proposed"
        )


def _instant(_: click.Context, param: click.Parameter, value: str | None) -> datetime | None:
    """Return an instant; a time without an offset is in Brussels, a day means its end there."""
    if value is None:
        return None
    found = instant(value, param)
    if len(value) == len("2026-03-05"):
        zone = ZoneInfo(reference.ZONE)
        day = found.astimezone(zone).date()
        next_day = datetime.combine(day + timedelta(days=1), time.min, zone)
        return (next_day - timedelta(microseconds=1)).astimezone(UTC)
    return found


@click.command()
@click.argument("case_id")
@click.option(
    "--at",
    metavar="TIME",
    callback=_instant,
    help="Explain the decision of this time; a day means its end. Brussels time without an offset.",
)
@click.option(
    "--known",
    type=click.Choice([one.value for one in Known]),
    help="With --at: then, from the events recorded until then (default), or now, from all events "
    "known now about that time.",
)
@click.option(
    "--html",
    "html",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a page for the file instead, which prints to at most two A4 pages.",
)
@language
@by_reader
@as_json
def explain(
    case_id: str,
    at: datetime | None,
    known: str | None,
    html: Path | None,
    lang: str,
    reader: str | None,
    why: str | None,
    json_: bool,
) -> None:
    """Explain what is proposed on one case, why, and which one fact would change it.

    Says which events, terms, guards and rule of which policy the decision rests on; if nothing is
    proposed, why not and from when something would be. Decides nothing and changes nothing. Who
    reads, and why, is recorded: see icam access.

    \b
    Examples:
      icam explain case-1f3a --lang nl
      icam explain case-1f3a --at 2026-03-05
      icam explain case-1f3a --at 2026-03-05T14:30 --known now --json
      icam explain case-1f3a --lang fr --html case-1f3a.html
    """
    if known is not None and at is None:
        raise click.UsageError("--known says what an earlier time rests on: give --at too")
    if html is not None and json_:
        raise click.UsageError("give --json or --html, not both")
    settings = Settings()
    mode = Known(known) if known is not None else Known.THEN

    async def read(conn: Connection) -> tuple[_Explained | None, Collection[str]]:
        ref = await tables_in_force(settings, conn, at if mode is Known.THEN else None)
        found = await explanation(conn, case_id, ref, at, mode)
        return (None, []) if found is None else ((found, ref), [case_id])

    what = described(
        "explain", at=at.isoformat(timespec="seconds") if at is not None else None, known=known
    )
    explained = read_recorded(settings, Reader(reader, why), what, read)
    if explained is None:
        echo(f"icam: no case {case_id}", err=True)
        raise SystemExit(1)
    found, ref = explained
    document = decision_in_words(found, ref.wording(lang))
    if json_:
        emit(decision_as_data(found) | {"language": lang, "text": lines_of(document)})
    elif html is not None:
        write_page(html, page(document, lang))
    else:
        out = console()
        for line in lines_of(document):
            out.print(line, markup=False)


async def explanation(
    conn: Connection, case_id: str, ref: Reference, at: datetime | None, known: Known
) -> Explanation | None:
    """Return the explanation of a case at an instant, by default now; None if it is not known.

    Raises:
        Future: ``at`` lies ahead.
        UnreadableEvent: a stored payload no longer fits its type.
    """
    exists, known_since = await cases.known_since(conn, case_id)
    if not exists:
        return None
    now = await clock.now(conn)
    if at is None:
        at, known = now, Known.NOW
    elif at > now:
        raise Future(at)
    if known is Known.THEN:
        facts = await events.recorded_by(conn, case_id, at)
        open_letters = await dead_letters.open_at(conn, case_id, at)
    else:
        every = (await events.log(conn, [case_id])).get(case_id, [])
        facts = every if at == now else [fact for fact in every if happened_by(fact, at)]
        open_letters = await dead_letters.open_on(conn, [case_id])
    ledger = await escalations.ledger_at(conn, case_id, at)
    moves = await publications.moves_of(conn, [case_id], at if known is Known.THEN else None)
    routing = await outbox.last_routing(conn, case_id, at)
    announced = Announced(
        route=announced_route(routing),
        choice=Choice.of(routing),
        standing=ledger.standing,
        rounds=ledger.rounds,
        open_dead_letters=letters_of(open_letters, ref).get(case_id),
        known_since=known_since if known_since is not None and known_since <= at else at,
        moves=moves.get(case_id, ()),
    )
    return explain_decision(
        case_id,
        facts,
        announced,
        ref.tables,
        at,
        known,
        Case(case_id, rank=ref.producers.rank),
    )
