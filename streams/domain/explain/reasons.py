"""Say recorded reasons in words.

Evidence, withdrawals and projections record a reason as a short text in codes and dates. It is part
of the messages, and messages of earlier versions are explained too. Each shape of such a text is
one line of a table here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple

from schemas.outcomes import FactCheck
from streams.domain.explain.facts import found, not_met
from streams.domain.explain.wording import Wording
from streams.domain.letters import MAY_BE_REPORTED


class Reason(NamedTuple):
    """A recorded reason: the name of its sentence, and the codes and dates it holds."""

    name: str
    values: Mapping[str, str]

    @property
    def ended_at(self) -> datetime | None:
        """When a term that has run out ended."""
        return datetime.fromisoformat(self.values["at"]) if self.name in _OVER else None

    @property
    def runs_until(self) -> datetime | None:
        """When a term of the order that still runs will end."""
        if self.name != "departure_running":
            return None
        return datetime.fromisoformat(self.values["at"])


_OVER: Final = frozenset({"departure_over", "prospect_over", "return_over"})
_GUARD_SHAPES: Final = (
    ("departure term ends {at}, still running", "departure_running"),
    ("departure term ends {at}, run out", "departure_over"),
    ("appeal term ends {at}, still running", "departure_running"),
    ("appeal term ends {at}, run out", "departure_over"),
    ("urgent appeal term ends {at}, still running", "departure_running"),
    ("urgent appeal term ends {at}, run out", "departure_over"),
    ("time to lodge an application ends {at}, still running", "prospect_running"),
    ("time to lodge an application ends {at}, run out", "prospect_over"),
    ("time to leave after acceptance ends {at}, still running", "return_running"),
    ("time to leave after acceptance ends {at}, run out", "return_over"),
    ("no interview held", "no_interview"),
    ("no residence prospect in the last interview", "no_prospect"),
    ("not accepted in the last interview", "return_not_accepted"),
    ("accepted in the last interview", "return_accepted"),
    ("household {household}", "household"),
    ("by {channel}, proven", "notification_proven"),
    ("by {channel}, not proven", "notification_not_proven"),
    ("no reason awaits review", "nothing_pending"),
    ("{names}: reason not yet reviewed", "absence_pending"),
    ("last invitation in another language", "other_language"),
    ("last invitation understandable", "understandable"),
    ("no invitation reported", "no_invitation"),
    ("nothing reported", "nothing_reported"),
    ("ended", "ended"),
    ("{reference} since {at}", "reported_since"),
    ("{reference} begin not reported", "reported_begin_unknown"),
    ("{reference} ended {at}, decision not reported", "decision_missing"),
    ("{reference} ends before it begins", "contradictory"),
    ("{reference} not begun", "not_begun"),
    ("reviewed in interview {reference}", "reviewed"),
    ("not reviewed in interview {reference}", "not_reviewed"),
    (MAY_BE_REPORTED, "may_be_reported"),
)
_RULE_SHAPES: Final = (
    ("{fact} is {value}, needs {test} {wanted}", "condition"),
    ("{clock} + 0 working days: not before {at}", "not_before_date"),
    ("{clock} + {days} working days: not before {at}", "not_before"),
    ("{clock} + {days} working days: stopped by {cause}", "stopped"),
    ("guard {guard} is {state}: {because}", "guard"),
    ("the follow-up ended: {end}", "follow_up_ended"),
    ("an end is due: {end_due}", "end_due"),
    ("handed to the Immigration Office", "handed_over"),
)
_WITHDRAWAL_SHAPES: Final = (
    ("no order is known", "no_order"),
    ("unanswered since {at}", "unanswered"),
    ("{count} record(s) of this case could not be applied", "letters"),
    ("{answer}: {answer_reason}", "answer"),
    ("no such rule in {version}", "no_such_rule"),
    ("not complete before {version} applied", "not_complete_before"),
    ("it stands on another occasion now", "other_occasion"),
    ("to {office} ({track})", "to_office"),
    ("by {by}", "by"),
    ("{end}", "end"),
)
_PLACES: Final = {
    **dict.fromkeys(("names", "wanted", "because"), ".+"),
    **dict.fromkeys(("days", "count"), "[0-9]+"),
    **dict.fromkeys(("at", "reference", "version", "by", "office"), r"\S+"),
    "test": "at_least|at_most|is|one_of|none_of",
    "value": r"\w+",
}


def _compile(
    *tables: tuple[tuple[str, str], ...],
) -> tuple[tuple[re.Pattern[str], str], ...]:
    def pattern(shape: str) -> re.Pattern[str]:
        parts = re.split(r"\{(\w+)\}", shape)
        return re.compile(
            "".join(
                f"(?P<{part}>{_PLACES.get(part, '[a-z_]+')})" if index % 2 else re.escape(part)
                for index, part in enumerate(parts)
            )
        )

    return tuple((pattern(shape), name) for table in tables for shape, name in table)


_OF_GUARDS: Final = _compile(_GUARD_SHAPES)
_OF_RULES: Final = _compile(_RULE_SHAPES)
_OF_WITHDRAWALS: Final = _compile(_RULE_SHAPES, _WITHDRAWAL_SHAPES)
_NOT_IN_WORDS: Final = Reason("not_in_words", {})


def guard_reason(because: str) -> Reason:
    """Return the recorded reason for the state of a guard."""
    return _read(_OF_GUARDS, because)


def rule_reason(because: str) -> Reason:
    """Return the recorded reason for which a rule did not stand."""
    return _read(_OF_RULES, because)


def withdrawal_reason(because: str) -> Reason:
    """Return the recorded reason of a withdrawal."""
    return _read(_OF_WITHDRAWALS, because)


def _read(shapes: tuple[tuple[re.Pattern[str], str], ...], because: str) -> Reason:
    for pattern, name in shapes:
        found_shape = pattern.fullmatch(because)
        if found_shape is not None:
            return Reason(name, found_shape.groupdict())
    return _NOT_IN_WORDS


def in_words(reason: Reason, wording: Wording) -> str:
    """Return a reason as a sentence; one of an unknown shape as a hint to the record."""
    name, values = reason
    if name == "condition":
        check = FactCheck(
            fact=values["fact"], found=values["value"], test=values["test"], wanted=values["wanted"]
        )
        return not_met(check, wording)
    if name == "guard":
        return guard_in_words(values["guard"], values["state"], values["because"], wording)
    if name == "by":
        text = wording.rule(values["by"])
        return text if text else wording.sentence("by_order", order=values["by"])
    if name == "to_office":
        track = wording.word("track", values["track"])
        return wording.sentence("to_office", office=wording.office(values["office"]), track=track)
    try:
        said = {place: _say(place, value, name, wording) for place, value in values.items()}
    except KeyError:  # a code of another version, which has no word here
        return wording.sentence("reason.not_in_words")
    return wording.sentence(f"reason.{name}", **said)


def guard_in_words(guard: str, state: str, because: str, wording: Wording) -> str:
    """Return a guard, what was reported about it, and since or until when."""
    name = "guard_not_reported" if state == "not_reported" else "guard"
    reason = in_words(guard_reason(because), wording)
    return wording.sentence(f"reason.{name}", guard=wording.word("guard", guard), reason=reason)


_WHOLE_DAYS: Final = _OVER | {
    "departure_running",
    "prospect_running",
    "return_running",
    "not_before_date",
}
_KINDS: Final = {
    "channel": "channel",
    "clock": "clock",
    "end": "end_reason",
    "answer": "answer",
    "answer_reason": "answer_reason",
}


def _say(place: str, value: str, name: str, wording: Wording) -> str:
    if place == "at":
        instant = datetime.fromisoformat(value)
        return wording.last_day(instant) if name in _WHOLE_DAYS else wording.day(instant)
    if place == "cause":
        return pause_in_words(value, wording)
    if place in ("household", "end_due"):
        return found(place, value, wording)
    return wording.word(_KINDS[place], value) if place in _KINDS else value


def pause_in_words(cause: str, wording: Wording) -> str:
    """Return what stopped the days: a guard, or a code of ``streams.domain.pauses``."""
    kind = "guard" if wording.has_word("guard", cause) else "pause"
    return wording.word(kind, cause)
