-- depends: 0011.what-is-written-once

-- Since when a discard waits for a second person, as a worker decided, and how often the letter had
-- been tried then: an approval is of the letter as it was.
ALTER TABLE dead_letter_request ADD COLUMN waiting_since timestamptz;
ALTER TABLE dead_letter_request ADD COLUMN waiting_attempts integer;

CREATE FUNCTION stamp_waiting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.waiting_since := clock_timestamp();
    RETURN NEW;
END
$$;

CREATE TRIGGER dead_letter_request_waiting BEFORE UPDATE ON dead_letter_request
    FOR EACH ROW WHEN (OLD.waiting_since IS NULL AND NEW.waiting_since IS NOT NULL)
    EXECUTE FUNCTION stamp_waiting();
CREATE TRIGGER dead_letter_request_waits BEFORE UPDATE ON dead_letter_request
    FOR EACH ROW WHEN (
        OLD.waiting_since IS NOT NULL
        AND ROW(OLD.waiting_since, OLD.waiting_attempts)
            IS DISTINCT FROM ROW(NEW.waiting_since, NEW.waiting_attempts)
    ) EXECUTE FUNCTION refuse_change();

-- The second person. Login and time are those of the server, whatever is given.
CREATE TABLE dead_letter_approval (
    request_id  bigint      PRIMARY KEY REFERENCES dead_letter_request,
    note        text        NOT NULL CHECK (note ~ '\S'),
    -- The person, as given; the login may be shared.
    who         text        NOT NULL CHECK (who ~ '\S'),
    approved_by text        NOT NULL,
    approved_at timestamptz NOT NULL
);

CREATE FUNCTION stamp_approval() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM dead_letter_request
    WHERE request_id = NEW.request_id AND waiting_since IS NOT NULL AND answered_at IS NULL;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'request % does not wait for a second person', NEW.request_id
            USING ERRCODE = 'check_violation';
    END IF;
    PERFORM FROM dead_letter_request
    WHERE request_id = NEW.request_id AND requested_by = session_user;
    IF FOUND THEN
        RAISE EXCEPTION '% made request %: another login has to approve it',
            session_user, NEW.request_id USING ERRCODE = 'check_violation';
    END IF;
    NEW.approved_by := session_user;
    NEW.approved_at := clock_timestamp();
    RETURN NEW;
END
$$;

CREATE TRIGGER dead_letter_approval_stamp BEFORE INSERT ON dead_letter_approval
    FOR EACH ROW EXECUTE FUNCTION stamp_approval();
CREATE TRIGGER dead_letter_approval_once BEFORE UPDATE OR DELETE ON dead_letter_approval
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- Discards of open dead letters that wait for a second person.
CREATE VIEW discard_waiting AS
SELECT asked.request_id, asked.dead_letter_id, asked.note, asked.who, asked.requested_by,
    asked.requested_at, asked.waiting_since
FROM dead_letter_request AS asked
JOIN dead_letter AS letter ON letter.dead_letter_id = asked.dead_letter_id
WHERE asked.waiting_since IS NOT NULL AND asked.answered_at IS NULL AND letter.resolved_at IS NULL
    AND NOT EXISTS (
        SELECT FROM dead_letter_approval AS given WHERE given.request_id = asked.request_id
    );
