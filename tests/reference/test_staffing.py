"""The staffing table contains the published figures, and an invalid table is rejected."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from streams.reference.staffing import StaffingError, load
from tests.domain.given import ref

TODAY = date(2026, 3, 2)


def test_the_counsellors_by_track_match_the_published_figures() -> None:
    by_track: dict[str, int] = {}
    for team in load().on(TODAY):
        by_track[team.track] = by_track.get(team.track, 0) + team.counsellors

    assert by_track["individual"] == 60
    assert by_track["family"] == 19
    assert by_track["return_house"] + by_track["open_return_place"] == 6


def test_the_table_names_offices_and_teams_of_the_directory_only() -> None:
    directory = ref().directory
    known = {*directory.offices, *(team.office_id for team in directory.all_teams)}

    assert {team.office_id for team in load().teams} <= known


def test_an_office_that_the_table_does_not_name_has_no_known_capacity() -> None:
    assert load().capacity("wavre", "individual", TODAY) is None


def test_capacity_is_counsellors_times_caseload() -> None:
    staffing = load()

    assert staffing.capacity("hasselt", "individual", TODAY) == 4 * 60
    assert staffing.capacity("hasselt", "detained", TODAY) is None


def test_lines_are_dated_and_a_new_team_ramps_up(tmp_path: Path) -> None:
    staffing = load(
        table(
            tmp_path,
            'office_id = "gent"\nfamily = 2\nvalid_to = 2026-09-01',
            'office_id = "gent"\nfamily = 4\nvalid_from = 2026-09-01\nlanguages = ["ti"]',
            'office_id = "aalst"\nfamily = 4\nvalid_from = 2026-09-01',
        )
    )

    first, later = date(2026, 9, 1), date(2026, 12, 1)
    assert staffing.capacity("gent", "family", first - timedelta(days=1)) == 50
    assert staffing.capacity("gent", "family", first) == 100
    assert [staffing.capacity("aalst", "family", day) for day in (first, later)] == [25, 100]
    assert staffing.has_team("aalst", "family", first - timedelta(days=1)) is False
    assert staffing.has_team("aalst", "individual", first) is None
    assert staffing.has_team("wavre", "family", first) is None
    line = staffing.line("gent", "family", first)
    assert line is not None
    assert (line.interprets("ti"), line.interprets("ar")) == (True, False)
    before = staffing.line("gent", "family", first - timedelta(days=1))
    assert before is not None
    assert before.interprets("ti") is None


def table(folder: Path, *lines: str, more: str = "") -> Path:
    """Return a file with these lines, of which a new team takes 25 % on its first day."""
    file = folder / "staffing.toml"
    head = 'version = "1"\nvalid_from = 2026-01-01\n[caseload]\nfamily = 25\n'
    ramp = "[ramp_up]\nfirst_day_percent = 25\ndays = 90\n"
    file.write_text(head + ramp + more + "".join(f"[[team]]\n{line}\n" for line in lines))
    return file


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        (['office_id = "gent"\nfamily = 1'] * 2, "team gent: family has two lines on the same day"),
        (['office_id = "gent"\nfamily = 1\nvalid_from = "2026-01-01"'], "dates without quotes"),
        (
            ['office_id = "gent"\nfamily = 1\nvalid_from = 2026-02-01\nvalid_to = 2026-01-01'],
            "valid_to is not after valid_from",
        ),
        (['office_id = "gent"\nfamily = 1\nlanguages = ["TI"]'], "ISO 639"),
        (['office_id = "gent"\nfamily = 1\nlanguages = "ti"'], "ISO 639"),
    ],
)
def test_a_faulty_line_is_rejected(tmp_path: Path, lines: list[str], fault: str) -> None:
    with pytest.raises(StaffingError, match=fault):
        load(table(tmp_path, *lines))


@pytest.mark.parametrize(
    "ramp", ["first_day_percent = 101\ndays = 1", "days = 1", 'first_day_percent = "x"\ndays = 1']
)
def test_a_faulty_ramp_up_is_rejected(tmp_path: Path, ramp: str) -> None:
    file = table(tmp_path, 'office_id = "gent"\nfamily = 1')
    file.write_text(file.read_text().replace("first_day_percent = 25\ndays = 90", ramp))
    with pytest.raises(StaffingError, match="ramp_up"):
        load(file)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("version = ", "not TOML"),
        ('version = "1"\nvalid_from = 2026-01-01', "is missing"),
        (
            'version = "1"\nvalid_from = 2026-01-01\nteam = []\n[caseload]\nteam = 3',
            "no such track",
        ),
        (
            'version = "1"\nvalid_from = 2026-01-01\n[caseload]\nfamily = 25\n'
            '[[team]]\noffice_id = "gent"\nfamily = -1',
            "not a number of counsellors",
        ),
        (
            'version = "1"\nvalid_from = 2026-01-01\n[caseload]\nfamily = 25\n'
            '[[team]]\noffice_id = "gent"\nindividual = 1',
            "has no caseload",
        ),
    ],
)
def test_an_invalid_table_is_rejected(tmp_path: Path, text: str, fault: str) -> None:
    file = tmp_path / "staffing.toml"
    file.write_text(text)

    with pytest.raises(StaffingError, match=fault):
        load(file)
