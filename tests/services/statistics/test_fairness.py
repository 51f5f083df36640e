"""The report compares rows, counts each case once in its shares, and reads in four languages."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest

from streams.domain.policy.rules import LANGUAGES
from streams.services.board.steps import SMALLEST, Steps
from streams.services.statistics import text
from streams.services.statistics.cells import (
    ANSWERED,
    APPOINTMENTS,
    CELLS,
    DAY_LIMITS,
    FOLLOWED_DAYS,
    LEVEL,
    TABLES,
    publish,
)
from streams.services.statistics.fairness import (
    COUNTS,
    SHARES,
    WAITING_CLASSES,
    Days,
    Fairness,
    Row,
    compare,
    days,
)
from streams.services.statistics.intervals import FEWEST
from streams.store.monthly import Count
from tests.domain.given import ref

EXACT = Steps(None)
MONTH = "2026-03"


def report(cells: Mapping[tuple[str, str], int], by: str = "language") -> Fairness:
    counts = [Count(MONTH, by, row, cell, number) for (row, cell), number in cells.items()]
    return compare(publish(EXACT, counts, [MONTH], ["gent", "liege"]))


def rows(found: Fairness, by: str = "language") -> dict[str, Row]:
    (table,) = [table for table in found.tables if table.by == by]
    return {row.name: row for row in table.rows}


def reading(found: Fairness, language: str = "en", by: str = "language") -> list[str]:
    lines = list(text.reading(found, ref().wording(language)))
    heads = [
        ref().wording(language).sentence("fairness.by", by=ref().wording(language).word("table", t))
        for t in TABLES
    ]
    start = lines.index(heads[TABLES.index(by)])
    later = [lines.index(head) for head in heads if lines.index(head) > start]
    return lines[start + 1 : min(later, default=len(lines))]


def test_every_cell_belongs_to_the_counts_and_no_count_has_a_cell_twice() -> None:
    named = [cell for cells in COUNTS.values() for cell in cells]

    assert set(named) == set(CELLS)
    assert all(len(set(cells)) == len(cells) for cells in COUNTS.values())
    proposals = ("answers", "withdrawals", "replaced", "open")
    parts = [cell for name in proposals for cell in COUNTS[name]]
    assert sorted(parts) == sorted(COUNTS["escalations"]), "each proposal has one outcome"


def test_a_share_has_no_cell_in_both_parts_and_counts_no_case_twice() -> None:
    for name, parts in SHARES.items():
        assert set(parts.part).isdisjoint(parts.rest), name
        assert all(c.startswith(("first_", "orders_")) for c in (*parts.part, *parts.rest)), name


def test_a_row_is_compared_with_all_others_together() -> None:
    found = rows(
        report(
            {
                ("nl", "first_missed"): 30,
                ("nl", "first_held"): 70,
                ("fr", "first_missed"): 60,
                ("fr", "first_held"): 60,
                ("de", "first_missed"): 10,
                ("de", "first_held"): 70,
                ("nl", "later_missed"): 500,
                ("nl", "walk_ins"): 5,
            }
        )
    )

    mine, others = found["nl"].shares["missed"], found["nl"].others["missed"]
    gap = found["nl"].differences["missed"]
    assert mine is not None
    assert others is not None
    assert gap is not None
    assert (mine.value, others.value) == (0.3, 0.35), "later appointments do not count again"
    assert gap.value == pytest.approx(-0.05)
    assert gap.low < gap.value < gap.high
    assert (found["nl"].counts["misses"], found["nl"].counts["shows"]) == (530, 75)


def test_a_small_group_is_not_compared() -> None:
    many = {("nl", "first_missed"): 300, ("nl", "first_held"): 300}
    found = report({**many, ("de", "first_held"): 19})

    assert rows(found)["de"].shares["missed"] is None
    assert rows(found)["de"].differences["missed"] is None
    assert rows(found)["nl"].differences["missed"] is None, "nothing to compare with"
    assert reading(found)[0] == "First appointment missed: too few cases to compare."


def test_what_is_not_answered_yet_waits_longest() -> None:
    """Without it, a group of which nobody waits for an answer any more would look quick."""
    quick = {("nl", ANSWERED[0]): 40}

    assert rows(report(quick))["nl"].waiting is not None
    waiting = rows(report({**quick, ("nl", "first_open"): 60}))["nl"].waiting
    assert waiting is not None
    assert days(waiting.at) == Days(None, None)
    assert reading(report({**quick, ("nl", "first_open"): 60}))[-1] == (
        "Less than half of the first proposals have an answer so far in: Dutch."
    )


def test_the_classes_of_time_follow_the_limits() -> None:
    known = [days(number) for number in range(len(WAITING_CLASSES))]

    assert [one.at_least for one in known] == [*DAY_LIMITS, None]
    assert [one.less_than for one in known] == [*DAY_LIMITS[1:], None, None]


def test_the_delivery_of_an_invitation_says_nothing_about_proposals() -> None:
    found = report({("proven", "first_missed"): 40, ("proven", "first_held"): 60}, by="delivery")
    row = rows(found, "delivery")["proven"]

    assert set(row.counts) == {"shows", "misses"}
    assert (set(row.shares), row.waiting) == ({"missed"}, None)
    assert set(APPOINTMENTS) == {*COUNTS["shows"], *COUNTS["misses"]}


APART = {
    ("nl", "first_missed"): 100,
    ("nl", "first_held"): 300,
    ("fr", "first_missed"): 240,
    ("fr", "first_held"): 160,
}
SAID = {
    "fr": "Premier rendez-vous manqué : l'écart le plus grand est celui du groupe « néerlandais », "
    "25 % contre 60 % pour les autres groupes ensemble, soit −35 points (−41 à −28). "
    "L'intervalle ne contient pas 0.",
    "nl": "Eerste afspraak gemist: het grootste verschil is dat van de groep ‘Nederlands’, 25 % "
    "tegenover 60 % voor de andere groepen samen, dus −35 punten (−41 tot −28). "
    "Het interval bevat 0 niet.",
    "de": "Erster Termin versäumt: Den größten Abstand hat die Gruppe „Niederländisch“, 25 % "
    "gegenüber 60 % bei den anderen Gruppen zusammen, also −35 Punkte (−41 bis −28). "
    "Das Intervall enthält die 0 nicht.",
    "en": "First appointment missed: the largest difference is that of the group “Dutch”, 25% "
    "against 60% for the other groups together, that is −35 points (−41 to −28). "
    "The interval does not include 0.",
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_largest_difference_is_said_with_its_interval(language: str) -> None:
    assert reading(report(APART), language)[0] == SAID[language]


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_interval_that_includes_0_is_said_to_show_no_difference(language: str) -> None:
    same = {(row, cell): 50 for row in ("nl", "fr") for cell in ("first_missed", "first_held")}
    wording = ref().wording(language)

    assert reading(report(same), language)[0].endswith(wording.sentence("fairness.not_apart"))
    limits = list(text.limits(report(same), wording))
    assert limits[0] == wording.sentence("fairness.limit_zero")
    assert limits[-1] == wording.sentence("fairness.limit_many", count=2)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_time_to_an_answer_has_words(language: str) -> None:
    wording = ref().wording(language)
    shown = []
    for cells in WAITING_CLASSES:
        found = report({("gent", cells[0]): 100, ("elsewhere", cells[0]): 100}, by="office")
        lines = reading(found, language, by="office")
        assert wording.office("gent") in lines[-1]
        assert "elsewhere" in lines[-1], "an office that the directory does not know"
        shown.append(lines[-1])
        office = wording.word("table", "office")
        (table,) = [one for one in text.tables(found, wording) if one.columns[0] == office]
        assert {len(row) for row in table.rows} == {len(table.columns)}
    assert len(set(shown)) == len(WAITING_CLASSES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_row_has_a_name(language: str) -> None:
    wording = ref().wording(language)
    for table in report({}).tables:
        names = [text.row_name(table.by, row.name, wording) for row in table.rows]
        assert len(set(names)) == len(names)
        assert all(names)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_words_say_the_figures_of_the_code(language: str) -> None:
    wording = ref().wording(language)

    def figures(said: str) -> set[int]:
        return set(map(int, re.findall(r"\d+", said)))

    assert figures(wording.word("share", "escalated")) == {LEVEL, FOLLOWED_DAYS}
    assert figures(wording.sentence("fairness.limit_recent")) == {LEVEL, FOLLOWED_DAYS}
    assert figures(wording.sentence("fairness.limit_rounded")) == {SMALLEST, FEWEST}
