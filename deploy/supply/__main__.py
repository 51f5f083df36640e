"""``python -m deploy.supply licences|advisories``: 0 well, 1 findings, 3 not checked."""

from __future__ import annotations

import json
import sys
from importlib import metadata
from pathlib import Path

from deploy.supply import advisories, licences

_REQUIREMENTS = Path(__file__).parents[2] / "requirements.txt"


def main(words: list[str]) -> int:
    """Check the licences of requirements.txt, or read a report of pip-audit from stdin."""
    if words == ["advisories"]:
        found = advisories.read(json.loads(sys.stdin.read() or '{"dependencies": []}'))
        print(found)
        return found.exit_code
    if words != ["licences"]:
        print(__doc__, file=sys.stderr)
        return 2
    names = licences.pinned(_REQUIREMENTS)
    lines = list(licences.refused(metadata.metadata(name) for name in names))
    print("\n".join(lines) or f"{len(names)} packages, every licence is accepted")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
