-- depends:

-- Inbox, dedupe and log in one: the primary key is what makes a redelivery harmless.
CREATE TABLE case_event (
    event_id    uuid        PRIMARY KEY,
    case_id     text        NOT NULL,
    type        text        NOT NULL,
    source      text        NOT NULL,
    occurred_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    payload     json        NOT NULL,
    digest      bytea       NOT NULL,
    topic       text        NOT NULL,
    "partition" integer     NOT NULL,
    "offset"    bigint      NOT NULL
);
CREATE INDEX case_event_by_case ON case_event (case_id);

-- One row a case: the fold of its log and what follows from it. Locked before it is read.
CREATE TABLE case_projection (
    case_id       text        PRIMARY KEY,
    facts         json        NOT NULL DEFAULT '[]',
    digest        bytea,
    events        integer     NOT NULL DEFAULT 0,
    order_id      text,
    status        text        NOT NULL DEFAULT 'awaiting_order',
    office_id     text,
    track         text,
    route         json,
    routings      integer     NOT NULL DEFAULT 0,
    level         smallint    NOT NULL DEFAULT 0,
    blocked       json        NOT NULL DEFAULT '[]',
    next_check_at timestamptz,
    reference_digest text,
    updated_at    timestamptz
);
CREATE INDEX case_projection_due ON case_projection (next_check_at) WHERE next_check_at IS NOT NULL;

-- The ledger: every time an escalation stood, and why it stopped.
CREATE TABLE escalation (
    escalation_id  uuid        NOT NULL,
    round          integer     NOT NULL,
    case_id        text        NOT NULL,
    order_id       text        NOT NULL,
    rule_id        text        NOT NULL,
    occasion       text        NOT NULL,
    level          smallint    NOT NULL CHECK (level BETWEEN 1 AND 5),
    action         text        NOT NULL,
    policy_version text        NOT NULL,
    policy_digest  text        NOT NULL,
    office_id      text        NOT NULL,
    track          text        NOT NULL,
    evidence       json        NOT NULL,
    event_ids      uuid[]      NOT NULL,
    due_at         timestamptz NOT NULL,
    raised_at      timestamptz NOT NULL,
    withdrawn_at   timestamptz,
    withdrawal     json,
    PRIMARY KEY (escalation_id, round)
);
CREATE UNIQUE INDEX escalation_standing ON escalation (case_id, escalation_id)
    WHERE withdrawn_at IS NULL;
CREATE INDEX escalation_by_case ON escalation (case_id);

-- What was decided and not yet known to be on Kafka. Positions follow commit order per case.
CREATE TABLE outbox (
    position     bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message_id   uuid        NOT NULL UNIQUE,
    topic        text        NOT NULL,
    key          text        NOT NULL,
    headers      json        NOT NULL,
    body         json        NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    published_at timestamptz
);
CREATE INDEX outbox_pending ON outbox (position) WHERE published_at IS NULL;

-- Records that could not be applied, whole, so that a person can repair and replay them.
CREATE TABLE dead_letter (
    dead_letter_id bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic          text        NOT NULL,
    "partition"    integer     NOT NULL,
    "offset"       bigint      NOT NULL,
    key            bytea,
    value          bytea,
    headers        json        NOT NULL,
    reason         text        NOT NULL,
    detail         text        NOT NULL,
    case_ids       text[]      NOT NULL,
    recorded_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    attempts       integer     NOT NULL DEFAULT 1,
    resolved_at    timestamptz,
    resolution     text CHECK (resolution IN ('replayed', 'discarded')),
    resolved_note  text,
    UNIQUE (topic, "partition", "offset"),
    CHECK ((resolved_at IS NULL) = (resolution IS NULL))
);
CREATE INDEX dead_letter_open_cases ON dead_letter USING gin (case_ids) WHERE resolved_at IS NULL;
CREATE INDEX dead_letter_open ON dead_letter (recorded_at) WHERE resolved_at IS NULL;

-- Policies and directories that decisions name by digest, kept so that a decision can be re-read.
CREATE TABLE reference_table (
    digest     text        PRIMARY KEY,
    kind       text        NOT NULL CHECK (kind IN ('policy', 'directory')),
    version    text        NOT NULL,
    body       text        NOT NULL,
    first_used timestamptz NOT NULL DEFAULT clock_timestamp()
);
