"""What the domain decides about generated histories: ``python -m tests.deploy.decisions``.

Prints where each module of the domain comes from, then one digest a history. The histories are the
same in every process, so two builds of the domain can be compared line by line.
"""

from __future__ import annotations

import sys
from datetime import datetime
from hashlib import sha256
from typing import Final

from hypothesis import HealthCheck, settings
from hypothesis import given as forall

from schemas.outcomes import body
from streams.domain.case import Fact
from streams.domain.decide import Announced
from streams.store.digest import digest
from tests.domain.given import applied, case, decide
from tests.domain.histories import arrivals, instants

HISTORIES: Final = 200


@settings(
    max_examples=HISTORIES,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@forall(arrivals(), instants(300), instants(300))
def main(told: tuple[list[Fact], list[Fact]], now: datetime, later: datetime) -> None:
    """Print the digest of one history: its case, what is decided at ``now``, and what then."""
    _, arrived = told
    first = decide(arrived, now)
    then = decide(arrived, max(now, later), applied(Announced(), first))
    said = sha256(digest(case(*arrived)))
    for decision in (first, then):
        said.update(repr(decision).encode())
        for message in decision.messages:
            said.update(body(message.outcome))
    print(said.hexdigest())


if __name__ == "__main__":
    for name, module in sorted(sys.modules.items()):
        if name.startswith("streams.domain."):
            print(name, "compiled" if str(module.__file__).endswith(".so") else "source")
    main()
