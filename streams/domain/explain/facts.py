"""Say in a sentence what a rule found out about a fact, and what it needed."""

from __future__ import annotations

from schemas.outcomes import FactCheck
from streams.domain.explain.wording import Wording
from streams.domain.policy.rules import FOR_NUMBERS


def found(fact: str, value: str, wording: Wording) -> str:
    """Return the sentence for a fact and its value, as recorded in the evidence."""
    if value.isdecimal():
        form = {"0": "zero", "1": "one"}.get(value, "other")
        return wording.sentence(f"found.{fact}.{form}", count=value)
    return wording.sentence(f"found.{fact}.{value}")


def not_met(check: FactCheck, wording: Wording) -> str:
    """Return the sentence for a condition that did not hold: the value, then what was needed."""
    sentence = found(check.fact, check.found, wording)
    needed = _needed(check, wording)
    return wording.sentence("joined", found=sentence, needed=needed) if needed else sentence


def _needed(check: FactCheck, wording: Wording) -> str | None:
    """Return what a condition needs; None if the value alone says it."""
    if check.test in FOR_NUMBERS:
        return wording.sentence(f"needed.{check.test}", wanted=check.wanted)
    if check.test == "none_of" or check.wanted in ("true", "false"):
        return None
    wanted = [found(check.fact, value, wording) for value in check.wanted.split(", ")]
    return wording.sentence("needed.one_of", wanted=wording.any_of(wanted))
