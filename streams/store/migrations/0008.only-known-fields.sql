-- depends: 0005.the-whole-life-of-a-case

-- The producer that a rejected record names, if it names a well-formed one, and who resolved it.
ALTER TABLE dead_letter ADD COLUMN source text;
ALTER TABLE dead_letter ADD COLUMN resolved_by text;

-- Remove the fields that no schema knows from stored events: they may hold anything. Payloads are
-- canonical JSON with sorted keys, and stay so; the digest is that of the codec.
WITH known (model, field, nested) AS (
    VALUES
        ('icam.oqt-issued.v1', 'annex', NULL),
        ('icam.oqt-issued.v1', 'departure_term_days', NULL),
        ('icam.oqt-issued.v1', 'departure_term_reason', NULL),
        ('icam.oqt-issued.v1', 'first_appointment', 'Appointment'),
        ('icam.oqt-issued.v1', 'household', 'Household'),
        ('icam.oqt-issued.v1', 'interception_postcode', NULL),
        ('icam.oqt-issued.v1', 'interpreter_language', NULL),
        ('icam.oqt-issued.v1', 'language', NULL),
        ('icam.oqt-issued.v1', 'lodging', NULL),
        ('icam.oqt-issued.v1', 'lodging_since', NULL),
        ('icam.oqt-issued.v1', 'notification', 'Notification'),
        ('icam.oqt-issued.v1', 'notified_at', NULL),
        ('icam.oqt-issued.v1', 'order_id', NULL),
        ('icam.oqt-issued.v1', 'repeat_order', NULL),
        ('icam.oqt-issued.v1', 'residence_postcode', NULL),
        ('icam.oqt-issued.v1', 'residence_since', NULL),
        ('icam.appointment-missed.v1', 'appointment_id', NULL),
        ('icam.appointment-missed.v1', 'invitation', 'Invitation'),
        ('icam.appointment-missed.v1', 'justification', NULL),
        ('icam.appointment-missed.v1', 'office_id', NULL),
        ('icam.appointment-missed.v1', 'order_id', NULL),
        ('icam.appointment-missed.v1', 'review', NULL),
        ('icam.appointment-missed.v1', 'scheduled_at', NULL),
        ('icam.appointment-missed.v1', 'sequence', NULL),
        ('icam.interview-completed.v1', 'appointment_id', NULL),
        ('icam.interview-completed.v1', 'coach_role', NULL),
        ('icam.interview-completed.v1', 'conclusion', NULL),
        ('icam.interview-completed.v1', 'cooperation', NULL),
        ('icam.interview-completed.v1', 'held_at', NULL),
        ('icam.interview-completed.v1', 'interview_id', NULL),
        ('icam.interview-completed.v1', 'next_appointment', 'Appointment'),
        ('icam.interview-completed.v1', 'office_id', NULL),
        ('icam.interview-completed.v1', 'order_id', NULL),
        ('icam.interview-completed.v1', 'sequence', NULL),
        ('icam.interview-completed.v1', 'vulnerability_reviewed', NULL),
        ('icam.circumstance-changed.v1', 'circumstance', NULL),
        ('icam.circumstance-changed.v1', 'effective_at', NULL),
        ('icam.circumstance-changed.v1', 'order_id', NULL),
        ('icam.circumstance-changed.v1', 'outcome', NULL),
        ('icam.circumstance-changed.v1', 'reference', NULL),
        ('icam.circumstance-changed.v1', 'state', NULL),
        ('icam.appointment-planned.v1', 'appointment_id', NULL),
        ('icam.appointment-planned.v1', 'at', NULL),
        ('icam.appointment-planned.v1', 'invitation', 'SentInvitation'),
        ('icam.appointment-planned.v1', 'office_id', NULL),
        ('icam.appointment-planned.v1', 'order_id', NULL),
        ('icam.appointment-planned.v1', 'purpose', NULL),
        ('icam.appointment-planned.v1', 'state', NULL),
        ('icam.proposal-answered.v1', 'answer', NULL),
        ('icam.proposal-answered.v1', 'answered_at', NULL),
        ('icam.proposal-answered.v1', 'decision', NULL),
        ('icam.proposal-answered.v1', 'escalation_id', NULL),
        ('icam.proposal-answered.v1', 'postponed_until', NULL),
        ('icam.proposal-answered.v1', 'reason', NULL),
        ('icam.proposal-answered.v1', 'role', NULL),
        ('icam.proposal-answered.v1', 'round', NULL),
        ('icam.follow-up-ended.v1', 'effective_at', NULL),
        ('icam.follow-up-ended.v1', 'order_id', NULL),
        ('icam.follow-up-ended.v1', 'reason', NULL),
        ('icam.follow-up-ended.v1', 'state', NULL),
        ('Appointment', 'appointment_id', NULL),
        ('Appointment', 'at', NULL),
        ('Appointment', 'office_id', NULL),
        ('Household', 'kind', NULL),
        ('Household', 'minors', NULL),
        ('Invitation', 'delivery', NULL),
        ('Invitation', 'language', NULL),
        ('Notification', 'channel', NULL),
        ('Notification', 'proven', NULL),
        ('SentInvitation', 'delivery', NULL),
        ('SentInvitation', 'language', NULL),
        ('SentInvitation', 'sent_at', NULL)
),
cleaned AS (
    SELECT event_id,
        (SELECT '{' || coalesce(string_agg(
            to_json(outside.key)::text || ':' || CASE
                WHEN top.nested IS NOT NULL AND json_typeof(outside.value) = 'object' THEN
                    (SELECT '{' || coalesce(string_agg(
                        to_json(inside.key)::text || ':' || inside.value::text, ','
                        ORDER BY inside.key COLLATE "C"), '') || '}'
                    FROM json_each(outside.value) AS inside
                    JOIN known AS deep ON deep.model = top.nested AND deep.field = inside.key)
                ELSE outside.value::text
            END, ',' ORDER BY outside.key COLLATE "C"), '') || '}'
        FROM json_each(payload) AS outside
        JOIN known AS top ON top.model = type AND top.field = outside.key) AS payload
    FROM case_event
    WHERE json_typeof(payload) = 'object' AND type IN (SELECT model FROM known)
)
UPDATE case_event
SET payload = cleaned.payload::json,
    digest = sha256(convert_to(
        type || E'\n' || case_id || E'\n'
        || to_char(occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS')
        || CASE WHEN date_trunc('second', occurred_at) = occurred_at THEN ''
           ELSE to_char(occurred_at AT TIME ZONE 'UTC', '.US') END
        || '+00:00' || E'\n' || cleaned.payload, 'UTF8'))
FROM cleaned
WHERE case_event.event_id = cleaned.event_id AND case_event.payload::text <> cleaned.payload;
