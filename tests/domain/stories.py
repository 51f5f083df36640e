"""Cases to explain: one in which each rule of the shipped policy stands, and some without any.

Their explanations in four languages are in ``tests/domain/golden``, for a caseworker to read. After
a change of a sentence or a rule, write them again, and read the difference before you commit it::

    python -m tests.domain.stories
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from schemas.codes import Guard
from schemas.events import (
    AnswerReason,
    AppointmentState,
    CircumstanceOutcome,
    Conclusion,
    Delivery,
    Household,
    HouseholdKind,
    Lodging,
    Notification,
    NotificationChannel,
    ReviewDecision,
    TermReason,
)
from streams.domain.case import Fact
from streams.domain.decision import Announced
from streams.domain.explain.decision import Explanation, Known, explain_decision
from streams.domain.explain.decision_text import decision_in_words, lines_of
from streams.domain.letters import OpenLetters
from streams.domain.policy.rules import LANGUAGES
from streams.domain.tables import Tables
from tests.domain import given
from tests.domain.given import (
    FAMILY,
    LATER,
    answered,
    checked,
    circumstance,
    day,
    ended,
    interview,
    miss,
    order,
    planned,
    reviewed,
)


class Story(NamedTuple):
    """The events of a case, and when it is explained."""

    facts: Sequence[Fact]
    at: datetime
    letters: OpenLetters | None = None


MINOR: Final = Household(kind=HouseholdKind.UNACCOMPANIED_MINOR)
UNPROVEN: Final = Notification(channel=NotificationChannel.REGISTERED_POST, proven=False)
ASYLUM: Final = Guard.ASYLUM_REQUEST_PENDING
THREE: Final = (order(), miss(1), miss(2), miss(3), *checked())
ACCEPTED: Final = interview(conclusion=Conclusion.VOLUNTARY_RETURN_ACCEPTED)
REFUSED: Final = interview(
    conclusion=Conclusion.VOLUNTARY_RETURN_REFUSED, vulnerability_reviewed=True
)
PROSPECT: Final = interview(conclusion=Conclusion.RESIDENCE_PROSPECT)
SOON: Final = planned(day(70), "appointment-8", time=day(40))
CANCELLED: Final = planned(day(6), time=day(5), state=AppointmentState.CANCELLED_BY_OFFICE)

RULES: Final[Mapping[str, Story]] = {
    "check-delivery": Story([order(), miss(1, delivery=Delivery.FAILED)], day(4)),
    "reinvite-after-first-miss": Story([order(), miss(1)], day(4)),
    "outreach-after-second-miss": Story([order(), miss(1), miss(2)], day(11)),
    "review-after-third-miss": Story(THREE, LATER),
    "review-after-refusal": Story([order(), REFUSED, *checked()], day(40)),
    "measure-after-review": Story(
        [*THREE, reviewed(ReviewDecision.LESS_COERCIVE_MEASURE, day(40))], day(41)
    ),
    "address-check-referral": Story(
        [*THREE, reviewed(ReviewDecision.ADDRESS_CHECK, day(40))], day(70)
    ),
    "silence": Story([order(), interview()], day(36)),
    "give-first-date": Story([order()], day(4)),
    "invite-again": Story([order(), CANCELLED], day(7)),
    "report-outcome": Story([order(), planned(day(2))], day(8)),
    "prove-notification": Story([order(notification=UNPROVEN)], day(4)),
    "refer-to-return-programme": Story([order(), ACCEPTED], day(5)),
    "follow-departure": Story([order(), ACCEPTED], day(34)),
    "lodge-application": Story([order(), PROSPECT], day(20)),
    "prospect-deadline": Story([order(), PROSPECT], day(50)),
    "inform-guardianship": Story([order(household=MINOR)], day(1)),
    "minors-detained": Story([order(household=FAMILY, lodging=Lodging.DETAINED)], day(1)),
    "find-order": Story([miss(1)], day(14)),
    "confirm-circumstance": Story([order(), circumstance(ASYLUM, effective_at=day(2))], day(70)),
    "report-decision": Story(
        [
            order(),
            circumstance(ASYLUM, effective_at=day(2)),
            circumstance(ASYLUM, effective_at=day(20), ends=True),
        ],
        day(50),
    ),
    "record-end": Story(
        [
            order(),
            circumstance(ASYLUM, effective_at=day(2)),
            circumstance(
                ASYLUM, effective_at=day(20), ends=True, outcome=CircumstanceOutcome.GRANTED
            ),
        ],
        day(21),
    ),
    "check-dates": Story([order(), miss(1, scheduled_at=day(30), time=day(3))], day(4)),
    "check-term": Story(
        [order(departure_term_days=3, departure_term_reason=TermReason.NO_LONG_STAY_RIGHT)], day(1)
    ),
    "longest-pause": Story([order(), miss(1), circumstance(Guard.IDENTITY_DOUBT)], day(77)),
}
"""By rule: a case in which a proposal of it stands."""

OTHERS: Final[Mapping[str, Story]] = {
    "a term that paused and runs again": Story(
        [
            order(),
            interview(),
            circumstance(Guard.JUSTIFIED_ABSENCE_PENDING, effective_at=day(7)),
            circumstance(Guard.JUSTIFIED_ABSENCE_PENDING, effective_at=day(11), ends=True),
        ],
        day(38),
    ),
    "a term that a procedure holds": Story(
        [order(), circumstance(Guard.IDENTITY_DOUBT, effective_at=day(1))], day(20)
    ),
    "nothing stands until a day that is known": Story([order(), planned(day(10))], day(9)),
    "guards hold everything back": Story(
        [order(), miss(1), miss(2), miss(3), circumstance(Guard.IDENTITY_DOUBT)], LATER
    ),
    "the follow-up has ended": Story([order(), miss(1), ended(day(6))], day(7)),
    "a proposal that was answered": Story(
        [
            order(),
            miss(1),
            answered(
                "reinvite-after-first-miss",
                "order-1/miss/appointment-1",
                day(5),
                reason=AnswerReason.PERSON_INVITED,
            ),
        ],
        day(6),
    ),
    "a record could not be read": Story([order(), miss(1)], day(4), given.letters()),
    "the case was handed to the Immigration Office": Story(
        [*THREE, reviewed(ReviewDecision.HANDED_TO_IMMIGRATION_OFFICE, day(40))], day(41)
    ),
}
"""Cases in which a term pauses, or nothing stands."""


def tables() -> Tables:
    return given.ref().tables


def explained(
    facts: Sequence[Fact],
    at: datetime,
    announced: Announced | None = None,
    known: Known = Known.NOW,
) -> Explanation:
    """Return the explanation of a case, on the tables of the tests."""
    return explain_decision(
        given.CASE_ID, facts, announced or Announced(), tables(), at.astimezone(UTC), known
    )


def of_story(story: Story) -> Explanation:
    return explained(story.facts, story.at, Announced(open_dead_letters=story.letters))


def text(found: Explanation, language: str) -> list[str]:
    return lines_of(decision_in_words(found, given.ref().wording(language)))


def golden(language: str) -> str:
    """Return the explanations of all stories in one language, as the file of the language has them.

    Of the stories of rules, only the sections about the rule; the others are complete.
    """
    wording, lines = given.ref().wording(language), list[str]()
    kept = {
        wording.sentence(f"explain.{name}") for name in ("standing", "nothing", "change", "nearest")
    }
    for name, story in {**RULES, **OTHERS}.items():
        lines += [f"=== {name}", ""]
        document = decision_in_words(of_story(story), wording)
        if name in RULES:
            sections = [one for one in document.sections if one.heading in kept]
            document = document._replace(sections=sections)
        lines += [*lines_of(document), ""]
    return "\n".join(lines)


def file(language: str) -> Path:
    return Path(__file__).parent / "golden" / f"explain.{language}.txt"


def write() -> None:
    """Write the files again."""
    for language in LANGUAGES:
        file(language).write_text(golden(language))


if __name__ == "__main__":
    write()
