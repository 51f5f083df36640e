"""A replay raises what a decision at every instant would have raised, and no other."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given as forall
from hypothesis import settings
from hypothesis import strategies as st

from schemas.codes import Guard
from streams.domain.case import Fact
from streams.domain.directory.load import load_directory
from streams.domain.draft import Tried
from streams.domain.letters import OpenLetters
from streams.domain.policy.load import load_policy
from streams.domain.policy.rules import Policy
from streams.domain.policy.versions import Move, Policies
from streams.domain.replay import History, Recorded, Trial, replay
from streams.domain.tables import Directories, Tables
from tests.domain import given
from tests.domain.histories import histories, instants
from tests.domain.slow_replay import shown, slow_replay

TABLES = given.ref().tables
UNTIL = datetime(2026, 8, 3, 9, 30, tzinfo=UTC)
LETTERS = st.none() | st.sampled_from([None, frozenset({Guard.EXTENSION_GRANTED})]).map(
    lambda guards: OpenLetters(1, given.NOTIFIED, guards)
)


def edited(*edits: tuple[str, str]) -> Policy:
    text = given.ref().policy.body
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new, 1)
    return load_policy(text)


def _without(rule_id: str) -> Policy:
    rules = tuple(rule for rule in given.ref().policy.rules if rule.id != rule_id)
    return replace(given.ref().policy, rules=rules, digest="0" * 64)


DRAFTS: dict[str, Policy] = {
    "the same": given.ref().policy,
    "only a comment": load_policy(given.ref().policy.body + "\n# a comment\n"),
    "a shorter term of a rule": edited(
        ('clock = "notified", working_days = 3', 'clock = "notified", working_days = 1')
    ),
    "a rule less": _without("reinvite-after-first-miss"),
    "answers later": edited(("answer_working_days = 5 ", "answer_working_days = 7 ")),
    "a shorter block": edited(("return_working_days = 40", "return_working_days = 5")),
    "nearer appointments": edited(("appointment_days = 45", "appointment_days = 10")),
    "nobody begins anew": edited(
        ("interview_restarts_count = true", "interview_restarts_count = false")
    ),
    "nothing pauses": replace(
        given.ref().policy,
        counting=replace(given.ref().policy.counting, pausing=frozenset()),
        digest="1" * 64,
    ),
}


def under(draft: Policy) -> Trial:
    tried = Tried(TABLES, date(2026, 6, 1), draft)
    return Trial(tried.before, tried.after, tried.replaced)


def recorded(facts: list[Fact], at: list[datetime]) -> tuple[Recorded, ...]:
    batches: dict[datetime, list[Fact]] = defaultdict(list)
    for fact, instant in zip(facts, at, strict=False):
        batches[instant].append(fact)
    return tuple(Recorded(instant, batches[instant]) for instant in sorted(batches))


@st.composite
def recordings(draw: st.DrawFn) -> History:
    """Return facts that became known at any time, and dead letters that were open meanwhile."""
    facts = draw(histories())
    at = [draw(instants()) for _ in facts]
    opened = st.tuples(instants() | st.sampled_from(at or [given.NOTIFIED]), LETTERS)
    letters = draw(st.lists(opened, max_size=3, unique_by=lambda one: one[0]))
    letters.sort(key=lambda one: one[0])
    return History(given.CASE_ID, recorded(facts, at), letters)


@settings(max_examples=60)
@forall(recordings(), st.sampled_from(sorted(DRAFTS)))
def test_a_replay_raises_what_a_decision_at_every_instant_raises(
    history: History, name: str
) -> None:
    trial = under(DRAFTS[name])
    before, after = trial.compare(history, UNTIL)

    assert shown(before) == slow_replay(history, trial.before, UNTIL)
    assert shown(after) == slow_replay(history, trial.after, UNTIL)


@forall(recordings(), st.sampled_from(["the same", "only a comment"]))
def test_a_policy_that_says_the_same_changes_nothing(history: History, name: str) -> None:
    before, after = under(DRAFTS[name]).compare(history, UNTIL)

    assert after is before
    assert shown(replay(history, TABLES, UNTIL)) == shown(before)


@settings(max_examples=40)
@forall(recordings(), instants(), st.sampled_from(sorted(DRAFTS)))
def test_a_move_to_the_version_that_a_draft_replaces_is_one_to_the_draft(
    history: History, at: datetime, name: str
) -> None:
    newer = replace(
        edited(("residence_prospect_working_days = 40", "residence_prospect_working_days = 20")),
        valid_from=date(2026, 5, 1),
        version="newer",
    )
    two = Tables(Policies([given.ref().policy, newer]), TABLES.directories, TABLES.calendar)
    tried = Tried(two, date(2026, 6, 1), replace(DRAFTS[name], version="draft"))
    trial = Trial(tried.before, tried.after, tried.replaced)
    before, after = trial.compare(history._replace(moves=(Move(newer.digest, at),)), UNTIL)

    draft = DRAFTS[name].digest
    moved = history._replace(moves=(Move(draft, at),))
    assert shown(after) == slow_replay(moved, tried.after, UNTIL)
    moved = history._replace(moves=(Move(newer.digest, at),))
    assert shown(before) == slow_replay(moved, tried.before, UNTIL)


@settings(max_examples=40)
@forall(recordings())
def test_a_draft_of_the_directory_moves_what_it_routes_otherwise(history: History) -> None:
    closed = given.ref().directory.body.replace(
        '\nid = "gent"', '\nid = "gent"\nvalid_to = 2026-04-01'
    )
    own = 'province = "BE-VOV"\noffice_id = "gent"'
    draft = load_directory(closed.replace(own, own.replace("gent", "antwerpen")))
    tried = Tried(TABLES, date(2026, 6, 1), directory=draft)
    trial = Trial(tried.before, tried.after, tried.replaced)
    before, after = trial.compare(history, UNTIL)

    assert shown(before) == slow_replay(history, tried.before, UNTIL)
    assert shown(after) == slow_replay(history, tried.after, UNTIL)


def test_an_unanswered_proposal_is_renewed_on_the_day_and_by_its_own_rule() -> None:
    history = History(given.CASE_ID, recorded([given.order()], [given.day(0).astimezone(UTC)]))
    rounds = shown(replay(history, TABLES, given.day(30).astimezone(UTC)))

    assert rounds == slow_replay(history, TABLES, given.day(30).astimezone(UTC))
    assert max(number for _, number in rounds) > 2


def test_a_dead_letter_holds_back_nothing_before_it_was_opened() -> None:
    begins, later = given.day(0).astimezone(UTC), given.day(20).astimezone(UTC)
    facts = [given.order(), given.planned(given.day(30))]
    history = History(
        given.CASE_ID, recorded(facts, [begins, later]), [(later, given.letters()), (UNTIL, None)]
    )
    rounds = shown(replay(history, TABLES, UNTIL))

    assert rounds == slow_replay(history, TABLES, UNTIL)
    assert min(one.raised_at for one in rounds.values()) < later
    assert any(one.ended_at == later for one in rounds.values())


@pytest.mark.parametrize("as_dated", [False, True])
def test_a_draft_stands_for_the_version_in_force_unless_its_own_day_holds(as_dated: bool) -> None:
    draft: Any = replace(DRAFTS["a rule less"], valid_from=date(2027, 1, 1))
    tried = Tried(TABLES, date(2026, 6, 1), draft, as_dated=as_dated)

    versions = [(one.digest, one.valid_from) for one in tried.after.policies.versions]
    own = (given.ref().policy.digest, given.ref().policy.valid_from)
    if as_dated:
        assert versions == [own, (draft.digest, date(2027, 1, 1))]
        assert tried.replaced == {}
    else:
        assert versions == [(draft.digest, own[1])]
        assert tried.replaced == {own[0]: draft.digest}


def test_of_equally_proper_offices_a_case_goes_to_the_one_that_it_was_announced_to() -> None:
    own = 'province = "BE-VOV"\noffice_id = "gent"'
    both = 'province = "BE-VOV"\noffice_ids = ["gent", "antwerpen"]'
    directory = load_directory(given.ref().directory.body.replace(own, both))
    tables = Tables(TABLES.policies, Directories([directory]), TABLES.calendar)
    at = given.day(0).astimezone(UTC)
    for office in ("gent", "antwerpen"):
        teams = frozenset({(office, "individual")})
        history = History(given.CASE_ID, recorded([given.order()], [at]), teams=teams)
        found = replay(history, tables, at + timedelta(days=20))
        assert {one.escalation.office_id for one in found.rounds} == {office}
