-- depends: 0011.what-is-written-once

-- Which offices a person's login may read the worklist of. Only the owner writes it.
CREATE TABLE office_member (
    member    text NOT NULL,
    office_id text NOT NULL,
    PRIMARY KEY (member, office_id)
);

CREATE VIEW my_office AS SELECT office_id FROM office_member WHERE member = session_user;

-- Standing proposals: all for a role that may read all escalations, else those of the login's
-- offices. The login is that of the session; SET ROLE does not change it.
CREATE VIEW worklist_proposal WITH (security_barrier) AS
SELECT case_id, escalation_id, round, rule_id, level, action, office_id, track, addressed_to,
    raised_at,
    coalesce((
        SELECT first.answer_by FROM escalation AS first
        WHERE first.escalation_id = held.escalation_id AND first.round <= held.round
            AND first.reminder = 0
        ORDER BY first.round DESC LIMIT 1
    ), answer_by) AS due,
    answer_by, reminder
FROM escalation AS held
WHERE withdrawn_at IS NULL AND case_id NOT LIKE 'canary-%'
    AND (
        has_table_privilege(session_user, 'escalation', 'SELECT')
        OR office_id IN (SELECT office_id FROM office_member WHERE member = session_user)
    );
