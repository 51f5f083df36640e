"""What a person asks to try: the drafts, since when, and whether they keep their first day."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from streams.services.studio.drafts import Draft


class Asked(NamedTuple):
    """What one run tries: a draft of the policy, of the directory, or both."""

    policy: Draft | None = None
    directory: Draft | None = None
    since: datetime | None = None
    """Differences from this instant on are reported; None: all."""
    as_dated: bool = False
    """Whether the drafts keep their own first day."""

    @property
    def drafts(self) -> tuple[Draft, ...]:
        """Return the drafts, the policy first."""
        return tuple(one for one in (self.policy, self.directory) if one is not None)
