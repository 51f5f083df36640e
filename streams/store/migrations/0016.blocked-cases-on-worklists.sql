-- depends: 0011.worklists-by-office

-- Open cases that a dead letter blocks, for those who may read the worklist of their office.
CREATE VIEW worklist_blocked WITH (security_barrier) AS
SELECT held.case_id, held.office_id, held.track, min(letter.recorded_at) AS since,
    array_agg(DISTINCT letter.reason ORDER BY letter.reason) AS reasons
FROM dead_letter AS letter CROSS JOIN unnest(letter.case_ids) AS named (case_id)
JOIN case_projection AS held ON held.case_id = named.case_id
WHERE letter.resolved_at IS NULL AND held.ended_at IS NULL AND held.case_id NOT LIKE 'canary-%'
    AND (
        has_table_privilege(session_user, 'escalation', 'SELECT')
        OR held.office_id IN (SELECT office_id FROM office_member WHERE member = session_user)
    )
GROUP BY held.case_id;
