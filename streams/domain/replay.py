"""Replay the history of a case: decide it under given tables at each instant of the record.

A case is decided whenever something about it was recorded, and whenever time alone changes what
should stand. Nothing is announced: a replay keeps what would have been announced, as the ledger
does. It needs no evidence and no messages, so it asks for the difference alone.

Between two such instants what should stand is the same, so a proposal that nobody answers is
renewed without judging the case again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final, NamedTuple, final

from schemas.outcomes import ORDER_NOT_KNOWN, RouteRef
from schemas.types import unvalidated
from streams.domain.case import Case, Fact, Rank, fold, unranked
from streams.domain.decision import Announced, StandingEscalation
from streams.domain.difference import Difference, Raise, answer_by, difference
from streams.domain.judge import Judge, Judgement, Proposal
from streams.domain.judges import judge_of
from streams.domain.letters import OpenLetters
from streams.domain.loads import Loads
from streams.domain.policy.rules import Policy, RuleFacts
from streams.domain.policy.versions import Move
from streams.domain.routing import Route
from streams.domain.staffing import Staffing, TeamKey
from streams.domain.tables import Tables

_route_ref: Final = unvalidated(RouteRef)
_NO_STAFFING: Final = Staffing("", date.min, ())
_MOMENT: Final = timedelta(microseconds=1)
_LAST: Final = datetime.max.replace(tzinfo=UTC)
_MOST_KNOWN: Final = 4096
"""Sets of facts of which it is kept whether both tables match the same rules."""


class Recorded(NamedTuple):
    """What one transaction recorded about a case."""

    at: datetime
    facts: Sequence[Fact]


class History(NamedTuple):
    """Everything that was recorded about a case. Instants are in UTC, oldest first."""

    case_id: str
    recorded: Sequence[Recorded]
    letters: Sequence[tuple[datetime, OpenLetters | None]] = ()
    """The dead letters that are open from each instant on at which they changed."""
    moves: tuple[Move, ...] = ()
    """Versions of the policy that officials moved the case to."""
    teams: frozenset[TeamKey] = frozenset()
    """Teams that the case was announced to: of equally proper offices it goes to one of these."""


class Round(NamedTuple):
    """One round of an escalation in a replay."""

    escalation: StandingEscalation
    ended_at: datetime | None
    """None if it stands at the end of the replay."""


class Replayed(NamedTuple):
    """Every round that was raised, in no particular order, and what is announced at the end."""

    rounds: Sequence[Round]
    announced: Announced


@final
class Trial:
    """Two sets of tables to replay histories under: those in force and others.

    ``replaced`` gives the digests of the versions of the policy that others stand for in the second
    set, so that cases moved to the one are moved to the other.
    """

    def __init__(
        self, before: Tables, after: Tables, replaced: Mapping[str, str] | None = None
    ) -> None:
        self.before: Final = before
        self.after: Final = after
        self._replaced: Final[Mapping[str, str]] = replaced or {}
        self._alike: Final = _Alike(before, after)

    def compare(
        self, history: History, until: datetime, rank: Rank = unranked
    ) -> tuple[Replayed, Replayed]:
        """Replay a history up to an instant under both. If nothing differs, one result is given
        twice: the same object.

        As long as both have announced the same they share one state, and the second is asked only
        where it may answer otherwise.
        """
        pair = _Pair(self.before, self.after, self._alike, history, self._moves(history))
        pair.replay(history, until, rank)
        return pair.results()

    def _moves(self, history: History) -> tuple[Move, ...]:
        replaced = self._replaced
        return tuple([Move(replaced.get(m.digest, m.digest), m.at) for m in history.moves])


def replay(history: History, tables: Tables, until: datetime, rank: Rank = unranked) -> Replayed:
    """Replay a history up to an instant under one set of tables."""
    return Trial(tables, tables).compare(history, until, rank)[0]


@final
class _Alike:
    """Tells where two sets of tables decide alike, without deciding.

    They do if both route and count in the same way, and no rule that differs matches.
    """

    def __init__(self, before: Tables, after: Tables) -> None:
        self._counterparts: Final[dict[str, Policy]] = {}
        self._known: Final[dict[tuple[str, RuleFacts], bool]] = {}
        first, second = before.policies.versions, after.policies.versions
        if before.directories.digest != after.directories.digest or len(first) != len(second):
            return
        if [(p.valid_from, p.transition) for p in first] != [
            (p.valid_from, p.transition) for p in second
        ]:
            return
        for one, other in zip(first, second, strict=True):
            if (one.terms, one.counting, one.questions) == (
                other.terms,
                other.counting,
                other.questions,
            ):
                self._counterparts[one.digest] = other

    def decides(self, judge: Judge) -> bool:
        """Return whether the second tables decide as this judge of the first ones does."""
        policy, earlier = judge.policy, judge.earlier
        other = self._counterparts.get(policy.digest)
        if other is None:
            return False
        if earlier is not None:
            # Where two versions judge, the places of the rules in their tables matter too.
            return other.digest == policy.digest and self.decides(earlier)
        if other.digest == policy.digest:
            return True
        key = (policy.digest, judge.facts)
        known = self._known.get(key)
        if known is None:
            known = judge.matches.matching == other.match_rules(judge.facts).matching
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[key] = known
        return known

    def other_judge(self, judge: Judge) -> Judge | None:
        """Return what judges the same situation by the second tables, if that is all they change.

        None if they count or route otherwise, or if two versions judge.
        """
        other = self._counterparts.get(judge.policy.digest)
        if other is None or judge.earlier is not None:
            return None
        return Judge(judge.situation, other, judge.calendar, judge.known_since, judge.unknown)


@final
class _Side:
    """What would have been announced under one set of tables, and when to look again."""

    def __init__(self, tables: Tables, announced: Announced, loads: Loads) -> None:
        self.tables: Final = tables
        self.announced = announced
        self.loads: Final = loads
        self.rounds: list[Round] = []
        """Those that have ended."""
        self.proposals: Mapping[int, Proposal] = {}
        """Those that stand, by the number of their escalation."""
        self.changes_at: datetime | None = None
        """When time alone changes what should stand."""
        self.answers_at: datetime | None = None
        """When the first proposal is to be renewed."""

    def forked(self, tables: Tables, moves: tuple[Move, ...]) -> _Side:
        """Return the same state under other tables."""
        side = _Side(tables, self.announced._replace(moves=moves), self.loads)
        side.rounds = list(self.rounds)
        side.proposals = self.proposals
        side.changes_at, side.answers_at = self.changes_at, self.answers_at
        return side

    def due(self, stop: datetime) -> datetime:
        """Return when time alone brings something to do; at the latest ``stop``."""
        changes, answers = self.changes_at, self.answers_at
        if changes is not None and changes < stop:
            stop = changes
        return answers if answers is not None and answers < stop else stop

    def judge(self, case: Case, now: datetime) -> Judge | None:
        """Return what judges the case now."""
        return judge_of(case, self.announced, self.tables, now)

    def difference(self, case: Case, judge: Judge, judgement: Judgement) -> Difference:
        """Return what a decision changes, and keep when time alone changes the answer."""
        found = difference(case, judge, judgement, self.announced, self.tables, self.loads)
        at, _ = judgement.agenda.first()
        self.changes_at = at.astimezone(UTC) if at is not None else None
        return found

    def apply(self, found: Difference, judge: Judge) -> None:
        """Keep what a decision changes, as the store does once it is announced."""
        announced, now, order = self.announced, judge.situation.now, judge.situation.order
        order_id = order.order_id if order is not None else ORDER_NOT_KNOWN
        if found.moved and found.route is not None:
            announced = announced._replace(route=_announced(found.route, order_id))
        if found.ended or found.raised:
            standing = {one.escalation_id.int: one for one in announced.standing}
            for one in found.ended:
                self._end(standing, one, now)
            for one, _ in found.renewed:
                self._end(standing, one, now)
            rounds = dict(announced.rounds)
            for new in found.raised:
                rule = new.proposal.rule
                rounds[new.escalation_id] = new.round
                standing[new.escalation_id.int] = StandingEscalation(
                    new.escalation_id,
                    new.round,
                    rule.id,
                    rule.level,
                    order_id,
                    found.office_id,
                    found.track,
                    new.proposal.judge.policy.digest,
                    now,
                    new.reminder,
                )
            announced = announced.with_standing(tuple(standing.values()), rounds)
        self.announced = announced
        self.proposals = {name.int: proposal for name, proposal in found.proposals}
        first = min([at for at, _ in found.answers_due], default=None)
        self.answers_at = first.astimezone(UTC) if first is not None else None

    def renew(self, now: datetime) -> None:
        """Raise again what nobody answered in time, as a decision would: nothing else changes."""
        announced, first = self.announced, _LAST
        kept: list[StandingEscalation] = []
        renewed: list[StandingEscalation] = []
        rounds = dict(announced.rounds)
        for one in announced.standing:
            due = self._answer_by(one, one.raised_at)
            if due <= now:
                self.rounds.append(Round(one, now))
                # By position: a replacement by name costs four times as much.
                again = StandingEscalation(
                    one.escalation_id,
                    one.round + 1,
                    one.rule_id,
                    one.level,
                    one.order_id,
                    one.office_id,
                    one.track,
                    one.policy_digest,
                    now,
                    one.reminder + 1,
                )
                rounds[one.escalation_id] = again.round
                renewed.append(again)
                due = self._answer_by(one, now)
            else:
                kept.append(one)
            if due < first:
                first = due
        self.announced = announced.with_standing((*kept, *renewed), rounds)
        self.answers_at = first

    def result(self) -> Replayed:
        """Return all rounds, with those that stand, and what is announced."""
        stands = [Round(one, None) for one in self.announced.standing]
        return Replayed([*self.rounds, *stands], self.announced)

    def _end(
        self, standing: dict[int, StandingEscalation], one: StandingEscalation, now: datetime
    ) -> None:
        self.rounds.append(Round(one, now))
        del standing[one.escalation_id.int]

    def _answer_by(self, one: StandingEscalation, raised_at: datetime) -> datetime:
        proposal = self.proposals[one.escalation_id.int]
        return answer_by(proposal, self.tables.calendar, raised_at).astimezone(UTC)


@final
class _Pair:
    """The replay of one case under two sets of tables: one state as long as it is the same."""

    def __init__(
        self,
        before: Tables,
        after: Tables,
        alike: _Alike,
        history: History,
        moves: tuple[Move, ...],
    ) -> None:
        began = history.recorded[0].at if history.recorded else None
        announced = Announced(known_since=began, moves=history.moves)
        loads = Loads(dict.fromkeys(history.teams, -1), _NO_STAFFING, date.min)
        self._first: Final = _Side(before, announced, loads)
        self._second: _Side | None = None
        self._after: Final = after
        self._moves: Final = moves
        self._alike: Final = alike

    def replay(self, history: History, until: datetime, rank: Rank) -> None:
        """Decide at every instant up to and including ``until``."""
        case, letters = Case(history.case_id, rank=rank), list(history.letters)
        letters.reverse()
        for batch in history.recorded:
            if batch.at > until:
                break
            while letters and letters[-1][0] < batch.at:
                self._open(letters.pop(), case)
            self._pass_time(case, batch.at)
            if letters and letters[-1][0] == batch.at:
                self._set(letters.pop()[1])
            case = fold(case, batch.facts)
            self._decide(case, batch.at)
        while letters and letters[-1][0] <= until:
            self._open(letters.pop(), case)
        self._pass_time(case, until + _MOMENT)

    def results(self) -> tuple[Replayed, Replayed]:
        """Return the results under the first and the second tables."""
        first = self._first.result()
        return first, first if self._second is None else self._second.result()

    def _open(self, letters: tuple[datetime, OpenLetters | None], case: Case) -> None:
        """Decide once the open dead letters changed."""
        at, now_open = letters
        self._pass_time(case, at)
        self._set(now_open)
        if case.facts:
            self._decide(case, at)

    def _set(self, letters: OpenLetters | None) -> None:
        for side in (self._first, self._second):
            if side is not None:
                side.announced = side.announced._replace(open_dead_letters=letters)

    def _pass_time(self, case: Case, stop: datetime) -> None:
        """Let everything happen that time alone brings before ``stop``."""
        first = self._first
        while True:
            second, at = self._second, first.due(stop)
            if second is not None:
                at = min(at, second.due(stop))
            if at == stop:
                return
            if at == first.changes_at and (second is None or at == second.changes_at):
                self._decide(case, at)
                continue
            for side in (first, second):
                if side is None or side.due(stop) != at:
                    continue
                if at == side.changes_at:
                    _decide_alone(side, case, at)
                else:
                    side.renew(at)

    def _decide(self, case: Case, now: datetime) -> None:
        first, second = self._first, self._second
        judge = first.judge(case, now)
        if judge is None:
            return
        judgement = judge.judgement()
        found = first.difference(case, judge, judgement)
        if self._alike.decides(judge):
            first.apply(found, judge)
            if second is not None:
                second.apply(second.difference(case, judge, judgement), judge)
            return
        side = second or first.forked(self._after, self._moves)
        other = self._alike.other_judge(judge) or side.judge(case, now)
        if other is None:
            return
        theirs = side.difference(case, other, other.judgement())
        first.apply(found, judge)
        if second is None and _same(found, theirs):
            at = side.changes_at
            if first.changes_at is None or (at is not None and at < first.changes_at):
                # To look more often changes nothing: a decision compares what should stand.
                first.changes_at = at
            return
        side.apply(theirs, other)
        self._second = side


def _decide_alone(side: _Side, case: Case, now: datetime) -> None:
    judge = side.judge(case, now)
    if judge is not None:
        side.apply(side.difference(case, judge, judge.judgement()), judge)


def _same(one: Difference, other: Difference) -> bool:
    """Return whether two differences from the same state have the same effect."""
    if one.moved != other.moved or one.answers_due != other.answers_due:
        return False
    if (one.office_id, one.track) != (other.office_id, other.track):
        return False
    if one.moved and one.route is not None and other.route is not None:
        mine, theirs = one.route, other.route
        if (mine.language, mine.interpreter_language) != (
            theirs.language,
            theirs.interpreter_language,
        ):
            return False
    if [e.escalation_id.int for e in one.ended] != [e.escalation_id.int for e in other.ended]:
        return False
    if len(one.raised) != len(other.raised):
        return False
    return [_effect(new) for new in one.raised] == [_effect(new) for new in other.raised]


def _effect(new: Raise) -> tuple[int, datetime, int]:
    return new.escalation_id.int, new.answer_by, new.proposal.rule.level


def _announced(route: Route, order_id: str) -> RouteRef:
    return _route_ref(
        order_id=order_id,
        office_id=route.office_id,
        track=route.track,
        language=route.language,
        interpreter_language=route.interpreter_language,
        rule_id=route.rule_id,
    )
