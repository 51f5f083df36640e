"""A history of a case as one row of a table: given these facts, when it is now, then this stands.

Every row is checked three ways: its facts as written, in reverse, and with duplicates. The decision
must be the same, and deciding again must announce nothing. Every row has its source.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import pytest

from schemas.codes import Guard
from schemas.events import AnswererRole
from streams.domain.case import Fact
from streams.domain.decision import Announced, Decision
from tests.domain.given import BRUSSELS, applied, decide, raised, ref

NOTHING: frozenset[str] = frozenset()
"""No rule stands."""
COACH, TEAM_LEAD, OFFICIAL = AnswererRole.COACH, AnswererRole.TEAM_LEAD, AnswererRole.OFFICIAL


class Source(StrEnum):
    """Where a history comes from: a key of docs/domain.md, or inferred."""

    INFERRED = "inferred"
    SEED = "SEED"
    DVZ_ATD2 = "DVZ-ATD2"
    DVZ_FAQ = "DVZ-FAQ"
    CIRE_FAQ = "CIRE-FAQ"
    SEFOR = "SEFOR"
    VR_LAW = "VR-LAW"
    AGII_TERM = "AGII-TERM"
    AGII_NOT = "AGII-NOT"
    AGII_APP = "AGII-APP"
    AGII_UDN = "AGII-UDN"
    AGII_ANN = "AGII-ANN"
    AIDA = "AIDA"
    KIND = "KIND"
    VR_38 = "VR-38"
    GDPR22 = "GDPR22"
    GENT = "GENT"
    RD14 = "RD14"
    FACIL = "FACIL"
    METRO = "METRO"


@dataclass(frozen=True)
class History:
    """Facts of a case, an instant, and the proposals that stand then.

    ``then`` names every rule that stands. ``held_back`` names rules that match and the guards that
    block each of them. An instant or a role that is None is not checked.
    """

    title: str
    source: Source
    given: Sequence[Fact]
    when: datetime
    then: Collection[str]
    status: str
    held_back: Mapping[str, set[Guard]] = field(default_factory=dict)
    owner: AnswererRole | None = None
    due: datetime | None = None
    """When the only proposal was due."""
    next_check: datetime | None = None
    next_reason: str | None = None

    def check(self) -> Decision:
        """Assert everything that the row says, and return the decision."""
        assert all(fact.time <= self.when for fact in self.given), "told after the instant"
        decision = decide(self.given, self.when)
        standing = raised(decision)
        assert set(standing) == set(self.then)
        assert decision.status == self.status
        blocked = {rule.rule.id: {guard for guard, _ in rule.by} for rule in decision.blocked}
        assert {rule: blocked.get(rule) for rule in self.held_back} == self.held_back
        if self.due is not None:
            (proposal,) = standing.values()
            assert proposal.due_at == self.due
        if self.owner is not None:
            assert decision.owner is self.owner
        if self.next_reason is not None:
            assert decision.next_reason == self.next_reason
        if self.next_check is not None:
            assert decision.next_check == self.next_check
        assert_not_forgotten(decision, self.when)
        for facts in ([*reversed(self.given)], [*self.given, *self.given]):
            assert decide(facts, self.when) == decision
        again = decide(self.given, self.when, applied(Announced(), decision))
        assert again.messages == ()
        return decision


def table(histories: Sequence[History]) -> pytest.MarkDecorator:
    """Return the parametrization of a test by histories, named by their titles."""
    titles = [history.title for history in histories]
    assert len(set(titles)) == len(titles)
    return pytest.mark.parametrize("history", histories, ids=titles)


def assert_not_forgotten(decision: Decision, now: datetime) -> None:
    """Assert that an open case has a next date within 60 days, a reason, an owner, an office."""
    if decision.status == "ended":
        return
    longest = timedelta(days=ref().policy.terms.longest_pause_days)
    assert decision.next_check is not None
    assert now < decision.next_check <= now.astimezone(UTC) + longest
    assert decision.next_reason
    assert decision.owner
    assert decision.office_id


def on(text: str) -> datetime:
    """Return an instant in Brussels time: ``on("16 March")`` is 9:00 on that day of 2026.

    An hour or another year may follow: ``on("16 March 14:00")``, ``on("16 March 2027")``.
    """
    for form, missing in (
        ("%d %B %Y %H:%M", " 2026 09:00"),
        ("%d %B %Y %H:%M", " 09:00"),
        ("%d %B %H:%M %Y", " 2026"),
    ):
        try:
            return datetime.strptime(text + missing, form).replace(tzinfo=BRUSSELS)
        except ValueError:
            continue
    raise ValueError(text)


def start_of(text: str) -> datetime:
    """Return midnight at the start of a day; it is the end of the day before."""
    return on(text).replace(hour=0)
