"""Writes the reference data that the Java program decides by, as one JSON file.

``python -m tests.bench.kafka_streams.export OUT.json``
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import orjson

from streams import reference
from streams.domain.clocks import Calendar
from streams.domain.decide import NAMESPACE
from streams.domain.directory.model import Assignment, Directory, Span
from streams.domain.policy.rules import Condition, Policy, Rule
from streams.reference import Reference


def exported(found: Reference) -> dict[str, Any]:
    """Return all that a decision depends on besides the case and the clock."""
    return {
        "namespace": str(NAMESPACE),
        "policy": _policy(found.policy),
        "directory": _directory(found.directory),
        "calendar": _calendar(found.calendar),
    }


def _policy(policy: Policy) -> dict[str, Any]:
    terms = policy.terms
    return {
        "version": policy.version,
        "digest": policy.digest,
        "terms": {
            "appeal_days": terms.appeal_days,
            "appeal_days_in_custody": terms.appeal_days_in_custody,
            "residence_prospect_working_days": terms.residence_prospect_working_days,
        },
        "interview_restarts_count": policy.interview_restarts_count,
        "rules": [_rule(rule) for rule in policy.rules],
    }


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "group": rule.group,
        "level": rule.level,
        "action": rule.action,
        "occasion": rule.occasion,
        "nth": rule.nth,
        "when": [_condition(condition) for condition in rule.when],
        "after": [
            {"clock": delay.clock, "working_days": delay.working_days} for delay in rule.after
        ],
        "waives": dict(rule.waives),
    }


def _condition(condition: Condition) -> dict[str, Any]:
    operand = condition.operand
    return {
        "fact": condition.fact,
        "operator": condition.operator,
        "operand": sorted(operand) if isinstance(operand, frozenset) else operand,
    }


def _directory(directory: Directory) -> dict[str, Any]:
    return {
        "version": directory.version,
        "digest": directory.digest,
        "offices": [
            {"id": office.id, **_span(office.span)} for office in directory.offices.values()
        ],
        "teams": {
            lodging: {"office_id": team.office_id, "track": team.track}
            for lodging, team in directory.teams.items()
        },
        "triage_office": directory.triage_office,
        "territories": [
            {
                "province": territory.province,
                "ranges": territory.ranges,
                "language": territory.language,
                "honours": sorted(territory.honours),
            }
            for territory in directory.territories
        ],
        "transfers": [
            {
                "postcodes": sorted(transfer.postcodes),
                "province": transfer.province,
                **_span(transfer.span),
            }
            for transfer in directory.transfers
        ],
        "coverage": [_assignment(line) for line in directory.coverage],
        "fallback": [_assignment(line) for line in directory.fallback],
        "german_office": directory.german_office,
        "german_postcodes": sorted(directory.german_postcodes),
        "facilities": {
            str(postcode): sorted(languages) for postcode, languages in directory.facilities.items()
        },
    }


def _assignment(line: Assignment) -> dict[str, Any]:
    return {"province": line.province, "office_id": line.office_id, **_span(line.span)}


def _span(span: Span) -> Mapping[str, date | None]:
    """A side without a bound is null: the first and last day differ between the two languages."""
    return {
        "since": None if span.since == date.min else span.since,
        "until": None if span.until == date.max else span.until,
    }


def _calendar(calendar: Calendar) -> dict[str, Any]:
    return {
        "zone": str(calendar.zone),
        "working_days": [day - _EPOCH for day in calendar.days],
    }


_EPOCH = date(1970, 1, 1).toordinal()
"""Java counts days from then."""


def main(out: Path) -> None:
    """Write the reference data that ships."""
    data = exported(reference.load())
    out.write_bytes(orjson.dumps(data, option=orjson.OPT_NON_STR_KEYS))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m tests.bench.kafka_streams.export OUT.json")
    main(Path(sys.argv[1]))
