"""Every registered violation is found by the checks named for it, and by no other."""

from __future__ import annotations

from typing import Any

import pytest

from tests.audit.planting import PLANTED, Plant
from tests.audit.violations import (  # noqa: F401 - they register
    announcing,
    attention,
    escalation,
    intake,
)
from tests.audit.world import World


@pytest.mark.parametrize(
    ("plant", "checks", "options"), PLANTED, ids=[planted[0].__name__ for planted in PLANTED]
)
def test_given_a_clean_run_when_one_guarantee_is_broken_then_only_its_checks_find_it(
    world: World, plant: Plant, checks: set[str], options: dict[str, Any]
) -> None:
    plant(world)

    report = world.audit(**options)

    assert {finding.check for finding in report.findings} == checks, report.findings
    assert {check.name for check in report.checks if check.found} == checks
    assert not report.clean
