"""The figures file is complete, has sources, and is rejected with the name of a wrong figure."""

from __future__ import annotations

from collections import Counter
from datetime import date
from importlib.resources import files

import pytest

from streams.simulate.loading import load, published_figures
from streams.simulate.reading import FiguresError

TEXT = files("streams.simulate").joinpath("figures.toml").read_text(encoding="utf-8")


def test_every_figure_has_a_source_and_a_date() -> None:
    provenance = published_figures().provenance
    assert len(provenance) == TEXT.count("source = ")
    assert len({figure.path for figure in provenance}) == len(provenance)
    dates = [figure.as_of for figure in provenance]
    assert date(2019, 1, 1) <= min(dates) <= max(dates) <= date(2026, 12, 31)


def test_no_postcode_belongs_to_two_provinces() -> None:
    codes = Counter(
        c for p in published_figures().province.items for c in (*p.postcodes, *p.special)
    )
    repeated = {code for code, count in codes.items() if count > 1}
    # Municipalities with facilities are inside the ranges of their own province.
    special = {c for p in published_figures().province.items for c in p.special if c in p.postcodes}
    assert repeated == special
    assert len(codes) == 9000 - 80, "only twenty codes of 4700-4799 exist"


def test_province_weights_add_up_to_one() -> None:
    shares = [published_figures().province.share(p) for p in published_figures().province.items]
    assert sum(shares) == pytest.approx(1.0)
    assert shares[0] == pytest.approx(0.32)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("reorder_share = {", "reordershare = {", "volumes.reorder_share: missing"),
        ("[interviews]", "[interviews]\nextra = 1", "interviews: unknown extra"),
        ("reinvited = { value = 0.65", "reinvited = { value = 1.65", "no_show.reinvited: 1.65"),
        ("most_in_a_row = { value = 4,", "most_in_a_row = { value = 4.5,", "not a whole number"),
        ("{ police = 1.0 }", "{ policy = 1.0 }", r"group.police.channel.policy"),
        ("{ police = 1.0 }", "{ police = 0 }", "expected a weight above 0"),
        ("value = [3, 21]", "value = [21, 3]", "misses.review_days: expected two ascending"),
        (', source = "METRO"', "", "volumes.repeat_share.source: missing"),
        ("as_of = 2024-12-31", "", "as_of: expected the date"),
        ("[volumes]", "[volumes", "not TOML"),
    ],
)
def test_an_invalid_figure_is_rejected_by_name(before: str, after: str, message: str) -> None:
    assert before in TEXT
    with pytest.raises(FiguresError, match=message):
        load(TEXT.replace(before, after, 1))
