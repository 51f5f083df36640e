-- The tables of the rivals. Frozen, as their SQL in rival_store.py: nothing here follows streams/store.
CREATE TABLE case_event (
    event_id    uuid        NOT NULL,
    source      text        NOT NULL,
    case_id     text        NOT NULL,
    type        text        NOT NULL,
    occurred_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    payload     json        NOT NULL,
    digest      bytea       NOT NULL,
    topic       text        NOT NULL,
    "partition" integer     NOT NULL,
    "offset"    bigint      NOT NULL,
    link        integer     NOT NULL, -- which transaction of the case added it
    PRIMARY KEY (event_id, source)
);
CREATE INDEX case_event_by_case ON case_event (case_id);

CREATE TABLE case_projection (
    case_id       text        PRIMARY KEY,
    link          integer     NOT NULL DEFAULT 0,
    digest        bytea,
    events        integer     NOT NULL DEFAULT 0,
    order_id      text,
    status        text        NOT NULL DEFAULT 'awaiting_order',
    office_id     text,
    track         text,
    level         smallint    NOT NULL DEFAULT 0,
    route         json,
    routings      integer     NOT NULL DEFAULT 0,
    endings       integer     NOT NULL DEFAULT 0,
    next_check_at timestamptz,
    next_reason   text,
    owner         text,
    known_since   timestamptz,
    updated_at    timestamptz
);
CREATE INDEX case_projection_due ON case_projection (next_check_at) WHERE next_check_at IS NOT NULL;

CREATE TABLE escalation (
    escalation_id uuid        NOT NULL,
    round         integer     NOT NULL,
    case_id       text        NOT NULL,
    rule_id       text        NOT NULL,
    level         smallint    NOT NULL,
    order_id      text        NOT NULL,
    office_id     text        NOT NULL,
    track         text        NOT NULL,
    policy_digest text        NOT NULL,
    raised_at     timestamptz NOT NULL,
    reminder      integer     NOT NULL,
    message_id    uuid        NOT NULL,
    withdrawn_at  timestamptz,
    PRIMARY KEY (escalation_id, round)
);
CREATE INDEX escalation_by_case ON escalation (case_id);

CREATE TABLE outbox (
    position   bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message_id uuid        NOT NULL UNIQUE,
    topic      text        NOT NULL,
    key        text        NOT NULL,
    headers    json        NOT NULL,
    body       json        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE outbox_pending (
    position bigint PRIMARY KEY
);

CREATE TABLE dead_letter (
    topic       text        NOT NULL,
    "partition" integer     NOT NULL,
    "offset"    bigint      NOT NULL,
    case_id     text        NOT NULL,
    value       bytea,
    reason      text        NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    resolved_at timestamptz,
    PRIMARY KEY (topic, "partition", "offset")
);
CREATE INDEX dead_letter_open ON dead_letter (case_id) WHERE resolved_at IS NULL;
