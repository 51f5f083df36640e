"""The staffing table contains the published figures, and an invalid table is rejected."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.reference.staffing import StaffingError, load
from tests.domain.given import ref


def test_the_counsellors_by_track_match_the_published_figures() -> None:
    by_track: dict[str, int] = {}
    for team in load().teams:
        by_track[team.track] = by_track.get(team.track, 0) + team.counsellors

    assert by_track["individual"] == 60
    assert by_track["family"] == 19
    assert by_track["return_house"] + by_track["open_return_place"] == 6


def test_the_table_names_offices_and_teams_of_the_directory_only() -> None:
    directory = ref().directory
    known = {*directory.offices, *(team.office_id for team in directory.teams.values())}

    assert {team.office_id for team in load().teams} <= known


def test_an_office_that_the_table_does_not_name_has_no_known_capacity() -> None:
    assert load().capacity("wavre", "individual") is None


def test_capacity_is_counsellors_times_caseload() -> None:
    staffing = load()

    assert staffing.capacity("hasselt", "individual") == 4 * 60
    assert staffing.capacity("hasselt", "detained") is None


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
