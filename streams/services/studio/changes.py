"""Show a draft: its version, its faults, and what it changes, in every language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from schemas.visible import visible
from streams.casework.whatif import Base
from streams.domain.directory import changes as directory_changes
from streams.domain.directory.model import Directory
from streams.domain.explain import directory_changes as directory_words
from streams.domain.explain import policy_changes as policy_words
from streams.domain.explain.policy_changes import Block
from streams.domain.explain.wording import Wording
from streams.domain.policy import changes as policy_changes
from streams.domain.policy.rules import LANGUAGES, Policy
from streams.services.studio.drafts import Draft
from streams.services.web.typeset import shown


def draft_shown(draft: Draft, base: Base) -> Mapping[str, Any]:
    """Return a draft and what it changes in the version that it is compared with."""
    found: dict[str, Any] = {
        "name": draft.name,
        "digest": draft.digest,
        "faults": [visible(fault) for fault in draft.faults],
        "version": None,
    }
    match draft.version:
        case None:
            return found
        case Policy() as policy:
            entries = len(policy.rules)
        case Directory() as directory:
            entries = len(directory.offices)
    by_language = {one: _blocks(draft.version, base, base.ref.wording(one)) for one in LANGUAGES}
    return found | {
        "version": visible(draft.version.version),
        "valid_from": day if (day := draft.version.valid_from) != date.min else None,
        "entries": entries,
        "changes": {
            language: [_block(block, language) for block in blocks]
            for language, blocks in by_language.items()
        },
    }


def _blocks(draft: Policy | Directory, base: Base, wording: Wording) -> Sequence[Block]:
    if isinstance(draft, Policy):
        found = policy_changes.changes(base.policy, draft)
        return policy_words.changes_in_words(found, base.policy, draft, wording)
    differing = directory_changes.changes(base.directory, draft)
    return directory_words.changes_in_words(differing, base.directory, draft, wording)


def _block(block: Block, language: str) -> dict[str, Any]:
    """Return a block; each line says whether the other side lacks it."""

    def lines(mine: Sequence[str], others: Sequence[str]) -> list[tuple[str, bool]]:
        return [(shown(line, language), line not in others) for line in mine]

    return {
        "kind": block.kind,
        "heading": shown(block.heading, language),
        "rows": [
            {
                "part": shown(row.part, language),
                "before": lines(row.before, row.after),
                "after": lines(row.after, row.before),
            }
            for row in block.rows
        ],
    }
