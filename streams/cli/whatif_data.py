"""Return the result of a what-if as data for machines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from streams.cli import whatif_words as words
from streams.domain.explain.decision_text import Document, lines_of
from streams.domain.whatif import Change, Counts, Difference, Example, Group, Raised, WhatIf


def whatif_as_data(result: WhatIf) -> dict[str, Any]:
    """Return a result as codes, instants and ids; explanations are lines, by language code."""
    changes = words.changes(result)
    return {
        "policy": result.policy,
        "policy_before": result.policy_before,
        "directory": result.directory,
        "directory_before": result.directory_before,
        "since": result.since,
        "until": result.until,
        "cases": result.cases,
        "events": result.events,
        "unreadable": result.unreadable,
        "differing_cases": result.differing_cases,
        "changes": {change.value: changes[change] for change in Change},
        "groups": [_group(group, result.groups[group]) for group in sorted(result.groups)],
        "loads": [
            {
                "office_id": load.office_id,
                "month": f"{load.month:%Y-%m}",
                "before": load.before,
                "after": load.after,
            }
            for load in sorted(result.loads)
        ],
        "standing": [
            {"office_id": office_id, "before": before, "after": after}
            for office_id, (before, after) in sorted(result.standing.items())
        ],
        "examples": [_example(example) for example in result.examples],
    }


def _group(group: Group, counts: Counts) -> dict[str, Any]:
    return {
        **group._asdict(),
        "before": counts.before,
        "after": counts.after,
        "changes": {change.value: counts.changes.get(change, 0) for change in Change},
    }


def _example(example: Example) -> dict[str, Any]:
    return {
        "case_id": example.case_id,
        "at": example.at,
        "differences": [_difference(one) for one in example.differences],
        "before": _explained(example.before),
        "after": _explained(example.after),
    }


def _difference(one: Difference) -> dict[str, Any]:
    return {
        "changes": [change.value for change in one.changes],
        "before": _raised(one.before),
        "after": _raised(one.after),
    }


def _raised(one: Raised | None) -> dict[str, Any] | None:
    return None if one is None else one._asdict()


def _explained(documents: Mapping[str, Document]) -> dict[str, list[str]]:
    return {language: lines_of(document) for language, document in sorted(documents.items())}
