-- depends: 0001.the-log-and-its-projections

-- Stop the workers of the old version first: they know the columns that go.

-- The facts of a case are folded from its log, where they stand anyway. The digest is over the ids
-- of the events whose facts stand.
UPDATE case_projection SET digest = sha256(coalesce((
    SELECT string_agg(decode(replace(fact->>'event_id', '-', ''), 'hex'), ''::bytea
                      ORDER BY (fact->>'event_id')::uuid)
    FROM json_array_elements(facts) AS fact), ''::bytea));
ALTER TABLE case_projection DROP COLUMN facts;

-- What waits is named in a table of its own, so that an announcement is written once and for all.
ALTER INDEX outbox_pending RENAME TO outbox_unpublished;
CREATE TABLE outbox_pending (
    position bigint PRIMARY KEY
) WITH (autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0);
INSERT INTO outbox_pending SELECT position FROM outbox WHERE published_at IS NULL;
DROP INDEX outbox_unpublished;
ALTER TABLE outbox DROP COLUMN published_at;
-- A body of two or three kilobytes is read once, soon: compressing it costs more than its bytes.
ALTER TABLE outbox SET (toast_tuple_target = 8160);

-- The evidence stands in the message that raised the escalation, byte for byte as it was sent.
ALTER TABLE escalation ADD COLUMN message_id uuid;
UPDATE escalation AS held SET message_id = said.message_id
FROM outbox AS said
WHERE said.body->>'kind' = 'raised' AND said.key = held.case_id
  AND (said.body->>'escalation_id')::uuid = held.escalation_id
  AND (said.body->>'round')::integer = held.round;
ALTER TABLE escalation ALTER COLUMN message_id SET NOT NULL;
ALTER TABLE escalation DROP COLUMN evidence;
