"""Project one case: compute its row as of an instant, and the announcements due. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import orjson

from schemas.codes import Language
from schemas.outcomes import RouteRef, Track
from schemas.types import unvalidated
from streams.domain.case import Case, Fact, fold
from streams.domain.decide import decide
from streams.domain.decision import Announced, Announcement, Decision
from streams.domain.letters import OpenLetters
from streams.domain.loads import NO_CHOICE, Choice, Loads
from streams.domain.policy.versions import Move
from streams.reference import Reference
from streams.store.cases import CaseRow, Saved
from streams.store.digest import digest
from streams.store.escalations import Ledger

_route_ref: Final = unvalidated(RouteRef)
_TRACKS: Final = {track.value: track for track in Track}
_LANGUAGES: Final = {language.value: language for language in Language}
NO_LEDGER: Final = Ledger((), {})
"""The ledger of a case for which nothing was ever announced."""


def project(
    row: CaseRow,
    facts: Sequence[Fact],
    ledger: Ledger,
    open_letters: OpenLetters | None,
    reference: Reference,
    now: datetime,
    moves: tuple[Move, ...] = (),
    loads: Loads | None = None,
) -> tuple[Saved, Sequence[Announcement]]:
    """Return the projection of a case as of ``now``, and the announcements that are due.

    ``facts`` are all events of its log, in any order. Called again with these announcements in the
    ledger, with or without ``loads``, it returns the same projection and nothing to announce.
    """
    case = fold(Case(row.case_id, rank=reference.producers.rank), facts)
    announced = Announced(  # by position: by name it costs twice as much
        announced_route(row.route),
        row.routings,
        ledger.standing,
        ledger.rounds,
        open_letters,
        row.endings,
        row.known_since or now,
        moves,
        Choice.of(row.route),
    )
    decision = decide(case, announced, reference.tables, now, loads)
    end = decision.end
    projection = Saved(  # by position: by name it costs twice as much
        row.case_id,
        digest(case),
        len(facts),
        decision.order_id,
        decision.status,
        decision.office_id,
        decision.track,
        _route_json(decision),
        decision.routings,
        decision.level,
        _blocked_json(decision),
        decision.next_check,
        decision.next_reason,
        decision.owner,
        end.effective_at if end else None,
        end.reason if end else None,
        decision.endings,
        reference.digest_for(decision),
    )
    return projection, decision.messages


def announced_route(route: Mapping[str, Any] | None) -> RouteRef | None:
    """Return the route that was announced last, from the stored one."""
    if route is None:
        return None
    return _route_ref(
        order_id=route["order_id"],
        office_id=route["office_id"],
        track=_TRACKS[route.get("team") or route["track"]],
        language=_LANGUAGES[route["language"]],
        interpreter_language=route["interpreter_language"],
        rule_id=route["rule_id"],
    )


def _route_json(decision: Decision) -> bytes:
    route, choice = decision.route, decision.choice
    if route is None:
        return b"null"
    content = {
        "order_id": decision.order_id,
        "office_id": route.office_id,
        # Workers of 0.1.0 run during the upgrade and know no team for minors.
        "track": Track.INDIVIDUAL if route.track is Track.MINOR else route.track,
        "team": route.track,
        "language": route.language,
        "interpreter_language": route.interpreter_language,
        "rule_id": route.rule_id,
        "reason": route.reason,
        "as_of": route.as_of,
    }
    if choice is not NO_CHOICE:
        # As in the message, so that a row restored from it is the same.
        content |= {name: value for name, value in choice._asdict().items() if value}
    return orjson.dumps(content, default=vars)


def _blocked_json(decision: Decision) -> bytes:
    if not decision.blocked:
        return b"[]"
    return orjson.dumps(
        [
            {
                "rule_id": blocked.rule.id,
                "level": blocked.rule.level,
                "by": [
                    {
                        "guard": guard,
                        "state": status.state,
                        "because": status.because,
                        "report": status.report,
                    }
                    for guard, status in blocked.by
                ],
            }
            for blocked in decision.blocked
        ]
    )
