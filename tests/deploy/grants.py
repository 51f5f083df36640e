"""Which role may do what to which table or view: all there is, and nothing else.

A new table, view or column needs a decision here, even if it is that nobody but the owner uses it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

WORKER, OPERATOR, AUDITOR = "icam_worker", "icam_operator", "icam_auditor"
EXPORTER, BOARD, READER = "icam_exporter", "icam_board", "icam_reader"
CHECKPOINT: Final = "icam_checkpoint"
POLICY: Final = "icam_policy"
OFFICE: Final = "icam_office"
"""The role of which people's own logins are members; nobody logs in as it."""
ALL_ROLES: Final = (WORKER, OPERATOR, AUDITOR, EXPORTER, BOARD, READER, CHECKPOINT, POLICY)
READ_ONLY: Final = (AUDITOR, EXPORTER, BOARD, READER, CHECKPOINT)

ALL: Final = "*"
"""Every column."""
OWNERS: Final = frozenset({"_yoyo_log", "_yoyo_version", "yoyo_lock", "office_member"})
"""Relations of which no role needs anything."""

_PIPELINE: Final = (
    *("case_event", "case_projection", "escalation", "outbox", "outbox_pending", "dead_letter"),
    *("reference_table", "input_gap", "input_position", "relay_lease", "dead_letter_request"),
    "dead_letter_approval",
)
_ABOUT_CASES: Final = (
    *("case_event", "case_projection", "escalation", "reference_table"),
    *("input_gap", "input_position", "relay_lease"),
)
_WORKLIST: Final = {"worklist_proposal": ALL, "worklist_blocked": ALL, "my_office": ALL}
_READING: Final = {"case_access": "what case_ids reader reason"}
"""What a command records before it shows a case."""
_ANNOUNCED: Final = "position message_id topic key body created_at"
_PUBLISHED: Final = {"publication": "number kind digest valid_from published_at"}
"""What is in force, without who published it."""
_IN_FORCE: Final = _PUBLISHED | {"policy_move": ALL}
_RECORD: Final = frozenset({"key", "value", "headers"})
"""Columns of a dead letter that may hold anything."""
_FIGURES: Final = {
    "case_projection": "next_check_at",
    "outbox": "position created_at",
    "outbox_pending": ALL,
    "escalation_figure": "office_id track level rule_id raised_at withdrawn_at due",
}

GRANTS: Final[Mapping[str, Mapping[str, Mapping[str, str]]]] = {
    WORKER: {
        "SELECT": dict.fromkeys(_PIPELINE, ALL) | _IN_FORCE,
        "INSERT": {
            "case_event": "event_id case_id type source occurred_at payload digest topic partition"
            " offset link",
            "case_projection": ALL,
            "escalation": ALL,
            "outbox": "message_id topic key headers body caused_at link",
            "outbox_pending": ALL,
            "dead_letter": "topic partition offset key value headers reason detail case_ids"
            " arrived_ms source whole_bytes whole_digest",
            "reference_table": "digest kind version body",
            "input_gap": "topic partition first_offset next_offset reason",
            "input_position": ALL,
        },
        "UPDATE": {
            "case_projection": ALL,
            "escalation": "withdrawn_at withdrawal",
            "dead_letter": "resolved_at resolution resolved_note resolved_by attempts reason detail"
            " offset former_offset",
            "dead_letter_request": "answered_at result why waiting_since waiting_attempts",
            "input_position": "next_offset topic_id topic_since",
            "relay_lease": ALL,
        },
        "DELETE": {"outbox_pending": ALL},
    },
    OPERATOR: {
        "SELECT": dict.fromkeys(_ABOUT_CASES, ALL)
        | dict.fromkeys(("dead_letter", "dead_letter_request", "dead_letter_approval"), ALL)
        | {"outbox": _ANNOUNCED, "discard_waiting": ALL}
        | _WORKLIST
        | _IN_FORCE,
        "INSERT": {
            "dead_letter_request": "dead_letter_id action note who",
            "dead_letter_approval": "request_id note who",
        }
        | _READING,
        "UPDATE": {"input_gap": "resolved_at resolved_note"},
    },
    READER: {
        "SELECT": dict.fromkeys(_ABOUT_CASES, ALL)
        | {
            "outbox": _ANNOUNCED,
            "discard_waiting": ALL,
            "dead_letter": "dead_letter_id topic partition offset former_offset reason detail"
            " case_ids source arrived_ms recorded_at attempts resolved_at resolution resolved_note"
            " resolved_by",
        }
        | _WORKLIST
        | _IN_FORCE,
        "INSERT": _READING,
    },
    AUDITOR: {
        "SELECT": dict.fromkeys(
            (*_PIPELINE, "case_access", "discard_waiting", "publication", "policy_move"), ALL
        )
        | _WORKLIST,
        "INSERT": _READING,
    },
    OFFICE: {
        "SELECT": _WORKLIST | _PUBLISHED | {"reference_table": ALL},
        "INSERT": _READING,
    },
    POLICY: {
        "SELECT": dict.fromkeys(
            ("publication", "policy_move", "reference_table", "case_event", "case_projection"), ALL
        )
        | {
            "escalation": ALL,
            "dead_letter": "dead_letter_id topic partition offset reason case_ids recorded_at"
            " resolved_at resolution",
        },
        "INSERT": {
            "reference_table": "digest kind version body",
            "publication": "kind digest valid_from reason who",
            "policy_move": ALL,
        },
    },
    EXPORTER: {
        "SELECT": _FIGURES
        | {
            "case_event": "event_id source digest",
            "reference_table": "digest kind body first_used",
            **_PUBLISHED,
            "case_figure": ALL,
            "event_arrival": ALL,
            "dead_letter": "topic partition offset reason recorded_at resolved_at",
            "input_gap": "topic first_offset next_offset resolved_at",
        },
    },
    CHECKPOINT: {"SELECT": {"case_projection": "case_id links entries head"}},
    BOARD: {
        "SELECT": _FIGURES
        | {
            "case_figure": "office_id track owner routed next_check_at next_reason updated_at"
            " ended_at last_event_at last_raised_at has_standing in_dead_letter",
            "event_arrival": "recorded_at",
            "canary_arrival": ALL,
            "case_reached": ALL,
            **_PUBLISHED,
            "reference_table": "digest kind body",
            "dead_letter": "topic reason source recorded_at resolved_at",
            "relay_lease": "holder since expires_at",
        },
    },
}
"""Privileges by role, privilege and relation, with the columns. Every role may also read which
migrations were applied."""


class Grant(NamedTuple):
    """One privilege on one column; the column is empty for DELETE, TRUNCATE and TRIGGER."""

    role: str
    privilege: str
    relation: str
    column: str


def expected(columns: Mapping[str, list[str]]) -> Iterator[Grant]:
    """Yield every privilege of the table, given the columns of each relation."""
    for role, by_privilege in GRANTS.items():
        for column in columns["_yoyo_migration"]:
            yield Grant(role, "SELECT", "_yoyo_migration", column)
        for privilege, relations in by_privilege.items():
            for relation, named in relations.items():
                if privilege == "DELETE":
                    yield Grant(role, privilege, relation, "")
                    continue
                for column in columns[relation] if named == ALL else named.split():
                    yield Grant(role, privilege, relation, column)


def decided() -> set[str]:
    """Return every relation with a decision."""
    return {
        *OWNERS,
        "_yoyo_migration",
        *(
            relation
            for by_privilege in GRANTS.values()
            for relations in by_privilege.values()
            for relation in relations
        ),
    }
