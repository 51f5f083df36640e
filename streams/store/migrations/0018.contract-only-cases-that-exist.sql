-- depends: 0017.contract-ids-are-unique-for-their-source
-- contracts: 0001.the-log-and-its-projections

-- An open dead letter blocks the case of its key and no other. Workers of 0.1.0 let it block whatever
-- case its headers named, thousands in one record, and go on doing so while they run.
UPDATE dead_letter
SET case_ids = ARRAY(SELECT name FROM unnest(case_ids) AS name WHERE convert_to(name, 'UTF8') = key)
WHERE resolved_at IS NULL;

-- Cases without an event, which only rejected records named.
DELETE FROM case_projection AS held
WHERE NOT EXISTS (SELECT FROM case_event WHERE case_event.case_id = held.case_id)
    AND NOT EXISTS (SELECT FROM escalation WHERE escalation.case_id = held.case_id);
