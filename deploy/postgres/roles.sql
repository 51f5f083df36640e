-- Database roles and their privileges. Run this as the owner of the tables, after every `icam migrate`.
--
-- Repeatable: one transaction replaces all earlier grants with exactly the privileges below, so a
-- running worker never loses a privilege. The script sets no password and keeps existing ones.
--
-- No role here may delete, truncate or change the log of a case; only the owner may. The only rows
-- that a role deletes are those of `outbox_pending`, when a worker has published an announcement.
-- Identity columns need no privilege; FOR UPDATE needs UPDATE on one column.

BEGIN;

DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['icam_worker', 'icam_operator', 'icam_auditor'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
            EXECUTE format('CREATE ROLE %I LOGIN', wanted);
        END IF;
    END LOOP;
    -- By default PostgreSQL lets every role connect and create temporary tables.
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format(
        'GRANT CONNECT ON DATABASE %I TO icam_worker, icam_operator, icam_auditor',
        current_database()
    );
END
$$;

REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO icam_worker, icam_operator, icam_auditor;
-- Revokes privileges on single columns too.
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM icam_worker, icam_operator, icam_auditor;

-- Every role reads all tables, including the record of applied migrations: `icam doctor`,
-- `icam case`, `icam escalations`, `icam dead-letters list`.
GRANT SELECT ON ALL TABLES IN SCHEMA public TO icam_worker, icam_operator, icam_auditor;

-- `icam worker`. Recorded facts are not changed. A worker may only write the withdrawal of an
-- escalation, delete the pending mark of an announcement, and write the resolution of a dead letter.
GRANT INSERT ON
    case_event, case_projection, escalation, outbox, outbox_pending, dead_letter, reference_table
    TO icam_worker;
GRANT UPDATE ON case_projection TO icam_worker;
GRANT UPDATE (withdrawn_at, withdrawal) ON escalation TO icam_worker;
GRANT DELETE ON outbox_pending TO icam_worker;
GRANT UPDATE (resolved_at, resolution, resolved_note, "offset", former_offset)
    ON dead_letter TO icam_worker;
GRANT INSERT ON input_gap, input_position TO icam_worker;
GRANT UPDATE (next_offset) ON input_position TO icam_worker;
-- Who publishes announcements. No other role may hold them back.
GRANT UPDATE ON relay_lease TO icam_worker;

-- `icam dead-letters replay` and `discard`: the same unit of work as a worker's, one dead letter at a
-- time. A replay inserts a dead letter and rolls it back if the record is rejected again, and records
-- the policy it decides with. The workers publish its announcements.
GRANT INSERT ON
    case_event, case_projection, escalation, outbox, outbox_pending, dead_letter, reference_table
    TO icam_operator;
GRANT UPDATE ON case_projection TO icam_operator;
GRANT UPDATE (withdrawn_at, withdrawal) ON escalation TO icam_operator;
GRANT UPDATE (
    resolved_at, resolution, resolved_note, resolved_by, attempts, reason, detail, "offset",
    former_offset
) ON dead_letter TO icam_operator;

-- `icam gaps resolve`.
GRANT UPDATE (resolved_at, resolved_note) ON input_gap TO icam_operator;

-- `icam audit`. The missing privileges already prevent writes; this setting rejects them earlier.
ALTER ROLE icam_auditor SET default_transaction_read_only = on;

COMMIT;
