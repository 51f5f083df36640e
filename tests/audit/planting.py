"""Registry of violations: functions that break one guarantee in a clean world."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.audit.world import World

Plant = Callable[[World], object]
PLANTED: list[tuple[Plant, set[str], dict[str, Any]]] = []


def breaks(*checks: str, **options: Any) -> Callable[[Plant], Plant]:
    """Register a violation, the checks that must report it, and the options of the audit."""

    def register(plant: Plant) -> Plant:
        PLANTED.append((plant, set(checks), options))
        return plant

    return register
