"""Which version of the policy decides about a case, and which cause is judged by which version."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from typing import Any

import pytest
from hypothesis import given as for_any
from hypothesis import strategies as st

from schemas.outcomes import EscalationRaised, EscalationWithdrawn, WithdrawalReason
from streams.domain.case import Fact
from streams.domain.decision import Announced, Decision
from streams.domain.policy.load import PolicyError, load_policy
from streams.domain.policy.rules import Policy
from streams.domain.policy.versions import Move, Policies, PolicyLackingError
from streams.reference import Reference
from tests.domain import given
from tests.domain.given import BRUSSELS, day, miss, order, outcomes, raised, ref
from tests.domain.histories import histories, instants

_BECAUSE = "the minister's circular of that day asks for it"
MAY, JUNE = date(2026, 5, 1), date(2026, 6, 1)
_OUTCOME_DAYS = '{ clock = "appointment", working_days = 2 }'
_DAYS, _EITHER = st.dates(date(2026, 1, 2), date(2026, 12, 30)), st.booleans()
_SILENT_DAYS = '{ clock = "last_step", working_days = 20 }'


def version(
    name: str, first_day: date, *edits: tuple[str, str], open_from: date | None = None
) -> Policy:
    """Return the shipped policy under another name, with edits, valid from a day."""
    text = ref().policy.body
    for old, new in (
        ('version = "2026.2"', f'version = "{name}"'),
        ("valid_from = 2026-01-01", f"valid_from = {first_day}"),
        *edits,
    ):
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    if open_from is not None:
        text += f'\n[transition]\nopen_cases_from = {open_from}\nbecause = "{_BECAUSE}"\n'
    return load_policy(text)


def under(*later: Policy) -> Reference:
    """Return the reference data with later versions beside the shipped one."""
    base = ref()
    return Reference.of([base.policy, *later], [base.directory], base.calendar, base.producers)


def at(first_day: date, hour: int = 9) -> datetime:
    return datetime.combine(first_day, time(hour), BRUSSELS)


def versions_of(decision: Decision) -> dict[str, str]:
    """Return the policy version of each proposal, by rule."""
    return {rule_id: one.policy_version for rule_id, one in raised(decision).items()}


def silent(days: int) -> tuple[str, str]:
    return _SILENT_DAYS, _SILENT_DAYS.replace("20", str(days))


def standing(decision: Decision) -> set[tuple[str, str, datetime]]:
    return {
        (one.rule_id, one.occasion, one.due_at)
        for one in outcomes(decision)
        if isinstance(one, EscalationRaised)
    }


def test_a_case_keeps_the_version_of_the_day_on_which_its_order_was_notified() -> None:
    both = under(version("2026.3", MAY))
    old = given.decide([order(), miss(1)], at(date(2026, 8, 3)), under=both)
    notified = at(date(2026, 5, 4))
    new_order = order(notified_at=notified)
    new = given.decide([new_order], at(date(2026, 8, 3)), under=both)

    assert old.policy.version == "2026.2"
    assert set(versions_of(old).values()) == {"2026.2"}
    assert new.policy.version == "2026.3"
    assert set(versions_of(new).values()) == {"2026.3"}


def test_a_version_for_next_month_changes_nothing_today() -> None:
    staged = under(version("2026.3", JUNE, silent(1), open_from=JUNE))
    facts, now = [order(), miss(1)], at(date(2026, 5, 4))

    decision = given.decide(facts, now, under=staged)

    assert decision.messages == given.decide(facts, now).messages


def test_a_case_that_a_transition_will_reach_is_looked_at_on_that_day() -> None:
    facts = [order(), given.planned(day(90))]
    staged = under(version("2026.3", MAY, open_from=MAY))
    now = at(date(2026, 4, 29))

    decision = given.decide(facts, now, under=staged)

    assert decision.next_check == at(MAY, 0)
    assert decision.next_reason == "policy"


def test_a_cause_that_was_complete_before_a_version_is_not_judged_by_it() -> None:
    """Silent since 2 March; by the new version 5 days suffice, and they ended long before May."""
    facts = [order(), given.interview(1)]
    shorter = version("2026.3", MAY, silent(5), open_from=MAY)
    before, after = at(date(2026, 4, 30)), at(MAY)

    first = given.decide(facts, before, under=under(shorter))
    again = given.decide(facts, after, Announced().after(first), under=under(shorter))

    silence = raised(first)["silence"]
    assert silence.policy_version == "2026.2"
    assert again.messages == ()
    assert again.policy.version == "2026.3"


def test_a_new_rule_is_not_raised_for_what_happened_before_it() -> None:
    """A new rule of the second miss: the visit of an earlier miss stays what it was."""
    edit = ('id = "outreach-after-second-miss"', 'id = "visit-after-second-miss"')
    new = version("2026.3", MAY, edit, open_from=MAY)
    facts = [order(), miss(1), miss(2)]

    kept = given.decide(facts, at(JUNE), under=under(new))
    later = miss(2, scheduled_at=at(date(2026, 5, 12)), time=at(date(2026, 5, 12), 17))
    fresh = given.decide([order(), miss(1), later], at(date(2026, 5, 13)), under=under(new))

    assert versions_of(kept)["outreach-after-second-miss"] == "2026.2"
    assert "visit-after-second-miss" not in versions_of(kept)
    assert versions_of(fresh)["visit-after-second-miss"] == "2026.3"
    assert "outreach-after-second-miss" not in versions_of(fresh)


def test_a_cause_between_two_versions_goes_on_by_the_earlier_one() -> None:
    """Complete by the newer version before its first day, by the older one after it: not lost."""
    change = date(2026, 3, 25)
    shorter = version("2026.3", change, silent(5), open_from=change)
    facts = [order(), given.interview(1)]
    due = raised(given.decide(facts, given.LATER))["silence"].due_at
    both = under(shorter)

    waiting = given.decide(facts, at(change), under=both)
    stands = given.decide(facts, due.astimezone(UTC), under=both)

    assert "silence" not in raised(waiting)
    assert waiting.next_check is not None
    assert waiting.next_check <= due
    assert raised(stands)["silence"].policy_version == "2026.2"
    assert raised(stands)["silence"].due_at == due


def test_a_longer_term_counts_for_what_was_not_complete() -> None:
    change = date(2026, 3, 25)
    longer = version("2026.3", change, silent(30), open_from=change)
    facts = [order(), given.interview(1)]
    due = raised(given.decide(facts, given.LATER))["silence"].due_at

    at_old_date = given.decide(facts, due.astimezone(UTC), under=under(longer))
    later = given.decide(facts, given.LATER, under=under(longer))

    assert "silence" not in raised(at_old_date)
    assert raised(later)["silence"].policy_version == "2026.3"
    assert raised(later)["silence"].due_at > due


def test_a_case_that_comes_under_a_version_is_counted_by_it() -> None:
    """An interview no longer restarts the count of misses: the one before it counts too."""
    restarts = "interview_restarts_count = true"
    every = version("2026.3", MAY, (restarts, restarts.replace("true", "false")), open_from=MAY)
    second = miss(2, scheduled_at=at(date(2026, 5, 12)), time=at(date(2026, 5, 12), 17))
    facts = [order(), miss(1), given.interview(1, held_at=day(12)), second]

    decision = given.decide(facts, at(date(2026, 5, 13)), under=under(every))

    assert versions_of(decision)["outreach-after-second-miss"] == "2026.3"
    by_the_older = given.decide(facts, at(date(2026, 5, 13)))
    assert "outreach-after-second-miss" not in raised(by_the_older)


def test_two_changes_with_late_and_corrected_facts() -> None:
    """Two versions came since; a correction moves the order's notification past the first."""
    both = under(version("2026.3", MAY), version("2026.4", JUNE))
    now = at(date(2026, 8, 3))
    late = miss(1, scheduled_at=at(date(2026, 6, 15)), time=at(date(2026, 7, 20)))
    corrected = order(notified_at=at(date(2026, 5, 7)), time=at(date(2026, 7, 1)))

    first = given.decide([order()], now, under=both)
    with_late = given.decide([order(), late], now, under=both)
    then = given.decide([late, corrected, order()], now, Announced().after(with_late), under=both)

    assert first.policy.version == with_late.policy.version == "2026.2"
    assert then.policy.version == "2026.3"
    reannounced = [one for one in outcomes(then) if isinstance(one, EscalationRaised)]
    assert {one.policy_version for one in reannounced} <= {"2026.3"}
    assert given.decide([order(), corrected, late], now, under=both).messages == (
        given.decide([late, order(), corrected], now, under=both).messages
    )


def test_a_second_order_takes_the_version_of_its_own_day() -> None:
    both = under(version("2026.3", MAY))
    second = order(order_id="order-2", notified_at=at(date(2026, 5, 18)), repeat_order=True)
    move = Move(both.policy.digest, at(date(2026, 4, 20)))
    back = Move(ref().policy.digest, at(date(2026, 5, 4)))

    decision = given.decide([order(), second], at(JUNE), Announced(moves=(move, back)), under=both)

    assert decision.policy.version == "2026.3"


def test_an_official_moves_a_case_and_nothing_is_announced_twice() -> None:
    both = under(version("2026.3", MAY, silent(5)))
    facts, moved_at = [order(), given.interview(1)], at(date(2026, 5, 4))
    before = given.decide(facts, moved_at, under=both)
    known = Announced().after(before)._replace(moves=(Move(both.policy.digest, moved_at),))

    after = given.decide(facts, at(date(2026, 5, 5)), known, under=both)
    earlier = given.decide(facts, at(date(2026, 5, 3)), known, under=both)

    assert after.policy.version == "2026.3"
    assert [one for one in outcomes(after) if isinstance(one, EscalationWithdrawn)] == []
    assert earlier.policy.version == "2026.2"


def test_a_rule_that_a_version_drops_is_withdrawn_for_what_is_not_complete() -> None:
    """The outcome of an appointment is asked for 2 days after it; the newer version asks later."""
    change = date(2026, 3, 11)
    longer = version(
        "2026.3",
        change,
        (
            '{ clock = "appointment", working_days = 2 }',
            '{ clock = "appointment", working_days = 9 }',
        ),
        open_from=change,
    )
    facts: list[Fact] = [order(), given.planned(at(date(2026, 3, 10)))]
    on_the_day = given.decide(facts, at(date(2026, 3, 17)), under=under(longer))

    assert "report-outcome" in raised(given.decide(facts, at(date(2026, 3, 17))))
    assert "report-outcome" not in raised(on_the_day)


def test_a_case_that_was_moved_to_an_unknown_version_is_not_decided() -> None:
    both, known = under(version("2026.3", MAY)), Announced(moves=(Move("0" * 64, at(MAY)),))

    with pytest.raises(PolicyLackingError, match="publish it"):
        given.decide([order()], at(JUNE), known, under=both)


def test_without_an_order_the_version_of_the_first_event_decides() -> None:
    both = under(version("2026.3", MAY))

    early = given.decide([miss(1)], at(JUNE), under=both)
    late = given.decide(
        [miss(1, scheduled_at=at(date(2026, 5, 20)), time=at(date(2026, 5, 20)))],
        at(JUNE),
        under=both,
    )

    assert (early.policy.version, late.policy.version) == ("2026.2", "2026.3")


def test_a_rule_that_covers_another_does_so_from_another_version() -> None:
    """The date is asked for by the older version, the longest pause by the newer one."""
    facts, now = [order()], given.day(60)
    same = version("2026.3", date(2026, 4, 1), open_from=date(2026, 4, 1))
    assert "longest-pause" not in raised(given.decide(facts, now))

    assert standing(given.decide(facts, now, under=under(same))) == standing(
        given.decide(facts, now)
    )


@for_any(histories(), st.data())
def test_the_same_rules_under_other_names_change_nothing(facts: Sequence[Fact], data: Any) -> None:
    """Whatever the days on which identical versions begin, the same proposals stand."""
    now = data.draw(instants())
    days = data.draw(
        st.lists(
            st.dates(date(2026, 1, 2), date(2026, 12, 30)), min_size=1, max_size=3, unique=True
        )
    )
    later = [version(f"v{d}", d, open_from=d if data.draw(st.booleans()) else None) for d in days]

    assert standing(given.decide(facts, now, under=under(*later))) == standing(
        given.decide(facts, now)
    )


@for_any(histories(), st.data())
def test_no_version_proposes_what_was_complete_before_it_applied(
    facts: Sequence[Fact], data: Any
) -> None:
    now = data.draw(instants())
    change = data.draw(_DAYS)
    shorter = version("v2", change, silent(data.draw(st.integers(0, 40))), open_from=change)
    both = under(shorter)
    start = both.calendar.start_of(change)

    decision = given.decide(facts, now, under=both)

    order_known = decision.order_id is not None
    for one in raised(decision).values():
        began_before = one.policy_version == "2026.2"
        assert began_before or one.due_at >= start or _notified(facts, one.order_id) >= change
    assert order_known or decision.policy.version in ("2026.2", "v2")


def _notified(facts: Sequence[Fact], order_id: str) -> date:
    days = [
        ref().calendar.local_date(event.notified_at)
        for fact in facts
        if getattr(event := fact.event, "order_id", None) == order_id
        and hasattr(event, "notified_at")
    ]
    return max(days, default=min(ref().calendar.local_date(fact.time) for fact in facts))


def test_a_version_in_force_is_that_of_the_day() -> None:
    policies = Policies([version("b", JUNE), ref().policy, version("a", MAY)])

    assert [policies.on(d).version for d in (date(2025, 1, 1), date(2026, 4, 30), MAY, JUNE)] == [
        "2026.2",
        "2026.2",
        "a",
        "b",
    ]


@pytest.mark.parametrize(
    ("transition", "fault"),
    [
        ('open_cases_from = 2025-12-31\nbecause = "' + _BECAUSE + '"', "before the first day"),
        ('open_cases_from = 2026-05-01\nbecause = "so"', "give a reason"),
        ('open_cases_from = "2026-05-01"\nbecause = "' + _BECAUSE + '"', "without quotes"),
        ("open_cases_from = 2026-05-01", "because"),
        ('open_cases_from = 2026-05-01\nuntil = 3\nbecause = "' + _BECAUSE + '"', "until"),
    ],
)
def test_a_transition_has_a_day_and_a_reason(transition: str, fault: str) -> None:
    with pytest.raises(PolicyError, match=fault):
        load_policy(ref().policy.body + f"\n[transition]\n{transition}\n")


def test_what_no_longer_holds_by_the_newer_version_says_so() -> None:
    """The order's term ran out by the older version after the newer one applied: withdrawn."""
    both = under(version("2026.3", MAY, silent(40)))
    facts = [order(), given.interview(1, held_at=at(date(2026, 4, 6)))]
    stood = given.decide(facts, at(date(2026, 5, 7)), under=both)
    assert "silence" in raised(stood)
    known = (
        Announced()
        .after(stood)
        ._replace(moves=(Move(both.policy.digest, at(date(2026, 5, 4), 8)),))
    )

    after = given.decide(facts, at(date(2026, 5, 8)), known, under=both)

    withdrawn = [one for one in outcomes(after) if isinstance(one, EscalationWithdrawn)]
    assert [(one.rule_id, one.reason) for one in withdrawn] == [
        ("silence", WithdrawalReason.POLICY_CHANGED)
    ]
    assert withdrawn[0].because == ("not complete before 2026.3 applied",)
