"""How long properties are looked into: ``ICAM_HYPOTHESIS=long`` for the long run of CI."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

settings.register_profile("default", max_examples=100, deadline=None)
settings.register_profile(
    "long", max_examples=5_000, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("ICAM_HYPOTHESIS", "default"))
