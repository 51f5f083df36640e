-- depends: 0011.what-each-role-may-do

-- What a person asks a worker to do with a dead letter, and the answer. The role of the person may
-- only add requests: who asked is the role of the session, and can't be written.
CREATE TABLE dead_letter_request (
    request_id     bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dead_letter_id bigint      NOT NULL,
    action         text        NOT NULL CHECK (action IN ('replay', 'discard')),
    note           text        NOT NULL CHECK (note ~ '\S'),
    -- The person, as given; the role of the session may be shared.
    who            text        NOT NULL CHECK (who ~ '\S'),
    requested_by   text        NOT NULL DEFAULT session_user,
    requested_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    answered_at    timestamptz,
    result         text,
    why            text,
    CHECK ((answered_at IS NULL) = (result IS NULL))
);
CREATE INDEX dead_letter_request_open ON dead_letter_request (request_id)
    WHERE answered_at IS NULL;

-- Facts are written once, by whatever role. Only the owner may change them, as a migration does.
-- An error of this kind is a bug of ours: the code of an integrity violation, not of a privilege.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF pg_has_role(current_user, (SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'USAGE') THEN
        IF TG_OP = 'DELETE' THEN
            RETURN OLD;
        END IF;
        RETURN NEW;
    END IF;
    RAISE EXCEPTION '% of % would change what is written once', lower(TG_OP), TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation';
END
$$;

-- The time of a resolution is that of the server, so that nobody can date it back.
CREATE FUNCTION stamp_resolution() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT pg_has_role(
        current_user, (SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'USAGE'
    ) THEN
        NEW.resolved_at := clock_timestamp();
    END IF;
    RETURN NEW;
END
$$;

CREATE FUNCTION stamp_answer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.answered_at := clock_timestamp();
    RETURN NEW;
END
$$;

CREATE TRIGGER case_event_once BEFORE UPDATE OR DELETE ON case_event
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER outbox_once BEFORE UPDATE OR DELETE ON outbox
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER reference_table_once BEFORE UPDATE OR DELETE ON reference_table
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- A case keeps its name, its beginning and, unless it ended, a date on which it is decided again.
CREATE TRIGGER case_projection_once BEFORE UPDATE ON case_projection
    FOR EACH ROW WHEN (
        NEW.case_id <> OLD.case_id
        OR OLD.known_since IS NOT NULL AND NEW.known_since IS DISTINCT FROM OLD.known_since
        OR NEW.next_check_at IS NULL AND OLD.next_check_at IS NOT NULL AND NEW.ended_at IS NULL
            AND NEW.case_id NOT LIKE 'canary-%'
    ) EXECUTE FUNCTION refuse_change();
CREATE TRIGGER case_projection_kept BEFORE DELETE ON case_projection
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- Of an escalation only the withdrawal is written later, once.
CREATE TRIGGER escalation_once BEFORE UPDATE ON escalation
    FOR EACH ROW WHEN (
        OLD.withdrawn_at IS NOT NULL
        OR ROW(
            OLD.escalation_id, OLD.round, OLD.case_id, OLD.order_id, OLD.rule_id, OLD.occasion,
            OLD.level, OLD.action, OLD.policy_version, OLD.policy_digest, OLD.office_id, OLD.track,
            OLD.event_ids, OLD.due_at, OLD.raised_at, OLD.message_id, OLD.addressed_to, OLD.reminder,
            OLD.answer_by
        ) IS DISTINCT FROM ROW(
            NEW.escalation_id, NEW.round, NEW.case_id, NEW.order_id, NEW.rule_id, NEW.occasion,
            NEW.level, NEW.action, NEW.policy_version, NEW.policy_digest, NEW.office_id, NEW.track,
            NEW.event_ids, NEW.due_at, NEW.raised_at, NEW.message_id, NEW.addressed_to, NEW.reminder,
            NEW.answer_by
        )
    ) EXECUTE FUNCTION refuse_change();
CREATE TRIGGER escalation_kept BEFORE DELETE ON escalation
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- Of a dead letter the record stays, and a resolution too. A position that another record has now
-- becomes the former one.
CREATE TRIGGER dead_letter_once BEFORE UPDATE ON dead_letter
    FOR EACH ROW WHEN (
        ROW(
            OLD.dead_letter_id, OLD.topic, OLD."partition", OLD.key, OLD.value, OLD.headers::text,
            OLD.case_ids, OLD.recorded_at, OLD.arrived_ms, OLD.source
        ) IS DISTINCT FROM ROW(
            NEW.dead_letter_id, NEW.topic, NEW."partition", NEW.key, NEW.value, NEW.headers::text,
            NEW.case_ids, NEW.recorded_at, NEW.arrived_ms, NEW.source
        )
        OR OLD."offset" <> NEW."offset"
            AND (OLD.former_offset IS NOT NULL OR NEW.former_offset IS DISTINCT FROM OLD."offset")
        OR OLD."offset" = NEW."offset" AND NEW.former_offset IS DISTINCT FROM OLD.former_offset
        OR OLD.resolved_at IS NOT NULL
            AND ROW(
                OLD.resolved_at, OLD.resolution, OLD.resolved_note, OLD.resolved_by, OLD.attempts,
                OLD.reason, OLD.detail
            ) IS DISTINCT FROM ROW(
                NEW.resolved_at, NEW.resolution, NEW.resolved_note, NEW.resolved_by, NEW.attempts,
                NEW.reason, NEW.detail
            )
        OR NEW.attempts < OLD.attempts
    ) EXECUTE FUNCTION refuse_change();
CREATE TRIGGER dead_letter_kept BEFORE DELETE ON dead_letter
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER dead_letter_stamp BEFORE UPDATE ON dead_letter
    FOR EACH ROW WHEN (OLD.resolved_at IS NULL AND NEW.resolved_at IS NOT NULL)
    EXECUTE FUNCTION stamp_resolution();

CREATE TRIGGER dead_letter_request_once BEFORE UPDATE ON dead_letter_request
    FOR EACH ROW WHEN (
        OLD.answered_at IS NOT NULL
        OR ROW(
            OLD.request_id, OLD.dead_letter_id, OLD.action, OLD.note, OLD.who, OLD.requested_by,
            OLD.requested_at
        ) IS DISTINCT FROM ROW(
            NEW.request_id, NEW.dead_letter_id, NEW.action, NEW.note, NEW.who, NEW.requested_by,
            NEW.requested_at
        )
    ) EXECUTE FUNCTION refuse_change();
CREATE TRIGGER dead_letter_request_kept BEFORE DELETE ON dead_letter_request
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER dead_letter_request_stamp BEFORE UPDATE ON dead_letter_request
    FOR EACH ROW WHEN (OLD.answered_at IS NULL AND NEW.answered_at IS NOT NULL)
    EXECUTE FUNCTION stamp_answer();

-- A gap is resolved once.
CREATE TRIGGER input_gap_once BEFORE UPDATE ON input_gap
    FOR EACH ROW WHEN (
        OLD.resolved_at IS NOT NULL
        OR ROW(
            OLD.gap_id, OLD.topic, OLD."partition", OLD.first_offset, OLD.next_offset, OLD.reason,
            OLD.recorded_at
        ) IS DISTINCT FROM ROW(
            NEW.gap_id, NEW.topic, NEW."partition", NEW.first_offset, NEW.next_offset, NEW.reason,
            NEW.recorded_at
        )
    ) EXECUTE FUNCTION refuse_change();
CREATE TRIGGER input_gap_kept BEFORE DELETE ON input_gap
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER input_gap_stamp BEFORE UPDATE ON input_gap
    FOR EACH ROW WHEN (OLD.resolved_at IS NULL AND NEW.resolved_at IS NOT NULL)
    EXECUTE FUNCTION stamp_resolution();
