"""How Hypothesis chooses examples.

By default the same hundred for a property every time, so that a verdict changes only with the code.
``ICAM_HYPOTHESIS=5000`` draws so many random ones; ``make faults`` does.
"""

from __future__ import annotations

import os
from typing import Final

from hypothesis import HealthCheck, settings

VARIABLE: Final = "ICAM_HYPOTHESIS"

settings.register_profile("same", max_examples=100, deadline=None, derandomize=True)
settings.register_profile(
    "random",
    max_examples=int(os.environ.get(VARIABLE, "100")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("random" if VARIABLE in os.environ else "same")
