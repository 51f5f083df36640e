"""Compare two replays of a case, count the differences of many cases, and choose examples.

Counts of different cases are added, and of candidates for an example the same ones are kept in
whatever order shares are added. So the result does not depend on how cases are shared out.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from hashlib import sha256
from typing import Any, Final, NamedTuple, TypeVar, final

from streams.domain.clocks import Calendar
from streams.domain.decision import StandingEscalation
from streams.domain.replay import Replayed, Round
from streams.domain.whatif import Change, Counts, Difference, Group, Load, Raised

EXAMPLES: Final = 10
"""Most examples of a result, and most candidates that are kept of each change and rule."""


def differences(
    case_id: str, before: Replayed, after: Replayed, since: datetime | None = None
) -> list[Difference]:
    """Return how the escalations of two replays of a case differ, in the order of time.

    They are paired by escalation and round. One that another team gets is removed from the one team
    and added to the other. A difference that lies before ``since`` on both sides is left out.
    """
    found = [
        Difference(
            changes,
            _raised(case_id, one) if one is not None else None,
            _raised(case_id, other) if other is not None else None,
        )
        for one, other, changes in _pairs(before, after, since)
    ]
    return sorted(found, key=_order)


def begins(found: Difference) -> datetime:
    """Return when the two replays begin to differ in an escalation."""
    return min(one.raised_at for one in (found.before, found.after) if one is not None)


def _order(found: Difference) -> tuple[datetime, str, int, bool]:
    one = found.before or found.after
    if one is None:
        raise ValueError("a difference has at least one side")
    return begins(found), one.escalation_id, one.round, found.before is None


_Pair = tuple[Round | None, Round | None, tuple[Change, ...]]
_ADDED: Final = (Change.ADDED,)
_REMOVED: Final = (Change.REMOVED,)


def _pairs(before: Replayed, after: Replayed, since: datetime | None) -> list[_Pair]:
    """Return the rounds that differ, and how; in no particular order."""
    if after is before:
        return []
    first, second = _by_round(before), _by_round(after)
    found: list[_Pair] = []
    for key, one in first.items():
        other = second.pop(key, None)
        if other is None:
            found.append((one, None, _REMOVED))
            continue
        mine, theirs = one.escalation, other.escalation
        if (mine.office_id, mine.track) != (theirs.office_id, theirs.track):
            found += [(one, None, _REMOVED), (None, other, _ADDED)]
        elif changes := _changes(mine, theirs):
            found.append((one, other, changes))
    found += [(None, other, _ADDED) for other in second.values()]
    if since is None:
        return found
    return [pair for pair in found if _last(pair) >= since]


def _by_round(replayed: Replayed) -> dict[tuple[int, int], Round]:
    return {
        (one.escalation.escalation_id.int, one.escalation.round): one for one in replayed.rounds
    }


def _changes(before: StandingEscalation, after: StandingEscalation) -> tuple[Change, ...]:
    changes: list[Change] = []
    if after.raised_at != before.raised_at:
        changes.append(Change.EARLIER if after.raised_at < before.raised_at else Change.LATER)
    if after.level != before.level:
        changes.append(Change.HIGHER if after.level > before.level else Change.LOWER)
    return tuple(changes)


def _last(pair: _Pair) -> datetime:
    return max(one.escalation.raised_at for one in pair[:2] if one is not None)


def _raised(case_id: str, one: Round) -> Raised:
    escalation = one.escalation
    return Raised(
        case_id,
        str(escalation.escalation_id),
        escalation.round,
        escalation.rule_id,
        escalation.level,
        escalation.office_id,
        escalation.track,
        escalation.raised_at,
        one.ended_at,
    )


class Candidate(NamedTuple):
    """A case that may become an example. Candidates are in the order of their digests."""

    digest: str
    case_id: str

    @classmethod
    def of(cls, case_id: str) -> Candidate:
        """Return the candidate of a case."""
        return cls(sha256(case_id.encode()).hexdigest(), case_id)


_Key = TypeVar("_Key")
_Sides = list[int]
"""A number before and one after."""


@final
class Tally:
    """The counts of some cases. Its size does not grow with the number of cases."""

    def __init__(self) -> None:
        self.cases = 0
        self.events = 0
        self.unreadable = 0
        self.differing_cases = 0
        self._raised: dict[Group, _Sides] = {}
        self._changes: dict[tuple[Group, Change], int] = {}
        self._loads: dict[tuple[str, date], _Sides] = {}
        self._standing: dict[str, _Sides] = {}
        self._candidates: dict[tuple[Change, str], list[Candidate]] = {}

    def add(
        self,
        case_id: str,
        events: int,
        before: Replayed,
        after: Replayed,
        since: datetime | None,
        calendar: Calendar,
    ) -> None:
        """Count one case."""
        self.cases += 1
        self.events += events
        if after is before:
            self._count(before, (0, 1), since, calendar)
        else:
            self._count(before, (0,), since, calendar)
            self._count(after, (1,), since, calendar)
        found = _pairs(before, after, since)
        if not found:
            return
        self.differing_cases += 1
        shows: set[tuple[Change, str]] = set()
        for one, other, changes in found:
            side = one or other
            if side is None:
                continue
            escalation = side.escalation
            group = Group(escalation.office_id, escalation.track, escalation.rule_id)
            for change in changes:
                self._changes[group, change] = self._changes.get((group, change), 0) + 1
                shows.add((change, escalation.rule_id))
        candidate = Candidate.of(case_id)
        for change, rule_id in shows:
            self._offer(change, rule_id, candidate)

    def merge(self, other: Tally) -> None:
        """Add the counts of other cases."""
        self.cases += other.cases
        self.events += other.events
        self.unreadable += other.unreadable
        self.differing_cases += other.differing_cases
        _add(self._raised, other._raised)
        _add(self._loads, other._loads)
        _add(self._standing, other._standing)
        for key, number in other._changes.items():
            self._changes[key] = self._changes.get(key, 0) + number
        for (change, rule_id), candidates in other._candidates.items():
            for candidate in candidates:
                self._offer(change, rule_id, candidate)

    def _count(
        self, replayed: Replayed, sides: Sequence[int], since: datetime | None, calendar: Calendar
    ) -> None:
        for escalation, ended_at in replayed.rounds:
            office_id, at = escalation.office_id, escalation.raised_at
            counts: list[_Sides] = []
            if ended_at is None:
                counts.append(_of(self._standing, office_id))
            if since is None or at >= since:
                group = Group(office_id, escalation.track, escalation.rule_id)
                month = calendar.local_date(at).replace(day=1)
                counts += [_of(self._raised, group), _of(self._loads, (office_id, month))]
            for count in counts:
                for side in sides:
                    count[side] += 1

    def _offer(self, change: Change, rule_id: str, candidate: Candidate) -> None:
        kept = self._candidates.setdefault((change, rule_id), [])
        if candidate not in kept:
            insort(kept, candidate)
            del kept[EXAMPLES:]

    def groups(self) -> dict[Group, Counts]:
        """Return the counts by office, track and rule, in this order."""
        found = {}
        for group in sorted(self._raised.keys() | {group for group, _ in self._changes}):
            before, after = self._raised.get(group, (0, 0))
            changes = {
                change: self._changes[group, change]
                for change in Change
                if (group, change) in self._changes
            }
            found[group] = Counts(before, after, changes)
        return found

    def loads(self) -> list[Load]:
        """Return the escalations raised by office and month, in this order."""
        return [
            Load(office_id, month, *sides)
            for (office_id, month), sides in sorted(self._loads.items())
        ]

    def standing(self) -> dict[str, tuple[int, int]]:
        """Return the proposals that stand at the end, by office."""
        return {office: (one, other) for office, (one, other) in sorted(self._standing.items())}

    def examples(self) -> list[str]:
        """Return the cases to show: every kind of change first, then many rules, at most ten.

        Among equals the one with the smallest digest of its id, which nobody chose.
        """
        return _chosen(self._candidates)

    def as_data(self) -> dict[str, Any]:
        """Return the counts as JSON can hold them."""
        return {
            "cases": [self.cases, self.events, self.unreadable, self.differing_cases],
            "raised": [[*group, *sides] for group, sides in self._raised.items()],
            "changes": [[*group, change, n] for (group, change), n in self._changes.items()],
            "loads": [[office, str(month), *n] for (office, month), n in self._loads.items()],
            "standing": [[office, *sides] for office, sides in self._standing.items()],
            "candidates": [
                [change, rule_id, [one.case_id for one in kept]]
                for (change, rule_id), kept in self._candidates.items()
            ],
        }

    @classmethod
    def of_data(cls, data: Mapping[str, Any]) -> Tally:
        """Return the counts from what ``as_data`` returned."""
        tally = cls()
        tally.cases, tally.events, tally.unreadable, tally.differing_cases = data["cases"]
        for *group, before, after in data["raised"]:
            tally._raised[Group(*group)] = [before, after]
        for *group, change, number in data["changes"]:
            tally._changes[Group(*group), Change(change)] = number
        for office, month, before, after in data["loads"]:
            tally._loads[office, date.fromisoformat(month)] = [before, after]
        for office, before, after in data["standing"]:
            tally._standing[office] = [before, after]
        for change, rule_id, case_ids in data["candidates"]:
            for case_id in case_ids:
                tally._offer(Change(change), rule_id, Candidate.of(case_id))
        return tally


def _add(counts: dict[Any, _Sides], more: Mapping[Any, Sequence[int]]) -> None:
    for key, (before, after) in more.items():
        sides = _of(counts, key)
        sides[0] += before
        sides[1] += after


def _of(counts: dict[_Key, _Sides], key: _Key) -> _Sides:
    sides = counts.get(key)
    if sides is None:
        sides = counts[key] = [0, 0]
    return sides


def _chosen(candidates: Mapping[tuple[Change, str], Sequence[Candidate]]) -> list[str]:
    shows: dict[Candidate, set[tuple[Change, str]]] = {}
    for key, kept in candidates.items():
        for one in kept:
            shows.setdefault(one, set()).add(key)
    chosen: list[Candidate] = []
    shown: set[str] = set()

    def choose(wanted: str, those: Iterable[Candidate]) -> None:
        if wanted not in shown and len(chosen) < EXAMPLES:
            one = min(those)
            chosen.append(one)
            for change, rule_id in shows[one]:
                shown.update((f"change {change}", f"rule {rule_id}"))

    for change in Change:
        having = [one for one, keys in shows.items() if any(key[0] is change for key in keys)]
        if having:
            choose(f"change {change}", having)
    for rule_id in sorted({rule_id for _, rule_id in candidates}):
        choose(
            f"rule {rule_id}",
            [one for one, keys in shows.items() if any(key[1] == rule_id for key in keys)],
        )
    chosen += sorted(shows.keys() - set(chosen))[: EXAMPLES - len(chosen)]
    return [one.case_id for one in chosen]
