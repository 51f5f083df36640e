"""A decision announces the difference between what should stand and what was announced."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from uuid import uuid5

import pytest
from hypothesis import given as forall
from hypothesis import strategies as st

from schemas.codes import Guard, Language
from schemas.events import (
    CircumstanceOutcome,
    Conclusion,
    Delivery,
    EndReason,
    FollowUpState,
    Lodging,
    Review,
    ReviewDecision,
)
from schemas.outcomes import (
    ORDER_NOT_KNOWN,
    CaseEnded,
    CaseReopened,
    CaseRouted,
    EscalationRaised,
    EscalationWithdrawn,
    WithdrawalReason,
    body,
)
from streams.domain.case import Case, Fact, fold
from streams.domain.decision import Announced, Decision
from streams.domain.directory.load import load_directory
from streams.domain.identity import NAMESPACE
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


def with_closing_office() -> Reference:
    """Return reference data in which Ghent closes on 1 April 2026 and Aalst opens on 15 May."""
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


REFERENCES = st.sampled_from([ref(), with_closing_office()])


@forall(histories(), instants(300), REFERENCES)
def test_a_second_decision_announces_nothing_new(
    facts: list[Fact], now: datetime, under: Reference
) -> None:
    first = decide(facts, now, under=under)
    again = decide(facts, now, applied(Announced(), first), under)
    assert again.messages == ()
    assert (again.level, again.status, again.route) == (first.level, first.status, first.route)


@forall(histories(), st.lists(instants(300), min_size=2, max_size=5), REFERENCES)
def test_the_same_escalations_stand_whatever_was_decided_in_between(
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
    at_once = applied(Announced(), decide(facts, max(instants_), under=under))
    assert {s.escalation_id for s in announced.standing} == {
        s.escalation_id for s in at_once.standing
    }


def _without_times(decision: Decision) -> object:
    """Return the content of a decision without the instant at which it was taken.

    The route of a case that has ended does not matter any more.
    """
    route = decision.route if decision.status != "ended" else None
    return (
        {m.outcome.escalation_id for m in decision.messages if hasattr(m.outcome, "escalation_id")},
        [(b.rule.id, [(g, r.state) for g, r in b.by]) for b in decision.blocked],
        decision.status,
        route and (route.office_id, route.track, route.language, route.rule_id, route.reason),
    )


@forall(histories(), instants(200), st.lists(instants(400), max_size=8), REFERENCES)
def test_no_decision_changes_before_the_next_check(
    facts: list[Fact], now: datetime, others: list[datetime], under: Reference
) -> None:
    decision = decide(facts, now, under=under)
    check = decision.next_check
    if check is not None:
        assert check > now
        others = [*others, check - MOMENT]
        after = decide(facts, check, under=under).next_check
        assert after is None or after > check
    counts_from_now = decision.next_reason.startswith(("longest_pause", "reminder", "dead_letter"))
    for instant in others:
        if now < instant and (check is None or instant < check):
            then = decide(facts, instant, under=under)
            assert _without_times(then) == _without_times(decision)
            assert counts_from_now or then.next_check == check


@forall(histories(), instants(300), st.integers(0, 1))
def test_every_case_that_has_not_ended_has_a_next_date_a_reason_and_an_owner(
    facts: list[Fact], now: datetime, dead_letters: int
) -> None:
    decision = decide(facts, now, Announced(open_dead_letters=given.letters(dead_letters)))
    if decision.status == "ended":
        assert decision.level == 0
        assert raised(decision) == {}
    else:
        assert decision.next_check is not None
        latest = now + timedelta(days=ref().policy.terms.longest_pause_days)
        assert now < decision.next_check <= latest
        assert decision.next_reason
        assert decision.office_id


@forall(histories(), instants(300), instants(300))
def test_every_announcement_is_a_valid_message(
    facts: list[Fact], now: datetime, later: datetime
) -> None:
    first = decide(facts, now)
    for outcome in (*outcomes(first), *outcomes(decide(facts, later, Announced().after(first)))):
        sent = body(outcome)
        assert type(outcome).read_json(sent) == outcome
        assert sent == outcome.to_json()


@forall(arrivals(), instants(300))
def test_the_order_of_arrival_and_duplicates_change_no_decision(
    history: tuple[list[Fact], list[Fact]], now: datetime
) -> None:
    facts, shuffled = history
    one, other = decide(facts, now), decide(shuffled, now)
    assert [message.outcome for message in one.messages] == [m.outcome for m in other.messages]
    assert one._replace(route=None) == other._replace(route=None)


@pytest.mark.parametrize("ends", [False, True])
def test_a_case_is_checked_again_when_a_guard_changes(ends: bool) -> None:
    begins = circumstance(Guard.EXTENSION_GRANTED, effective_at=day(4))
    change = circumstance(Guard.EXTENSION_GRANTED, ends=ends, effective_at=day(7))
    facts = [order(), miss(1), *([begins] if ends else []), change]
    early = decide(facts, day(5))
    assert bool(early.blocked) is ends
    assert early.next_check == day(7)
    assert bool(decide(facts, day(7)).blocked) is not ends


def test_a_case_is_checked_again_when_a_blocking_term_ends() -> None:
    facts = [order(departure_term_days=0), miss(1), miss(2), miss(3)]
    waiting = decide(facts, day(18))
    assert [blocked.rule.id for blocked in waiting.blocked] == ["review-after-third-miss"]
    assert waiting.next_check is not None
    assert waiting.next_check <= TERM_END
    assert decide(facts, TERM_END - MOMENT).next_check == TERM_END


@pytest.mark.parametrize(
    ("conclusion", "guard"),
    [
        (Conclusion.VOLUNTARY_RETURN_ACCEPTED, "voluntary_return_in_progress"),
        (Conclusion.RESIDENCE_PROSPECT, "new_residence_procedure"),
    ],
)
def test_a_case_is_checked_when_a_conclusion_blocks_no_longer_though_it_pauses_nothing(
    conclusion: Conclusion, guard: str
) -> None:
    listed = f'  "{guard}",\n'
    pausing, other = ref().policy.body.split("pausing = [", 1)[0], ref().policy.body
    at = other.index(listed, len(pausing))
    under = replace(ref(), policy=load_policy(other[:at] + other[at + len(listed) :]))
    facts = [order(), interview(conclusion=conclusion)]
    held = given.derive(facts, day(6))
    until = held.acceptance or held.prospect
    assert until is not None
    now, checks = day(6), list[datetime]()
    while now < until.until:
        check = decide(facts, now, under=under).next_check
        assert check is not None
        checks.append(now := check)

    assert until.until in checks


def test_the_first_decision_routes_the_case_and_raises_an_escalation() -> None:
    decision = decide([order(), miss(1)], day(5))
    kinds = [type(outcome) for outcome in outcomes(decision)]
    assert kinds == [CaseRouted, EscalationRaised]
    assert (decision.status, decision.level) == ("escalated", 1)


@pytest.mark.parametrize(
    ("facts", "dead_letters", "status"),
    [
        ([], 0, "awaiting_order"),
        ([], 1, "needs_repair"),
        ([order(first_appointment=given.appointment(day(9)))], 0, "followed"),
        ([order()], 0, "escalated"),  # no date for a first interview
        ([order()], 1, "needs_repair"),
        ([order(), miss(1), circumstance(Guard.IDENTITY_DOUBT, effective_at=day(4))], 0, "on_hold"),
        ([order(), miss(1)], 0, "escalated"),
    ],
)
def test_the_status_of_a_case_follows_from_its_facts_and_dead_letters(
    facts: list[Fact], dead_letters: int, status: str
) -> None:
    assert (
        decide(facts, day(5), Announced(open_dead_letters=given.letters(dead_letters))).status
        == status
    )


def test_an_escalation_id_is_derived_from_case_rule_and_occasion() -> None:
    escalation = raised(decide([order(), miss(1)], day(5)))["reinvite-after-first-miss"]
    cause = f"{CASE_ID}|reinvite-after-first-miss|order-1/miss/appointment-1"
    assert escalation.escalation_id == str(uuid5(NAMESPACE, cause))


def test_message_ids_are_derived_from_the_content_of_the_message() -> None:
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
    announced = announced._replace(open_dead_letters=given.letters(dead_letters))
    decision = decide(after, later or now, announced, under)
    assert applied(announced, decision).standing != announced.standing
    return withdrawn(decision)


def test_an_escalation_is_withdrawn_when_a_higher_rule_supersedes_it() -> None:
    facts = [order(), miss(1)]
    escalation = _withdrawals(facts, [*facts, miss(2)], day(12))
    [withdrawal] = escalation.values()
    assert (withdrawal.rule_id, withdrawal.reason) == (
        "reinvite-after-first-miss",
        WithdrawalReason.SUPERSEDED,
    )
    assert withdrawal.because == ("by outreach-after-second-miss",)


def test_an_escalation_is_withdrawn_when_a_guard_blocks_it() -> None:
    facts = [order(), miss(1)]
    guard = circumstance(Guard.ASYLUM_REQUEST_PENDING, effective_at=day(6))
    withdrawal = _withdrawals(facts, [*facts, guard], day(7))["reinvite-after-first-miss"]
    assert withdrawal.reason is WithdrawalReason.GUARD
    assert withdrawal.because[0].startswith(
        "guard asylum_request_pending is active: procedure-1 since"
    )


def test_an_escalation_is_withdrawn_when_a_dead_letter_is_open() -> None:
    facts = [order(), miss(1)]
    withdrawal = _withdrawals(facts, facts, day(7), dead_letters=2)["reinvite-after-first-miss"]
    assert withdrawal.reason is WithdrawalReason.OPEN_DEAD_LETTER
    assert withdrawal.because == ("2 record(s) of this case could not be applied",)


def test_an_escalation_is_withdrawn_when_its_order_is_superseded() -> None:
    facts = [order(), miss(1)]
    second = order(order_id="order-2", notified_at=day(6))
    withdrawal = _withdrawals(facts, [*facts, second], day(7))["reinvite-after-first-miss"]
    assert withdrawal.reason is WithdrawalReason.ORDER_SUPERSEDED
    assert withdrawal.because == ("by order-2",)


def test_an_escalation_is_withdrawn_when_a_new_policy_is_stricter() -> None:
    stricter = with_policy(
        ("nth = 1\n", "nth = 2\n"),
        ('{ fact = "counted_misses", at_least = 1 }', '{ fact = "counted_misses", at_least = 2 }'),
    )
    facts = [order(), miss(1)]
    withdrawal = _withdrawals(facts, facts, day(7), under=stricter)["reinvite-after-first-miss"]
    assert withdrawal.reason is WithdrawalReason.POLICY_CHANGED
    assert withdrawal.because == ("counted_misses is 1, needs at_least 2",)


def test_an_escalation_is_withdrawn_when_a_new_policy_lacks_its_rule() -> None:
    renamed = with_policy(('id = "reinvite-after-first-miss"', 'id = "reinvite"'))
    facts = [order(), miss(1)]
    withdrawal = _withdrawals(facts, facts, day(7), under=renamed)["reinvite-after-first-miss"]
    assert withdrawal.reason is WithdrawalReason.POLICY_CHANGED
    assert withdrawal.because == ("no such rule in 2026.2",)


def test_an_escalation_is_withdrawn_when_its_conditions_no_longer_hold() -> None:
    facts = [order(), miss(1)]
    justified = miss(1, review=Review.ACCEPTED, time=day(6))
    withdrawal = _withdrawals(facts, [*facts, justified], day(7))["reinvite-after-first-miss"]
    assert withdrawal.reason is WithdrawalReason.NO_LONGER_HOLDS
    assert withdrawal.because == ("counted_misses is 0, needs at_least 1",)


def test_an_escalation_is_withdrawn_when_its_occasion_changes() -> None:
    facts = [order(), miss(1, delivery=Delivery.FAILED)]
    after = [*facts, miss(2, delivery=Delivery.FAILED)]
    announced = applied(Announced(), decide(facts, day(5)))
    decision = decide(after, day(12), announced)
    withdrawal = withdrawn(decision)["check-delivery"]
    assert withdrawal.reason is WithdrawalReason.NO_LONGER_HOLDS
    assert withdrawal.because == ("it stands on another occasion now",)
    assert raised(decision)["check-delivery"].occasion == "order-1/miss/appointment-2"


def test_an_escalation_is_withdrawn_when_no_order_is_known() -> None:
    """No event withdraws an order, so this happens only if the log lost one."""
    announced = applied(Announced(), decide([order(), miss(1)], day(5)))
    withdrawal = withdrawn(decide([miss(1)], day(5), announced))["reinvite-after-first-miss"]
    assert withdrawal.reason is WithdrawalReason.NO_LONGER_HOLDS


def test_an_escalation_that_stands_again_is_raised_in_the_next_round() -> None:
    refused = interview(conclusion=Conclusion.VOLUNTARY_RETURN_REFUSED)
    facts = [order(), *given.checked(), refused]
    begins = circumstance(Guard.NEW_RESIDENCE_PROCEDURE, effective_at=day(40))
    ends = circumstance(
        Guard.NEW_RESIDENCE_PROCEDURE,
        ends=True,
        effective_at=day(50),
        outcome=CircumstanceOutcome.REFUSED,
    )
    invited = given.planned(day(50, 12), time=day(50))
    announced = Announced()
    seen: list[tuple[str, int, str]] = []
    for known, now in [
        (facts, TERM_END),
        ([*facts, begins], day(41)),
        ([*facts, begins, ends, invited], day(51)),
    ]:
        decision = decide(known, now, announced)
        announced = applied(announced, decision)
        seen += [
            (outcome.kind, outcome.round, outcome.escalation_id)
            for outcome in outcomes(decision)
            if isinstance(outcome, EscalationRaised | EscalationWithdrawn)
            and outcome.rule_id == "review-after-refusal"
        ]
    assert [(kind, number) for kind, number, _ in seen] == [
        ("raised", 1),
        ("withdrawn", 1),
        ("raised", 2),
    ]
    assert all(one[2] == other[2] for one, other in pairwise(seen))


def test_a_circumstance_in_the_future_does_not_change_when_an_escalation_was_due() -> None:
    """A future begin and end do not affect when the cause was complete."""
    planned = [
        circumstance(Guard.EXTENSION_GRANTED, effective_at=day(90)),
        circumstance(Guard.EXTENSION_GRANTED, ends=True, effective_at=day(120)),
    ]
    facts = [order(), miss(1), miss(2), miss(3)]
    escalation, unplanned = raised(decide([*facts, *planned], LATER)), raised(decide(facts, LATER))
    assert {name: e.due_at for name, e in escalation.items()} == {
        name: e.due_at for name, e in unplanned.items()
    }


@forall(histories(), instants(300))
def test_an_escalation_is_never_due_after_it_is_detected(facts: list[Fact], now: datetime) -> None:
    known = [fact for fact in facts if fact.time <= now]
    for escalation in raised(decide(known, now)).values():
        assert escalation.due_at <= escalation.detected_at


def test_a_case_is_rerouted_when_its_office_closes_and_when_another_opens() -> None:
    facts, announced = [order()], Announced()
    seen = []
    for now in (day(1), day(40), day(80)):
        decision = decide(facts, now, announced, with_closing_office())
        announced = applied(announced, decision)
        escalation = routed(decision)
        assert escalation is not None
        seen.append(
            (
                escalation.office_id,
                escalation.track,
                escalation.previous and escalation.previous.office_id,
            )
        )
    assert seen == [
        ("gent", "individual", None),
        ("bruxelles", "triage", "gent"),
        ("aalst", "individual", "bruxelles"),
    ]


def test_the_closing_of_an_office_gives_an_ended_case_no_next_date() -> None:
    facts, now = [order(), given.ended(day(14))], day(15)
    decision = decide(facts, now, under=with_closing_office())
    assert decision.route is not None
    assert decision.route.until is not None
    assert (decision.next_check, decision.next_reason) == (None, "")


def test_a_corrected_address_reroutes_the_case_and_names_the_previous_route() -> None:
    facts = [order()]
    announced = applied(Announced(), decide(facts, day(1)))
    moved = order(residence_postcode="2000", time=day(2))
    escalation = routed(decide([*facts, moved], day(3), announced))
    assert escalation is not None
    assert (escalation.office_id, escalation.reason) == ("antwerpen", "residence 2000 in BE-VAN")
    assert escalation.previous == announced.route
    assert announced.route is not None
    assert announced.route.office_id == "gent"


def test_a_correction_that_does_not_change_the_route_is_not_announced() -> None:
    announced = applied(Announced(), decide([order()], day(1)))
    moved = order(residence_postcode="9300", time=day(2))
    assert decide([order(), moved], day(3), announced).messages == ()


def test_a_case_with_an_open_dead_letter_is_still_routed() -> None:
    decision = decide([order(), miss(1)], day(5), Announced(open_dead_letters=given.letters()))
    assert routed(decision) is not None
    assert raised(decision) == {}


def test_the_case_of_a_detained_person_is_routed_and_never_escalated() -> None:
    facts = [order(lodging=Lodging.DETAINED), miss(1), miss(2), miss(3)]
    decision = decide(facts, LATER)
    assert [o.office_id for o in outcomes(decision) if isinstance(o, CaseRouted)] == [
        "detention-queue"
    ]
    assert raised(decision) == {}
    assert case(*facts).facts


def test_a_corrected_language_is_announced_even_if_the_office_stays_the_same() -> None:
    first = given.decide([given.order(residence_postcode="1000")], given.day(1))
    known = given.applied(Announced(), first)

    corrected = given.order(
        residence_postcode="1000", language=Language.FR, time=given.day(1, hour=10)
    )
    again = given.routed(given.decide([corrected], given.day(2), known))

    assert again is not None
    assert again.previous is not None
    assert (again.previous.language, again.language) == (Language.NL, Language.FR)
    assert again.office_id == again.previous.office_id


def test_a_standing_escalation_is_raised_again_at_the_new_office() -> None:
    facts = [given.order(), given.miss(1)]
    known = given.applied(Announced(), given.decide(facts, given.day(10)))

    moved = given.order(residence_postcode="4000", time=given.day(9))
    decision = given.decide([*facts, moved], given.day(10), known)

    routed = given.routed(decision)
    assert routed is not None
    assert routed.previous is not None
    assert (routed.previous.office_id, routed.office_id) == ("gent", "liege")
    withdrawal = given.withdrawn(decision)["reinvite-after-first-miss"]
    asked = given.raised(decision)["reinvite-after-first-miss"]
    assert (withdrawal.office_id, withdrawal.reason) == ("gent", WithdrawalReason.REROUTED)
    assert (asked.office_id, asked.round) == ("liege", withdrawal.round + 1)
    assert asked.escalation_id == withdrawal.escalation_id


@forall(arrivals(), instants(300))
def test_the_bytes_of_an_outcome_equal_those_of_its_model(
    history: tuple[list[Fact], list[Fact]], now: datetime
) -> None:
    for outcome in outcomes(decide(history[0], now)):
        assert body(outcome) == outcome.to_json()


@pytest.mark.parametrize(
    ("reason", "at", "status"),
    [
        (EndReason.LEFT_VOLUNTARILY, given.day(12), "ended"),
        (EndReason.LEFT_VOLUNTARILY, given.day(5), "escalated"),  # before the later order
        (EndReason.DECEASED, given.day(5), "ended"),
        (EndReason.ORDER_ANNULLED, given.day(12), "escalated"),
    ],
)
def test_an_end_about_the_person_ends_the_case_whichever_order_it_names(
    reason: EndReason, at: datetime, status: str
) -> None:
    later = given.order(order_id="order-2", notified_at=given.day(10))
    end = given.ended(at, reason, order_id="order-1")

    assert given.decide([given.order(), later, end], given.day(40)).status == status


def test_an_order_still_in_a_backlog_is_not_sought_at_once() -> None:
    """The search begins when the pipeline first decided the case, not at its first event."""
    late = given.day(60)
    known = Announced(known_since=late)

    decision = given.decide([given.miss(1)], late, known)

    assert given.raised(decision) == {}
    assert decision.next_reason == "rule:find-order"
    assert decision.next_check is not None
    assert decision.next_check > late
    due = given.decide([given.miss(1)], decision.next_check, known)
    assert set(given.raised(due)) == {"find-order"}


def test_a_case_that_ends_is_reopened_and_ends_again_announces_each_once() -> None:
    facts, announced = [order()], applied(Announced(), decide([order()], day(0)))
    ids, counts = [], []
    for number, at in enumerate((day(2), day(4), day(6), day(8))):
        state = FollowUpState.ENDED if number % 2 == 0 else FollowUpState.REOPENED
        facts = [*facts, given.ended(at, state=state)]
        decision = decide(facts, at, announced)
        announced = applied(announced, decision)
        ends = (CaseEnded, CaseReopened)
        ids += [m.message_id for m in decision.messages if isinstance(m.outcome, ends)]
        counts.append(decision.endings)
        assert not decide(facts, at, announced).messages

    assert len(set(ids)) == 4
    assert counts == [1, 2, 3, 4]


def test_a_case_is_at_the_level_of_its_highest_proposal() -> None:
    refused = interview(conclusion=Conclusion.VOLUNTARY_RETURN_REFUSED)
    decision = decide([order(), *given.checked(), refused, miss(2), miss(3)], TERM_END)

    assert {e.level for e in raised(decision).values()} == {2, 3}
    assert decision.level == 3


def test_a_case_of_which_only_dead_letters_are_known_has_no_level() -> None:
    decision = decide([], day(1), Announced(open_dead_letters=given.letters()))

    assert (decision.level, decision.status) == (0, "needs_repair")


ASKED_WITHOUT_AN_ORDER = {
    "find-order": ([miss(1)], day(20), "first_event/2026-03-05", [0]),
    "longest-pause": (
        [miss(1), given.answered("find-order", "first_event/2026-03-05", day(9))],
        day(120),
        "last_report/2026-03-11",
        [1],
    ),
    "report-decision": (
        [
            circumstance(Guard.ASYLUM_REQUEST_PENDING, effective_at=day(1)),
            circumstance(Guard.ASYLUM_REQUEST_PENDING, effective_at=day(3), ends=True),
        ],
        day(4),
        "decision/asylum_request_pending/procedure-1",
        [0, 1],
    ),
    "confirm-circumstance": (
        [
            circumstance(Guard.IDENTITY_DOUBT, effective_at=day(3)),
            circumstance(Guard.IDENTITY_DOUBT, effective_at=day(2), time=day(4), ends=True),
        ],
        day(4),
        "circumstance/identity_doubt/procedure-1/2026-03-06",
        [0, 1],
    ),
    "check-dates": (
        [miss(1), interview(1, held_at=day(40), time=day(4))],
        day(5),
        "date/interview_in_future/interview-1",
        [1],
    ),
}


@pytest.mark.parametrize("rule", ASKED_WITHOUT_AN_ORDER)
def test_without_an_order_a_proposal_names_its_occasion_and_its_facts(rule: str) -> None:
    facts, now, occasion, basis = ASKED_WITHOUT_AN_ORDER[rule]
    proposal = raised(decide(facts, now))[rule]

    assert (proposal.occasion, proposal.order_id) == (occasion, ORDER_NOT_KNOWN)
    assert proposal.evidence.event_ids == tuple(str(facts[index].event_id) for index in basis)


@pytest.mark.parametrize(
    (
        "old",
        "new",
        "rule",
        "occasion",
    ),
    [
        (
            '"unreported_appointment", is = true',
            '"unreported_appointment", is = false',
            "report-outcome",
            "order-1/appointment",
        ),
        (
            '"return_accepted", is = true',
            '"return_accepted", is = false',
            "refer-to-return-programme",
            "order-1/acceptance",
        ),
        (
            '"prospect_open", is = true',
            '"prospect_open", is = false',
            "lodge-application",
            "order-1/prospect",
        ),
        (
            '"invitation_due", none_of = ["none"]',
            '"invitation_due", one_of = ["none"]',
            "invite-again",
            "order-1/invite",
        ),
        (
            '"decision_missing", is = true',
            '"decision_missing", is = false',
            "report-decision",
            "order-1/decision",
        ),
        (
            '"order_known", is = false',
            '"order_known", is = true',
            "find-order",
            "first_event/2026-03-02",
        ),
    ],
)
def test_a_rule_that_asks_for_the_absence_of_something_names_an_occasion_too(
    old: str, new: str, rule: str, occasion: str
) -> None:
    under = with_policy((old, new))
    proposal = raised(decide([order(), interview()], day(21), under=under))[rule]

    assert proposal.occasion == occasion
    assert proposal.due_at <= day(21)


HANDED_OVER = given.reviewed(ReviewDecision.HANDED_TO_IMMIGRATION_OFFICE, TERM_END)
ASYLUM = Guard.ASYLUM_REQUEST_PENDING


@pytest.mark.parametrize(
    ("rule", "before", "event", "because"),
    [
        (
            "report-outcome",
            [*given.checked(), miss(1), miss(2), miss(3), given.planned(day(25))],
            HANDED_OVER,
            ("handed to the Immigration Office",),
        ),
        (
            "reinvite-after-first-miss",
            [miss(1)],
            circumstance(
                ASYLUM, ends=True, effective_at=TERM_END, outcome=CircumstanceOutcome.GRANTED
            ),
            ("an end is due: granted",),
        ),
        (
            "give-first-date",
            [],
            order(time=TERM_END, notified_at=TERM_END),
            ("notified + 3 working days: not before 2026-04-09T00:00:00+02:00",),
        ),
        (
            "invite-again",
            [miss(1, review=Review.ACCEPTED)],
            circumstance(Guard.IDENTITY_DOUBT, effective_at=TERM_END),
            (f"guard identity_doubt is active: procedure-1 since {TERM_END.isoformat()}",),
        ),
    ],
)
def test_a_proposal_is_withdrawn_with_what_now_stands_against_it(
    rule: str, before: list[Fact], event: Fact, because: tuple[str, ...]
) -> None:
    facts = [order(), *before]
    earlier = decide(facts, TERM_END - MOMENT)
    assert rule in raised(earlier)
    later = decide([*facts, event], TERM_END, applied(Announced(), earlier))

    assert withdrawn(later)[rule].because == because


def test_nothing_is_ever_proposed_about_a_canary_case() -> None:
    facts = [given.order(), given.miss(1), given.miss(2)]
    of_a_person = given.decided(fold(Case(given.CASE_ID), facts), given.LATER)
    of_the_canary = given.decided(fold(Case("canary-20260302"), facts), given.LATER)

    assert given.raised(of_a_person)
    assert not given.raised(of_the_canary)
    assert of_the_canary.level == 0
    assert given.routed(of_the_canary) is not None, "it is routed, which the canary waits for"
