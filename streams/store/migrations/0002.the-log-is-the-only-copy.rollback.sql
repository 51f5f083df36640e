ALTER TABLE escalation ADD COLUMN evidence json;
UPDATE escalation AS held SET evidence = said.body->'evidence'
FROM outbox AS said WHERE said.message_id = held.message_id;
ALTER TABLE escalation ALTER COLUMN evidence SET NOT NULL;
ALTER TABLE escalation DROP COLUMN message_id;

ALTER TABLE outbox ADD COLUMN published_at timestamptz;
UPDATE outbox SET published_at = created_at
WHERE position NOT IN (SELECT position FROM outbox_pending);
DROP TABLE outbox_pending;
CREATE INDEX outbox_pending ON outbox (position) WHERE published_at IS NULL;
ALTER TABLE outbox RESET (toast_tuple_target);

ALTER TABLE case_projection ADD COLUMN facts json NOT NULL DEFAULT '[]';
WITH said AS (
    SELECT case_id, event_id, type, occurred_at, payload, CASE type
        WHEN 'icam.oqt-issued.v1' THEN 'order:' || (payload->>'order_id')
        WHEN 'icam.appointment-missed.v1' THEN 'miss:' || (payload->>'appointment_id')
        WHEN 'icam.interview-completed.v1' THEN 'interview:' || (payload->>'interview_id')
        ELSE format('circumstance:%s:%s:%s', payload->>'circumstance', payload->>'reference',
                    payload->>'state')
        END AS key,
        to_char(occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS')
            || CASE WHEN date_part('microseconds', occurred_at)::bigint % 1000000 = 0 THEN ''
               ELSE to_char(occurred_at AT TIME ZONE 'UTC', '.US') END AS instant
    FROM case_event
), standing AS (
    SELECT DISTINCT ON (case_id, key) * FROM said
    ORDER BY case_id, key, occurred_at DESC, event_id DESC
), folded AS (
    SELECT case_id,
        json_agg(json_build_object('key', key, 'time', instant || 'Z', 'event_id', event_id,
                                   'type', type, 'data', payload) ORDER BY key COLLATE "C") AS facts,
        sha256(convert_to(string_agg(format(E'%s\t%s+00:00\t%s\n', key, instant, event_id), ''
                                     ORDER BY key COLLATE "C"), 'UTF8')) AS digest
    FROM standing GROUP BY case_id
)
UPDATE case_projection AS held SET facts = folded.facts, digest = folded.digest
FROM folded WHERE folded.case_id = held.case_id;
