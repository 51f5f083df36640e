"""Many cases written to the tables at once, with shares that a test knows."""

from __future__ import annotations

from streams.store.pool import Connection

_MANY = """
WITH numbered AS (
    SELECT n, 'case-' || n AS case_id,
        CASE WHEN n % 10 = 9 THEN 'de' WHEN n % 2 = 0 THEN 'nl' ELSE 'fr' END AS language,
        (ARRAY['registered_post', 'commune', 'police'])[n % 3 + 1] AS channel,
        (ARRAY['gent', 'liege', 'brussels'])[n % 3 + 1] AS office,
        timestamptz '2026-03-02T09:00:00+01' + (n % 60) * interval '1 day' AS at
    FROM generate_series(1, $1::integer) AS n
), event AS (
    SELECT n, case_id, 'icam.oqt-issued.v1' AS type, at, json_build_object(
        'order_id', 'order-' || n, 'notified_at', at, 'language', language,
        'notification', json_build_object('channel', channel)) AS payload
    FROM numbered
    UNION ALL
    SELECT n, case_id, 'icam.appointment-missed.v1', at + interval '7 days', json_build_object(
        'appointment_id', 'a-' || n, 'office_id', office, 'scheduled_at', at + interval '7 days')
    FROM numbered WHERE n % 4 IN (0, 3) AND language <> 'de'
    UNION ALL
    SELECT n, case_id, 'icam.interview-completed.v1', at + interval '7 days', json_build_object(
        'interview_id', 'i-' || n, 'appointment_id', 'a-' || n, 'office_id', office,
        'held_at', at + interval '7 days')
    FROM numbered WHERE n % 4 NOT IN (0, 3) OR language = 'de'
    UNION ALL
    SELECT n, case_id, 'icam.proposal-answered.v1', at + interval '12 days', json_build_object(
        'escalation_id', md5(case_id)::uuid,
        'answered_at', at + interval '8 days' + (n % 9) * interval '1 day')
    FROM numbered WHERE n % 5 <> 0
)
INSERT INTO case_event (
    event_id, case_id, type, source, occurred_at, payload, digest, topic, "partition", "offset"
)
SELECT gen_random_uuid(), case_id, type, '/test', at, payload, sha256('x'), type, 0,
    row_number() OVER ()
FROM event
"""
_PROPOSALS = """
INSERT INTO escalation (
    escalation_id, round, case_id, order_id, rule_id, occasion, level, action, policy_version,
    policy_digest, office_id, track, message_id, event_ids, due_at, raised_at
)
SELECT md5(case_id)::uuid, 1, case_id, payload->>'order_id', 'rule', 'x', 3, 'human_review', '1',
    'x', 'gent', 'individual', gen_random_uuid(), '{}', occurred_at + interval '7 days',
    occurred_at + interval '7 days'
FROM case_event WHERE type = 'icam.oqt-issued.v1'
"""
_ROUTES = """
INSERT INTO outbox (message_id, topic, key, headers, body)
SELECT gen_random_uuid(), 'icam.case-routed.v1', case_id, '{}', json_build_object(
    'office_id', 'gent', 'track', 'individual')
FROM case_event WHERE type = 'icam.oqt-issued.v1'
"""


async def many(conn: Connection, cases: int) -> None:
    """Write cases of March to May 2026. Half of those in French or Dutch miss, none in German."""
    await conn.execute(_MANY, cases)
    await conn.execute(_PROPOSALS)
    await conn.execute(_ROUTES)
