"""What stands is compared with what was announced, and the difference is announced."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from uuid import uuid5

import pytest
from hypothesis import given as forall
from hypothesis import strategies as st

from schemas.events import Conclusion, Delivery, Lodging, Review
from schemas.outcomes import (
    CaseRouted,
    EscalationRaised,
    EscalationWithdrawn,
    WithdrawalReason,
    body,
)
from schemas.types import Guard, Language
from streams.domain.case import Fact
from streams.domain.decide import NAMESPACE, Announced, Decision
from streams.domain.directory.load import load_directory
from streams.domain.policy.load import load_policy
from streams.reference import Reference
from tests.domain import given
from tests.domain.given import (
    CASE_ID,
    LATER,
    MOMENT,
    TERM_END,
    applied,
    case,
    circumstance,
    day,
    decide,
    interview,
    miss,
    order,
    outcomes,
    raised,
    ref,
    routed,
    withdrawn,
)
from tests.domain.histories import arrivals, histories, instants

_GENT = '\nid = "gent"'
_COVERS = 'province = "BE-VOV"\noffice_id = "gent"'
_AALST = """
[[office]]
id = "aalst"
name = { fr = "Alost", nl = "Aalst", de = "Aalst", en = "Aalst" }
valid_from = 2026-05-15

[[coverage]]
province = "BE-VOV"
office_id = "aalst"
valid_from = 2026-05-15
"""


def moving() -> Reference:
    """Ghent closes on 1 April 2026; Aalst takes over, six weeks later."""
    text = ref().directory.body
    text = text.replace(_GENT, f"{_GENT}\nvalid_to = 2026-04-01")
    text = text.replace(_COVERS, f"{_COVERS}\nvalid_to = 2026-04-01")
    return replace(ref(), directory=load_directory(text + _AALST))


def with_policy(*edits: tuple[str, str]) -> Reference:
    text = ref().policy.body
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    return replace(ref(), policy=load_policy(text))


REFERENCES = st.sampled_from([ref(), moving()])


@forall(histories(), instants(300), REFERENCES)
def test_deciding_again_decides_nothing_new(
    facts: list[Fact], now: datetime, under: Reference
) -> None:
    first = decide(facts, now, under=under)
    again = decide(facts, now, applied(Announced(), first), under)
    assert again.messages == ()
    assert (again.level, again.status, again.route) == (first.level, first.status, first.route)


@forall(histories(), st.lists(instants(300), min_size=2, max_size=5), REFERENCES)
def test_however_it_came_about_the_same_stands(
    facts: list[Fact], instants_: list[datetime], under: Reference
) -> None:
    announced, used = Announced(), dict[str, int]()
    cuts = [len(facts) * step // len(instants_) for step in range(1, len(instants_) + 1)]
    for cut, now in zip(cuts, sorted(instants_), strict=True):
        decision = decide(facts[:cut], now, announced, under)
        for escalation in raised(decision).values():
            assert escalation.round == used.get(escalation.escalation_id, 0) + 1
            used[escalation.escalation_id] = escalation.round
        announced = applied(announced, decision)
    afresh = applied(Announced(), decide(facts, max(instants_), under=under))
    assert {s.escalation_id for s in announced.standing} == {
        s.escalation_id for s in afresh.standing
    }


def _view(decision: Decision) -> object:
    """What a decision says, less the instant at which it was taken."""
    route = decision.route
    return (
        {m.outcome.escalation_id for m in decision.messages if hasattr(m.outcome, "escalation_id")},
        [(b.rule.id, [(g, r.state) for g, r in b.by]) for b in decision.blocked],
        decision.status,
        route and (route.office_id, route.track, route.language, route.rule_id, route.reason),
    )


@forall(histories(), instants(200), st.lists(instants(400), max_size=8), REFERENCES)
def test_nothing_changes_before_the_next_look(
    facts: list[Fact], now: datetime, others: list[datetime], under: Reference
) -> None:
    decision = decide(facts, now, under=under)
    check = decision.next_check
    if check is not None:
        assert check > now
        others = [*others, check - MOMENT]
        after = decide(facts, check, under=under).next_check
        assert after is None or after > check
    for instant in others:
        if now < instant and (check is None or instant < check):
            then = decide(facts, instant, under=under)
            assert _view(then) == _view(decision)
            assert then.next_check == check


@pytest.mark.parametrize("ends", [False, True])
def test_a_guard_that_is_to_change_is_looked_at_then(ends: bool) -> None:
    begins = circumstance(Guard.ASYLUM_REQUEST_PENDING, effective_at=day(4))
    change = circumstance(Guard.ASYLUM_REQUEST_PENDING, ends=ends, effective_at=day(14))
    facts = [order(), miss(1), *([begins] if ends else []), change]
    held_back = decide(facts, day(5))
    assert bool(held_back.blocked) is ends
    assert held_back.next_check == day(14)
    assert bool(decide(facts, day(14)).blocked) is not ends


def test_a_term_that_holds_something_back_is_looked_at_when_it_ends() -> None:
    facts = [order(departure_term_days=0), miss(1), miss(2), miss(3)]
    waiting = decide(facts, day(18))
    assert [held.rule.id for held in waiting.blocked] == ["review-after-third-miss"]
    assert waiting.next_check is not None
    assert waiting.next_check <= TERM_END
    assert decide(facts, TERM_END - MOMENT).next_check == TERM_END


def test_the_first_look_routes_and_raises() -> None:
    decision = decide([order(), miss(1)], day(5))
    kinds = [type(outcome) for outcome in outcomes(decision)]
    assert kinds == [CaseRouted, EscalationRaised]
    assert (decision.status, decision.level) == ("escalated", 1)


@pytest.mark.parametrize(
    ("facts", "dead_letters", "status"),
    [
        ([], 0, "awaiting_order"),
        ([], 1, "needs_repair"),
        ([order()], 0, "followed"),
        ([order()], 1, "needs_repair"),
        ([order(), miss(1), circumstance(Guard.IDENTITY_DOUBT, effective_at=day(4))], 0, "on_hold"),
        ([order(), miss(1)], 0, "escalated"),
    ],
)
def test_a_case_has_a_status(facts: list[Fact], dead_letters: int, status: str) -> None:
    assert decide(facts, day(5), Announced(open_dead_letters=dead_letters)).status == status


def test_an_escalation_is_named_after_case_rule_and_occasion() -> None:
    found = raised(decide([order(), miss(1)], day(5)))["reinvite-after-first-miss"]
    cause = f"{CASE_ID}|reinvite-after-first-miss|order-1/miss/appointment-1"
    assert found.escalation_id == str(uuid5(NAMESPACE, cause))


def test_message_ids_follow_from_what_they_say() -> None:
    decision = decide([order(), miss(1)], day(5))
    escalation = raised(decision)["reinvite-after-first-miss"].escalation_id
    assert [message.message_id for message in decision.messages] == [
        uuid5(NAMESPACE, f"{CASE_ID}|routed|1"),
        uuid5(NAMESPACE, f"{escalation}|raised|1"),
    ]


def _withdrawals(
    before: list[Fact],
    after: list[Fact],
    now: datetime,
    *,
    later: datetime | None = None,
    under: Reference | None = None,
    dead_letters: int = 0,
) -> dict[str, EscalationWithdrawn]:
    announced = applied(Announced(), decide(before, now))
    assert announced.standing
    announced = replace(announced, open_dead_letters=dead_letters)
    decision = decide(after, later or now, announced, under)
    assert applied(announced, decision).standing != announced.standing
    return withdrawn(decision)


def test_withdrawn_because_a_higher_rule_supersedes() -> None:
    facts = [order(), miss(1)]
    found = _withdrawals(facts, [*facts, miss(2)], day(12))
    [gone] = found.values()
    assert (gone.rule_id, gone.reason) == (
        "reinvite-after-first-miss",
        WithdrawalReason.SUPERSEDED,
    )
    assert gone.because == ("by outreach-after-second-miss",)


def test_withdrawn_because_a_guard_stands_in_the_way() -> None:
    facts = [order(), miss(1)]
    guard = circumstance(Guard.ASYLUM_REQUEST_PENDING, effective_at=day(6))
    gone = _withdrawals(facts, [*facts, guard], day(7))["reinvite-after-first-miss"]
    assert gone.reason is WithdrawalReason.GUARD
    assert gone.because[0].startswith("guard asylum_request_pending is active: procedure-1 since")


def test_withdrawn_because_a_record_could_not_be_applied() -> None:
    facts = [order(), miss(1)]
    gone = _withdrawals(facts, facts, day(7), dead_letters=2)["reinvite-after-first-miss"]
    assert gone.reason is WithdrawalReason.OPEN_DEAD_LETTER
    assert gone.because == ("2 record(s) of this case could not be applied",)


def test_withdrawn_because_another_order_took_over() -> None:
    facts = [order(), miss(1)]
    second = order(order_id="order-2", notified_at=day(6))
    gone = _withdrawals(facts, [*facts, second], day(7))["reinvite-after-first-miss"]
    assert gone.reason is WithdrawalReason.ORDER_SUPERSEDED
    assert gone.because == ("by order-2",)


def test_withdrawn_because_the_policy_asks_for_more() -> None:
    stricter = with_policy(
        ("nth = 1\n", "nth = 2\n"),
        ('{ fact = "counted_misses", at_least = 1 }', '{ fact = "counted_misses", at_least = 2 }'),
    )
    facts = [order(), miss(1)]
    gone = _withdrawals(facts, facts, day(7), under=stricter)["reinvite-after-first-miss"]
    assert gone.reason is WithdrawalReason.POLICY_CHANGED
    assert gone.because == ("counted_misses is 1, needs at_least 2",)


def test_withdrawn_because_the_policy_dropped_the_rule() -> None:
    renamed = with_policy(('id = "reinvite-after-first-miss"', 'id = "reinvite"'))
    facts = [order(), miss(1)]
    gone = _withdrawals(facts, facts, day(7), under=renamed)["reinvite-after-first-miss"]
    assert gone.reason is WithdrawalReason.POLICY_CHANGED
    assert gone.because == ("no such rule in 2026.1",)


def test_withdrawn_because_it_no_longer_holds() -> None:
    facts = [order(), miss(1)]
    justified = miss(1, review=Review.ACCEPTED, said=day(6))
    gone = _withdrawals(facts, [*facts, justified], day(7))["reinvite-after-first-miss"]
    assert gone.reason is WithdrawalReason.NO_LONGER_HOLDS
    assert gone.because == ("counted_misses is 0, needs at_least 1",)


def test_withdrawn_because_it_stands_on_another_occasion() -> None:
    facts = [order(), miss(1, delivery=Delivery.FAILED)]
    after = [*facts, miss(2, delivery=Delivery.FAILED)]
    announced = applied(Announced(), decide(facts, day(5)))
    decision = decide(after, day(12), announced)
    gone = withdrawn(decision)["check-delivery"]
    assert gone.reason is WithdrawalReason.NO_LONGER_HOLDS
    assert gone.because == ("it stands on another occasion now",)
    assert raised(decision)["check-delivery"].occasion == "order-1/miss/appointment-2"


def test_nothing_stands_without_an_order() -> None:
    """An order can't be taken back, so this can only be a log that lost one."""
    announced = applied(Announced(), decide([order(), miss(1)], day(5)))
    gone = withdrawn(decide([miss(1)], day(5), announced))["reinvite-after-first-miss"]
    assert gone.reason is WithdrawalReason.NO_LONGER_HOLDS


def test_what_stands_again_stands_in_a_next_round() -> None:
    facts = [order(), interview(conclusion=Conclusion.VOLUNTARY_RETURN_REFUSED)]
    begins = circumstance(Guard.NEW_RESIDENCE_PROCEDURE, effective_at=day(40))
    ends = circumstance(Guard.NEW_RESIDENCE_PROCEDURE, ends=True, effective_at=day(50))
    announced = Announced()
    seen: list[tuple[str, int, str]] = []
    for known, now in [
        (facts, TERM_END),
        ([*facts, begins], day(41)),
        ([*facts, begins, ends], day(51)),
    ]:
        decision = decide(known, now, announced)
        announced = applied(announced, decision)
        seen += [
            (outcome.kind, outcome.round, outcome.escalation_id)
            for outcome in outcomes(decision)
            if not isinstance(outcome, CaseRouted) and outcome.rule_id == "review-after-refusal"
        ]
    assert [(kind, number) for kind, number, _ in seen] == [
        ("raised", 1),
        ("withdrawn", 1),
        ("raised", 2),
    ]
    assert all(one[2] == other[2] for one, other in pairwise(seen))


def test_a_circumstance_planned_ahead_does_not_put_off_what_was_due() -> None:
    """A begin and an end both still to come say nothing of when the cause was complete."""
    planned = [
        circumstance(Guard.EXTENSION_GRANTED, effective_at=day(90)),
        circumstance(Guard.EXTENSION_GRANTED, ends=True, effective_at=day(120)),
    ]
    facts = [order(), miss(1), miss(2), miss(3)]
    found, unplanned = raised(decide([*facts, *planned], LATER)), raised(decide(facts, LATER))
    assert {name: e.due_at for name, e in found.items()} == {
        name: e.due_at for name, e in unplanned.items()
    }


@forall(histories(), instants(300))
def test_the_guards_and_clocks_of_a_cause_are_complete_when_it_is_seen(
    facts: list[Fact], now: datetime
) -> None:
    known = [fact for fact in facts if fact.time <= now]
    for escalation in raised(decide(known, now)).values():
        assert escalation.due_at <= escalation.detected_at


def test_a_case_moves_when_its_office_closes_and_again_when_another_opens() -> None:
    facts, announced = [order()], Announced()
    seen = []
    for now in (day(1), day(40), day(80)):
        decision = decide(facts, now, announced, moving())
        announced = applied(announced, decision)
        found = routed(decision)
        assert found is not None
        seen.append((found.office_id, found.track, found.previous and found.previous.office_id))
    assert seen == [
        ("gent", "individual", None),
        ("bruxelles", "triage", "gent"),
        ("aalst", "individual", "bruxelles"),
    ]


def test_an_address_correction_moves_the_case_and_says_from_where() -> None:
    facts = [order()]
    announced = applied(Announced(), decide(facts, day(1)))
    moved = order(residence_postcode="2000", said=day(2))
    found = routed(decide([*facts, moved], day(3), announced))
    assert found is not None
    assert (found.office_id, found.reason) == ("antwerpen", "residence 2000 in BE-VAN")
    assert found.previous == announced.route
    assert announced.route is not None
    assert announced.route.office_id == "gent"


def test_a_correction_that_leaves_the_office_alone_is_not_announced() -> None:
    announced = applied(Announced(), decide([order()], day(1)))
    moved = order(residence_postcode="9300", said=day(2))
    assert decide([order(), moved], day(3), announced).messages == ()


def test_routing_goes_on_while_a_record_awaits_repair() -> None:
    decision = decide([order(), miss(1)], day(5), Announced(open_dead_letters=1))
    assert routed(decision) is not None
    assert raised(decision) == {}


def test_a_detained_person_is_routed_and_never_escalated() -> None:
    facts = [order(lodging=Lodging.DETAINED), miss(1), miss(2), miss(3)]
    decision = decide(facts, LATER)
    assert [o.office_id for o in outcomes(decision) if isinstance(o, CaseRouted)] == [
        "detention-queue"
    ]
    assert raised(decision) == {}
    assert case(*facts).facts


def test_a_correction_of_the_language_is_announced_though_the_office_stays() -> None:
    first = given.decide([given.order(residence_postcode="1000")], given.day(1))
    known = given.applied(Announced(), first)

    corrected = given.order(
        residence_postcode="1000", language=Language.FR, said=given.day(1, hour=10)
    )
    again = given.routed(given.decide([corrected], given.day(2), known))

    assert again is not None
    assert again.previous is not None
    assert (again.previous.language, again.language) == (Language.NL, Language.FR)
    assert again.office_id == again.previous.office_id


def test_what_stands_follows_the_case_to_its_new_office() -> None:
    facts = [given.order(), given.miss(1)]
    known = given.applied(Announced(), given.decide(facts, given.day(10)))

    moved = given.order(residence_postcode="4000", said=given.day(9))
    decision = given.decide([*facts, moved], given.day(10), known)

    routed = given.routed(decision)
    assert routed is not None
    assert routed.previous is not None
    assert (routed.previous.office_id, routed.office_id) == ("gent", "liege")
    gone = given.withdrawn(decision)["reinvite-after-first-miss"]
    asked = given.raised(decision)["reinvite-after-first-miss"]
    assert (gone.office_id, gone.reason) == ("gent", WithdrawalReason.REROUTED)
    assert (asked.office_id, asked.round) == ("liege", gone.round + 1)
    assert asked.escalation_id == gone.escalation_id


@forall(arrivals(), instants(300))
def test_what_is_announced_has_the_bytes_that_its_model_would_write(
    told: tuple[list[Fact], list[Fact]], now: datetime
) -> None:
    for outcome in outcomes(decide(told[0], now)):
        assert body(outcome) == outcome.model_dump_json().encode()
