-- depends: 0010.the-calendar-is-reference-data

-- What exporter and board count, without payloads, headers and case ids. These views read with the
-- privileges of their owner, so that their readers need none on the tables. A column that a query
-- does not use costs nothing. Canary cases are excluded, except in canary_arrival.

CREATE VIEW event_arrival AS
SELECT recorded_at, source FROM case_event WHERE case_id NOT LIKE 'canary-%';

CREATE VIEW canary_arrival AS
SELECT case_id, recorded_at FROM case_event WHERE case_id LIKE 'canary-%';

CREATE VIEW case_figure AS
SELECT status, office_id, track, owner, route IS NOT NULL AS routed,
    route->>'rule_id' AS routing_rule, (route->>'as_of')::timestamptz AS ordered_at,
    ARRAY(
        SELECT DISTINCT by->>'guard'
        FROM json_array_elements(blocked) AS rule, json_array_elements(rule->'by') AS by
    ) AS guards,
    next_check_at, next_reason, updated_at, ended_at, end_reason,
    (SELECT max(recorded_at) FROM case_event AS event WHERE event.case_id = held.case_id)
        AS last_event_at,
    (SELECT max(raised_at) FROM escalation AS raised WHERE raised.case_id = held.case_id)
        AS last_raised_at,
    EXISTS (
        SELECT FROM escalation AS stood
        WHERE stood.case_id = held.case_id AND stood.withdrawn_at IS NULL
    ) AS has_standing,
    EXISTS (
        SELECT FROM dead_letter
        WHERE resolved_at IS NULL AND case_ids @> ARRAY[held.case_id]
    ) AS in_dead_letter
FROM case_projection AS held WHERE case_id NOT LIKE 'canary-%';

CREATE VIEW escalation_figure AS
SELECT office_id, track, level, rule_id, raised_at, withdrawn_at,
    coalesce((
        SELECT first.answer_by FROM escalation AS first
        WHERE first.escalation_id = held.escalation_id AND first.round <= held.round
            AND first.reminder = 0
        ORDER BY first.round DESC LIMIT 1
    ), answer_by) AS due
FROM escalation AS held WHERE case_id NOT LIKE 'canary-%';

-- Open cases with an order by furthest step and conclusion of the latest interview. Of each
-- interview the newest version counts.
CREATE VIEW case_reached AS
WITH interview AS (
    SELECT DISTINCT ON (case_id, payload->>'interview_id')
        case_id, event_id, payload->>'conclusion' AS conclusion,
        (payload->>'held_at')::timestamptz AS held_at
    FROM case_event
    WHERE type = 'icam.interview-completed.v1' AND case_id NOT LIKE 'canary-%'
    ORDER BY case_id, payload->>'interview_id', occurred_at DESC, event_id DESC
), last AS (
    SELECT DISTINCT ON (case_id) case_id, conclusion FROM interview
    ORDER BY case_id, held_at DESC, event_id DESC
), invited AS (
    SELECT DISTINCT case_id FROM case_event
    WHERE type IN ('icam.appointment-planned.v1', 'icam.appointment-missed.v1')
        OR type = 'icam.oqt-issued.v1' AND payload->>'first_appointment' IS NOT NULL
)
SELECT CASE WHEN last.case_id IS NOT NULL THEN 'seen'
        WHEN invited.case_id IS NOT NULL THEN 'invited' ELSE 'ordered' END AS step,
    conclusion, count(*) AS cases
FROM case_projection LEFT JOIN last USING (case_id) LEFT JOIN invited USING (case_id)
WHERE route IS NOT NULL AND ended_at IS NULL AND case_id NOT LIKE 'canary-%'
GROUP BY 1, 2;
