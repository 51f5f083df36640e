"""An escalation is explained in four languages."""

from __future__ import annotations

import pytest

from schemas.events import Conclusion, Lodging
from schemas.outcomes import Track
from schemas.types import Guard
from streams import reference
from streams.domain.case import Fact
from streams.domain.explain import explain
from streams.domain.policy.rules import FACTS, LANGUAGES, Clock
from streams.domain.situation import MissKind
from tests.domain.given import LATER, circumstance, day, miss, order, ref, standing

THREE = [order(), miss(1), miss(2), miss(3)]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("kind", "codes"),
    [
        ("fact", [*FACTS]),
        ("clock", [*Clock]),
        ("guard", [*Guard]),
        ("track", [*Track]),
        ("value", [*Conclusion, *(set(Lodging) - {Lodging.DETAINED}), "true", "false", "unknown"]),
        ("value", [MissKind.UNDELIVERED, MissKind.WRONG_LANGUAGE]),
        ("waiver", sorted({why for rule in ref().policy.rules for why in rule.waives.values()})),
    ],
)
def test_every_code_has_words(kind: str, codes: list[str], language: str) -> None:
    assert all(reference.words()[kind][code][language] for code in codes)


def explained(facts: list[Fact], rule: str, language: str) -> list[str]:
    data = ref()
    escalation = standing(facts, LATER)[rule]
    words = reference.words()
    return explain(escalation, data.policy, data.directory, data.calendar, words, language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_explanation_names_the_case_its_events_and_how_to_contest(language: str) -> None:
    facts = [*THREE, circumstance(Guard.SCHOOL_TERM_SUSPENSION, effective_at=day(1))]
    for rule, escalation in standing(facts, LATER).items():
        lines = explained(facts, rule, language)
        assert ref().policy.contest[language] == lines[-1]
        text = "\n".join(lines)
        assert "{" not in text
        assert escalation.case_id in text
        assert all(event in text for event in escalation.evidence.event_ids)


def test_an_explanation_can_be_read_in_dutch() -> None:
    lines = explained(THREE, "address-check-referral", "nl")
    assert lines[0].startswith("Voorstel van niveau 5: Een ambtenaar voorstellen")
    assert any("laatste afspraak 2026-03-19 + 20 werkdagen = 2026-04-17" in line for line in lines)


def test_a_count_of_days_is_shown_with_its_last_day() -> None:
    lines = explained([order()], "silence", "en")
    assert "  - last contact 2026-03-02 + 20 working days = 2026-03-30" in lines
    lines = explained(THREE, "review-after-third-miss", "en")
    assert "Cause complete on 2026-04-02, detected on 2026-05-04" in lines
    lines = explained(THREE, "address-check-referral", "en")
    assert "  - end of the departure term: 2026-04-01" in lines


def test_an_explanation_uses_belgian_dates() -> None:
    late_evening = day(0).replace(hour=0, minute=30)  # still the day before in UTC
    lines = explained([order(notified_at=late_evening)], "silence", "en")
    assert any("2026-03-02 + 20 working days" in line for line in lines)


def test_a_waived_guard_is_shown_with_its_reason_in_the_chosen_language() -> None:
    lines = explained(
        [order(), miss(1), circumstance(Guard.SCHOOL_TERM_SUSPENSION, effective_at=day(1))],
        "reinvite-after-first-miss",
        "fr",
    )
    assert (
        "    écarté pour cette étape : suspension jusqu'à la fin de l'année scolaire"
        " (elle suspend l'éloignement, pas les entretiens)"
    ) in lines
    assert "  - logement: domicile" in lines
