-- One table: the least that stores every event once.
CREATE TABLE case_event (
    event_id    uuid        NOT NULL,
    source      text        NOT NULL,
    case_id     text        NOT NULL,
    type        text        NOT NULL,
    occurred_at text        NOT NULL,
    payload     text        NOT NULL,
    PRIMARY KEY (event_id, source)
);
-- It publishes before it commits, so nothing is ever pending.
CREATE VIEW outbox_pending AS SELECT 0 AS position WHERE false;
