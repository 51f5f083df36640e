-- Database roles and their privileges. Run this as the owner of the tables, after every `icam migrate`.
--
-- Repeatable: one transaction replaces all earlier grants with exactly the privileges below, so a
-- running worker never loses a privilege. The script sets no password and keeps existing ones.
-- A test compares the privileges of every role on every object with a table in the test.
--
-- No role here may delete, truncate or change the log of a case; only the owner may. The only rows
-- that a role deletes are those of `outbox_pending`, when a worker has published an announcement.
-- Identity columns need no privilege; FOR UPDATE needs UPDATE on one column.

BEGIN;

DO $$
DECLARE
    role record;
BEGIN
    -- By default PostgreSQL lets every role connect and create temporary tables.
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    FOR role IN
        -- The limit keeps a role from using up the connections of the others. PostgreSQL has 97 for
        -- them by default (max_connections).
        SELECT * FROM (VALUES
            ('icam_worker', 96),    -- 12 workers, one per partition, with pools of 8
            ('icam_exporter', 9),   -- a pool of 8, and the watch of offsets
            ('icam_board', 6),      -- a pool of 3, twice while a rollout replaces it
            ('icam_auditor', 4),    -- one audit of the exporter, three of people
            ('icam_operator', 9),   -- one command with a pool of 8, and a psql
            ('icam_policy', 2),     -- who publishes the policy and the directory
            ('icam_checkpoint', 2), -- one signer; a later one ends it
            ('icam_reader', 9),     -- commands of people; each has one connection at a time
            ('icam_office', 0)      -- no login: people's own logins are members of it
        ) AS wanted (name, connections)
    LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role.name) THEN
            EXECUTE format(
                'CREATE ROLE %I %s', role.name,
                CASE WHEN role.connections > 0 THEN 'LOGIN' ELSE 'NOLOGIN' END
            );
        END IF;
        EXECUTE format('ALTER ROLE %I CONNECTION LIMIT %s', role.name, role.connections);
        EXECUTE format('REVOKE ALL ON DATABASE %I FROM %I', current_database(), role.name);
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), role.name);
        EXECUTE format('REVOKE ALL ON SCHEMA public FROM %I', role.name);
        EXECUTE format('GRANT USAGE ON SCHEMA public TO %I', role.name);
        -- Revokes privileges on single columns too.
        EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA public FROM %I', role.name);
        EXECUTE format('REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM %I', role.name);
        EXECUTE format('REVOKE ALL ON ALL ROUTINES IN SCHEMA public FROM %I', role.name);
    END LOOP;
END
$$;

REVOKE CREATE ON SCHEMA public FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM PUBLIC;
REVOKE ALL ON ALL ROUTINES IN SCHEMA public FROM PUBLIC;

-- `icam doctor`: which migrations were applied.
GRANT SELECT ON _yoyo_migration
    TO icam_worker, icam_operator, icam_auditor, icam_exporter, icam_board, icam_reader,
    icam_checkpoint, icam_office, icam_policy;

-- The policy and the directory in force, and which cases were moved to a version.
GRANT SELECT (number, kind, digest, valid_from, published_at) ON publication
    TO icam_worker, icam_operator, icam_auditor, icam_reader, icam_office;
GRANT SELECT ON policy_move TO icam_worker, icam_operator, icam_auditor, icam_reader;
GRANT SELECT ON reference_table TO icam_office;
GRANT SELECT (number, kind, digest, valid_from, published_at) ON publication
    TO icam_exporter, icam_board;
GRANT SELECT (digest, kind, body) ON reference_table TO icam_exporter, icam_board;
GRANT SELECT ON publication TO icam_auditor;

-- `icam policy` and `icam offices`. Who published and when is not written by the role.
GRANT SELECT ON
    publication, policy_move, reference_table, case_event, case_projection, escalation
    TO icam_policy;
GRANT SELECT (
    dead_letter_id, topic, "partition", "offset", reason, case_ids, recorded_at, resolved_at,
    resolution
) ON dead_letter TO icam_policy;
GRANT INSERT (digest, kind, version, body) ON reference_table TO icam_policy;
GRANT INSERT (kind, digest, valid_from, reason, who) ON publication TO icam_policy;
GRANT INSERT ON policy_move TO icam_policy;

-- `icam worker`, `icam rebuild`. Recorded facts are not changed, and when they were recorded is not
-- written: it is the server's clock. A worker may only write the withdrawal of an escalation, delete
-- the pending mark of an announcement, resolve a dead letter and answer a request.
GRANT SELECT ON
    case_event, case_projection, escalation, outbox, outbox_pending, dead_letter, reference_table,
    input_gap, input_position, relay_lease, dead_letter_request, dead_letter_approval
    TO icam_worker;
GRANT INSERT ON case_projection, escalation, outbox_pending TO icam_worker;
GRANT INSERT (
    event_id, case_id, type, source, occurred_at, payload, digest, topic, "partition", "offset",
    link
) ON case_event TO icam_worker;
GRANT INSERT (message_id, topic, key, headers, body, caused_at, link) ON outbox TO icam_worker;
GRANT INSERT (
    topic, "partition", "offset", key, value, headers, reason, detail, case_ids, arrived_ms, source,
    whole_bytes, whole_digest
) ON dead_letter TO icam_worker;
GRANT INSERT (digest, kind, version, body) ON reference_table TO icam_worker;
GRANT UPDATE ON case_projection TO icam_worker;
GRANT UPDATE (withdrawn_at, withdrawal) ON escalation TO icam_worker;
-- Entries of workers of the version before get their link once.
GRANT EXECUTE ON FUNCTION give_links(text[], integer[]) TO icam_worker;
GRANT DELETE ON outbox_pending TO icam_worker;
GRANT UPDATE (
    resolved_at, resolution, resolved_note, resolved_by, attempts, reason, detail, "offset",
    former_offset
) ON dead_letter TO icam_worker;
GRANT UPDATE (answered_at, result, why, waiting_since, waiting_attempts) ON dead_letter_request
    TO icam_worker;
GRANT INSERT (topic, "partition", first_offset, next_offset, reason) ON input_gap TO icam_worker;
GRANT INSERT ON input_position TO icam_worker;
GRANT UPDATE (next_offset, topic_id, topic_since) ON input_position TO icam_worker;
-- Who publishes announcements. No other role may hold them back.
GRANT UPDATE ON relay_lease TO icam_worker;

-- `icam case`, `explain`, `escalations`, `worklist`, `gaps list`, `dead-letters list`: what people
-- read about cases. Of a dead letter not its record, which may hold anything.
GRANT SELECT ON
    case_event, case_projection, escalation, reference_table, input_gap, input_position, relay_lease
    TO icam_reader, icam_operator;
GRANT SELECT (position, message_id, topic, key, body, created_at) ON outbox
    TO icam_reader, icam_operator;
GRANT SELECT (
    dead_letter_id, topic, "partition", "offset", former_offset, reason, detail, case_ids, source,
    arrived_ms, recorded_at, attempts, resolved_at, resolution, resolved_note, resolved_by
) ON dead_letter TO icam_reader;

-- Who read what about which cases: each command that shows a case adds to it. Who reads must not see
-- who else did: `icam access` is of the auditor.
GRANT INSERT (what, case_ids, reader, reason) ON case_access
    TO icam_reader, icam_operator, icam_auditor, icam_office;
GRANT SELECT ON case_access TO icam_auditor;

-- `icam worklist`. A role that may not read all escalations sees those of its login's offices, which
-- are in `office_member`.
GRANT SELECT ON worklist_proposal, worklist_blocked TO icam_reader, icam_operator, icam_auditor, icam_office;
GRANT SELECT ON my_office TO icam_reader, icam_operator, icam_auditor, icam_office;

-- `icam dead-letters show`, and `replay` and `discard`, which ask the workers. Who asked and when is
-- not written by the role, but by the server.
GRANT SELECT ON dead_letter, dead_letter_request, dead_letter_approval TO icam_operator;
GRANT INSERT (dead_letter_id, action, note, who) ON dead_letter_request TO icam_operator;

-- `icam dead-letters approve`: the second person of a discard. A trigger refuses the login that asked.
GRANT INSERT (request_id, note, who) ON dead_letter_approval TO icam_operator;

-- `icam dead-letters list`: what waits for a second person.
GRANT SELECT ON discard_waiting TO icam_reader, icam_operator, icam_auditor;

-- `icam gaps resolve`.
GRANT UPDATE (resolved_at, resolved_note) ON input_gap TO icam_operator;

-- `icam audit`, `icam report`, and the queries of the runbooks.
GRANT SELECT ON
    case_event, case_projection, escalation, outbox, outbox_pending, dead_letter, reference_table,
    input_gap, input_position, relay_lease, dead_letter_request, dead_letter_approval
    TO icam_auditor;

-- `icam exporter` and `icam board`: figures. No payload, no header, no case id except the canary's,
-- nothing of a rejected record but its topic, its reason and its producer.
GRANT SELECT (next_check_at) ON case_projection TO icam_exporter, icam_board;
GRANT SELECT (position, created_at) ON outbox TO icam_exporter, icam_board;
GRANT SELECT ON outbox_pending TO icam_exporter, icam_board;
GRANT SELECT (topic, reason, recorded_at, resolved_at) ON dead_letter TO icam_exporter, icam_board;
GRANT SELECT (source) ON dead_letter TO icam_board;
-- Who publishes announcements, and whether it still does.
GRANT SELECT (holder, since, expires_at) ON relay_lease TO icam_board;
GRANT SELECT (office_id, track, level, rule_id, raised_at, withdrawn_at, due) ON escalation_figure
    TO icam_exporter, icam_board;
GRANT SELECT (
    office_id, track, owner, routed, next_check_at, next_reason, updated_at, ended_at,
    last_event_at, last_raised_at, has_standing, in_dead_letter
) ON case_figure TO icam_board;
GRANT SELECT ON case_figure, event_arrival TO icam_exporter;
GRANT SELECT (recorded_at) ON event_arrival TO icam_board;
GRANT SELECT ON canary_arrival, case_reached TO icam_board;
GRANT SELECT (topic, first_offset, next_offset, resolved_at) ON input_gap TO icam_exporter;
-- The watch of committed offsets: whether a record is stored, not what it says.
GRANT SELECT (event_id, source, digest) ON case_event TO icam_exporter;
GRANT SELECT (kind, first_used) ON reference_table TO icam_exporter;
GRANT SELECT ("partition", "offset") ON dead_letter TO icam_exporter;

-- `icam checkpoint sign`: the heads of all chains, and nothing that they cover.
GRANT SELECT (case_id, links, entries, head) ON case_projection TO icam_checkpoint;

-- The missing privileges already prevent writes; these settings reject them earlier.
ALTER ROLE icam_auditor SET default_transaction_read_only = on;
ALTER ROLE icam_exporter SET default_transaction_read_only = on;
ALTER ROLE icam_board SET default_transaction_read_only = on;
ALTER ROLE icam_office SET default_transaction_read_only = on;
ALTER ROLE icam_reader SET default_transaction_read_only = on;
ALTER ROLE icam_checkpoint SET default_transaction_read_only = on;

-- By default every role may take advisory locks and write large objects, even without any privilege
-- on a table. Only a superuser can take this away; a managed database may have none.
DO $$
DECLARE
    routine regprocedure;
BEGIN
    IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        RAISE NOTICE 'not a superuser: advisory locks and large objects stay open to all roles';
        RETURN;
    END IF;
    FOR routine IN
        SELECT oid FROM pg_proc
        WHERE pronamespace = 'pg_catalog'::regnamespace
            AND (proname ~ '^pg_(try_)?advisory_(xact_)?lock' OR proname ~ '^lo(_|read|write)')
    LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', routine);
    END LOOP;
    -- Relays of the version before exclude each other by an advisory lock.
    GRANT EXECUTE ON FUNCTION
        pg_try_advisory_lock(bigint), pg_try_advisory_lock_shared(bigint) TO icam_worker;
    -- A dead letter that names a case, and who creates that case, wait for each other.
    GRANT EXECUTE ON FUNCTION
        pg_advisory_xact_lock(integer, integer), pg_advisory_xact_lock_shared(integer, integer)
        TO icam_worker;
END
$$;

COMMIT;
