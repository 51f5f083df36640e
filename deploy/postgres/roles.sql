-- Who may do what in the database. Run it as the owner of the tables, after every `icam migrate`.
--
-- Safe to run again: it ends in exactly the privileges written here, whatever was granted before,
-- in one transaction, so that a running worker never misses one. It sets no passwords and keeps
-- those that are set.
--
-- Nobody here may delete, truncate, or change the log of a case; that is left to the owner. Only the
-- note that an announcement still waits is taken away, by the worker that has published it.
-- Identity columns and advisory locks need no privilege; FOR UPDATE needs UPDATE on one column.

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
    -- Everybody may connect, and make temporary tables, unless told otherwise.
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format(
        'GRANT CONNECT ON DATABASE %I TO icam_worker, icam_operator, icam_auditor',
        current_database()
    );
END
$$;

REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO icam_worker, icam_operator, icam_auditor;
-- Takes away privileges on single columns too.
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM icam_worker, icam_operator, icam_auditor;

-- Each of them reads everything, the notes of the migrations included: `icam doctor`, `icam case`,
-- `icam escalations`, `icam dead-letters list`.
GRANT SELECT ON ALL TABLES IN SCHEMA public TO icam_worker, icam_operator, icam_auditor;

-- `icam worker`. What was recorded stays as it was recorded: of a ledger entry only its end can be
-- written, of an announcement only that it waits no more, of a dead letter only that it is resolved.
GRANT INSERT ON
    case_event, case_projection, escalation, outbox, outbox_pending, dead_letter, reference_table
    TO icam_worker;
GRANT UPDATE ON case_projection TO icam_worker;
GRANT UPDATE (withdrawn_at, withdrawal) ON escalation TO icam_worker;
GRANT DELETE ON outbox_pending TO icam_worker;
GRANT UPDATE (resolved_at, resolution, resolved_note) ON dead_letter TO icam_worker;

-- `icam dead-letters replay` and `discard`: the same unit of work as a worker's, one letter at a
-- time. A replay adds a dead letter and takes it back when the record is rejected again, and keeps the
-- policy it decides with; publishing what it decides is left to the workers.
GRANT INSERT ON
    case_event, case_projection, escalation, outbox, outbox_pending, dead_letter, reference_table
    TO icam_operator;
GRANT UPDATE ON case_projection TO icam_operator;
GRANT UPDATE (withdrawn_at, withdrawal) ON escalation TO icam_operator;
GRANT UPDATE (resolved_at, resolution, resolved_note, attempts, reason, detail)
    ON dead_letter TO icam_operator;

-- `icam audit`. The missing privileges are what holds; this says it before the first statement.
ALTER ROLE icam_auditor SET default_transaction_read_only = on;

COMMIT;
