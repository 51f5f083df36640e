"""Explain an escalation to the person concerned, their counsel and the official who decides."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from schemas.outcomes import EscalationRaised, GuardCheck, GuardState
from streams.domain.clocks import Calendar
from streams.domain.directory.model import Directory
from streams.domain.policy.rules import Policy

Words = Mapping[str, Any]


def explain(
    raised: EscalationRaised,
    policy: Policy,
    directory: Directory,
    calendar: Calendar,
    words: Words,
    language: str,
) -> list[str]:
    """Return the lines that explain an escalation, in ``fr``, ``nl``, ``de`` or ``en``.

    ``policy`` supplies the rule's text and the text on how to contest, so pass the policy under
    which the escalation was raised. Days are Belgian calendar days.
    """

    def sentence(name: str, **values: object) -> str:
        template: str = words[name][language]
        return template.format(**values)

    def word(kind: str, code: str) -> str:
        text: str = words[kind][code][language]
        return text

    def word_or_code(kind: str, code: str) -> str:
        """Return the word for a code, or the code itself if a custom policy added it."""
        text: str = words[kind].get(code, {}).get(language, code)
        return text

    def day(instant: datetime) -> str:
        return calendar.local_date(instant).isoformat()

    def last_day(due: datetime) -> str:
        """Return the last day of a count of days, which ends at midnight."""
        return day(due - timedelta(microseconds=1))

    evidence = raised.evidence
    rule = policy.rule(raised.rule_id)

    def waiver(check: GuardCheck) -> str:
        reason = rule.waives.get(check.guard) if rule else None
        return word_or_code("waiver", reason) if reason else check.because

    text = rule.text[language] if rule else raised.rule_id
    office = directory.name(raised.office_id, language)
    lines = [
        sentence("heading", level=raised.level, text=text),
        sentence(
            "place",
            case=raised.case_id,
            order=raised.order_id,
            office=office,
            track=word("track", raised.track),
        ),
        sentence("since", due=day(raised.due_at), seen=day(raised.detected_at)),
        sentence("because"),
    ]
    lines += [
        f"  - {word('fact', check.fact)}: {word_or_code('value', check.found)}"
        for check in evidence.facts
    ]
    lines += [
        "  - "
        + sentence(
            "clock_line" if step.working_days else "clock_at",
            clock=word("clock", step.clock),
            start=day(step.start),
            days=step.working_days,
            due=last_day(step.due),
        )
        for step in evidence.clocks
    ]
    lines.append("  - " + sentence("guards", count=len(evidence.guards)))
    lines += [
        "    " + sentence("waived", guard=word("guard", check.guard), because=waiver(check))
        for check in evidence.guards
        if check.state is GuardState.WAIVED
    ]
    if evidence.nearest is not None:
        because = "; ".join(evidence.nearest.because)
        higher = policy.rule(evidence.nearest.rule_id)
        nearest = higher.text[language] if higher else evidence.nearest.rule_id
        lines.append(sentence("nearest", text=nearest, because=because))
    lines.append(
        sentence(
            "basis",
            events=", ".join(evidence.event_ids),
            rule=raised.rule_id,
            version=raised.policy_version,
            digest=raised.policy_digest[:12],
        )
    )
    lines.append(policy.contest[language])
    return lines
