"""Find the one fact that would end a proposal: the first of the trials with which it is not made.

A proposal is not made once a condition of its rule fails, a term of it runs again, a guard blocks
it, or an answer settles it. For nearly every trial that follows from what the rule reads and what
the fact changes, so no case is derived a second time: the worker asks this for each escalation that
it raises. Where it does not follow, the situation is derived with the fact.

Whether another proposal takes the place of this one does not count: the fact that is named ends the
cause of the proposal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, assert_never, final
from uuid import UUID

from schemas.codes import Guard
from schemas.events import AnswererRole, Conclusion
from streams.domain.case import Case, Fact
from streams.domain.clocks import duration
from streams.domain.counterfactual import (
    NAME,
    UNDECIDED,
    Answered,
    Begins,
    Checked,
    Ended,
    EndOf,
    Held,
    Justified,
    Planned,
    Reopened,
    Trial,
    fact_of,
    planned_at,
    trials,
)
from streams.domain.invitations import invitation_due
from streams.domain.judge import Judge, Judgement, Proposal
from streams.domain.policy.rules import OF_INTERVIEWS, OPERATORS, PROCEDURES, Clock, Rule, Value
from streams.domain.procedures import CHECKS, Procedure
from streams.domain.questions import QuestionKind
from streams.domain.situation import InvitationDue, MissedAppointment, MissKind, Situation

_INTERVIEW: Final = f"interview:{NAME}"
_WITHOUT_INTERVIEW: Final = frozenset({Clock.APPOINTMENT, Clock.ACCEPTANCE, Clock.PROSPECT})
"""Clocks of which an interview takes the start away."""


def ending_trial(
    case: Case,
    judge: Judge,
    judgement: Judgement,
    proposal: Proposal,
    escalation_id: UUID,
    round_: int,
    office_id: str,
    judge_having: Callable[[Fact], Judge],
) -> Trial | None:
    """Return the first trial with which a proposal is not made; None if there is none.

    ``round_`` is the round of the escalation that the proposal makes, and ``judge_having`` returns
    what judges the case with one more fact.
    """
    rule = proposal.rule
    if _interview_is_first(case, judge) and judge.policy.ends_with_interview(rule.id):
        return UNDECIDED
    answer = Answered(str(escalation_id), round_, rule.owner)
    effects = _Effects(case, judge, rule, escalation_id)
    for trial in trials(judge, judgement, [answer]):
        ends = effects.end(trial)
        if ends is None:
            having = judge_having(fact_of(trial, judge, office_id))
            ends = not _is_made(having, rule, escalation_id)
        if ends:
            return trial
    return None


def _interview_is_first(case: Case, judge: Judge) -> bool:
    """Return whether an interview is tried first, and what it changes follows: the usual case."""
    situation = judge.situation
    if situation.spans or situation.missed or judge.matches.required or judge.earlier is not None:
        return False
    now, interviews = situation.now, situation.interviews
    return (
        situation.order is not None
        and situation.first_event <= now
        and not (interviews and interviews[-1].event.held_at >= now)
        and judge.policy.counting.interview_restarts_count
        and _INTERVIEW not in case.facts
    )


def _is_made(judge: Judge, rule: Rule, escalation_id: UUID) -> bool:
    """Return whether a rule holds under any version that applies, and no answer settles it."""
    if judge.situation.settlement(rule.owner, escalation_id) is not None:
        return False
    one: Judge | None = judge
    while one is not None:
        of_version = one.policy.rule(rule.id)
        if of_version is not None and not one.reasons_against(of_version):
            return True
        one = one.earlier
    return False


@final
class _Effects:
    """What each trial changes of the things that a rule depends on. The rule holds without it.

    Each answer is True if the proposal ends, False if it does not, and None if that does not follow
    from the situation alone. The facts that a rule may test and that no trial below mentions are
    those of the order, which no trial changes.
    """

    def __init__(self, case: Case, judge: Judge, rule: Rule, escalation_id: UUID) -> None:
        self._known: Final[Mapping[str, Fact]] = case.facts
        self._judge: Final[Judge] = judge
        self._situation: Final[Situation] = judge.situation
        self._rule: Final[Rule] = rule
        self._escalation_id: Final[UUID] = escalation_id
        # Of several versions, another one may propose what this one no longer does.
        self._follows: Final[bool] = (
            judge.earlier is None and judge.situation.first_event <= judge.situation.now
        )

    def end(self, trial: Trial) -> bool | None:
        """Return whether a trial ends the proposal; None if the case has to be asked."""
        if not self._follows:
            return None
        if type(trial) is Held:
            return self._by_interview(trial.conclusion)
        if type(trial) is Justified:
            return self._by_justification(trial.miss)
        if type(trial) is Planned:
            return self._by_appointment()
        if type(trial) is Begins:
            return self._by_begin(trial.guard)
        if type(trial) is Answered:
            return self._by_answer(trial)
        if type(trial) is Checked:
            return self._by_check(trial.guard)
        if type(trial) is EndOf:
            return self._by_end_of(trial.procedure)
        if type(trial) is Ended or type(trial) is Reopened:
            return None
        assert_never(trial)

    def _fails(self, changed: Mapping[str, Value]) -> bool:
        """Return whether a condition of the rule fails with changed facts."""
        for condition in self._rule.when:
            name = condition.fact
            if name in changed:
                holds = OPERATORS[condition.operator](changed[name], condition.operand)
                if not holds:
                    return True
        return False

    def _by_interview(self, conclusion: Conclusion) -> bool | None:
        """An interview begins the count of misses anew, and says what the last one said."""
        situation, rule, judge = self._situation, self._rule, self._judge
        now, interviews = situation.now, situation.interviews
        if _INTERVIEW in self._known or (interviews and interviews[-1].event.held_at >= now):
            return None
        if not judge.policy.counting.interview_restarts_count:
            return None
        if conclusion is Conclusion.UNDECIDED and judge.policy.ends_with_interview(rule.id):
            return True
        if not rule.day_clocks.isdisjoint(OF_INTERVIEWS):
            return True
        accepted = conclusion is Conclusion.VOLUNTARY_RETURN_ACCEPTED
        prospect = conclusion is Conclusion.RESIDENCE_PROSPECT
        if accepted and Guard.VOLUNTARY_RETURN_IN_PROGRESS not in rule.waives:
            return True
        if prospect and Guard.NEW_RESIDENCE_PROCEDURE not in rule.waives:
            return True
        changed: dict[str, Value] = {
            "counted_misses": 0,
            "last_miss": None,
            "interviews_held": len(interviews) + 1,
            "last_conclusion": conclusion,
            "appointment_ever": True,
            "appointment_open": situation.appointments.ahead is not None,
            "unreported_appointment": False,
            "invitation_due": InvitationDue.NONE,
            "return_accepted": accepted,
            "review_decision": None,
        }
        if not prospect:
            changed["prospect_open"] = False
        if self._fails(changed):
            return True
        if prospect and "prospect_open" in rule.reads:
            return None
        return None if not rule.clocks.isdisjoint(_WITHOUT_INTERVIEW) else False

    def _by_justification(self, miss: MissedAppointment) -> bool | None:
        """An absence that is justified does not count; it calls for another invitation."""
        situation, rule = self._situation, self._rule
        for answer in situation.decisions.values():
            if answer.event.decision is not None:  # it may be about another absence then
                return None
        if self._replaces(miss.fact):
            return None
        if Clock.LAST_REPORT in rule.day_clocks:
            return True
        changed: dict[str, Value] = {}
        if miss.kind is MissKind.COUNTED:
            changed["counted_misses"] = len(situation.counted) - 1
        if miss is situation.missed[-1]:
            changed["last_miss"] = MissKind.JUSTIFIED
            order, order_fact = situation.order, situation.order_fact
            if "invitation_due" in rule.reads and order is not None and order_fact is not None:
                justified = MissedAppointment(miss.fact, miss.event, MissKind.JUSTIFIED)
                changed["invitation_due"], _ = invitation_due(
                    order,
                    order_fact,
                    situation.resumed,
                    [*situation.missed[:-1], justified],
                    situation.interviews,
                    situation.appointments,
                    situation.now,
                )
        return self._fails(changed)

    def _by_appointment(self) -> bool | None:
        """An appointment ahead is the next step, and answers what calls for an invitation."""
        situation, rule, judge = self._situation, self._rule, self._judge
        limit = situation.now + duration(judge.policy.terms.appointment_days)
        if f"appointment:{NAME}" in self._known or planned_at(judge) > limit:
            return None
        if Clock.LAST_REPORT in rule.day_clocks or Clock.LAST_STEP in rule.clocks:
            return True
        changed: dict[str, Value] = {"appointment_ever": True, "appointment_open": True}
        if situation.appointments.too_far is None:
            changed["invitation_due"] = InvitationDue.NONE
        if self._fails(changed):
            return True
        return None if len(changed) < 3 and "invitation_due" in rule.reads else False

    def _by_begin(self, guard: Guard) -> bool | None:
        """A circumstance that begins blocks what does not waive it, and pauses."""
        situation, rule, judge = self._situation, self._rule, self._judge
        counting = judge.policy.counting
        if self._happened_now() or f"circumstance:{guard}:{NAME}:begins" in self._known:
            return None
        if guard not in rule.waives or Clock.LAST_REPORT in rule.day_clocks:
            return True
        if counting.longest_days.get(guard, 1) < 1:
            return None
        if guard in PROCEDURES and self._fails({"prospect_open": False}):
            return True
        resumes = "invitation_due" in rule.reads and situation.resumed is not None
        return None if resumes else False

    def _by_answer(self, answer: Answered) -> bool | None:
        """An answer settles the proposal, unless one to a later round is known."""
        situation = self._situation
        official = answer.role is AnswererRole.OFFICIAL
        answers = situation.decisions if official else situation.settlements
        known = answers.get(self._escalation_id)
        if known is None:
            return None if f"answer:{answer.escalation_id}:{answer.round}" in self._known else True
        return True if known.event.round < answer.round else None

    def _by_check(self, guard: Guard) -> bool | None:
        """A check that is reported clear blocks nothing."""
        if guard not in CHECKS or guard in self._judge.policy.counting.decided:
            return None
        if f"circumstance:{guard}:{NAME}:ends" in self._known:
            return None
        return Clock.LAST_REPORT in self._rule.day_clocks

    def _by_end_of(self, procedure: Procedure) -> bool | None:
        """The end of a circumstance settles the question about it, and lets its pause end."""
        situation, rule = self._situation, self._rule
        guard, begins, now = procedure.guard, procedure.begins, situation.now
        if procedure.contradictory or (begins is not None and begins > now):
            return None
        if self._happened_now() or self._replaces(procedure.facts[-1]):
            return None
        if Clock.LAST_REPORT in rule.day_clocks:
            return True
        aged = situation.question
        if "open_question" in rule.reads and aged is not None and aged.procedure is procedure:
            kinds = (QuestionKind.AGED, QuestionKind.CONTRADICTORY)
            return None if self._other_question(procedure, kinds) else True
        missing = situation.decision_missing
        if missing is not None and missing.procedure is procedure:
            others = self._other_question(procedure, (QuestionKind.DECISION,))
            if "decision_missing" in rule.reads:
                return None if others else self._fails({"decision_missing": False})
        if "prospect_open" in rule.reads and guard in PROCEDURES:
            return None
        resumes = "invitation_due" in rule.reads or Clock.LAST_STEP in rule.clocks
        return None if resumes and guard in self._judge.policy.counting.pausing else False

    def _other_question(self, procedure: Procedure, kinds: tuple[QuestionKind, ...]) -> bool:
        for question in self._situation.questions:
            if (
                question.kind in kinds
                and question.procedure is not procedure
                and not self._situation.moment.is_before(question.due)
            ):
                return True
        return False

    def _replaces(self, known: Fact) -> bool:
        """Return whether another version of a fact changes what the rule knows of reports."""
        situation = self._situation
        if known is situation.first_event_fact:
            return True
        return Clock.LAST_REPORT in self._rule.clocks and known.time >= situation.now

    def _happened_now(self) -> bool:
        """Return whether a miss or an interview is of the very instant at which a pause changes."""
        situation = self._situation
        missed, interviews, now = situation.missed, situation.interviews, situation.now
        return bool(missed and missed[-1].event.scheduled_at >= now) or bool(
            interviews and interviews[-1].event.held_at >= now
        )
