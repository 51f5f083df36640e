-- depends: 0011.what-is-written-once

-- Who read about which cases, and why. A command adds a row in the transaction in which it reads,
-- so that it shows nothing that is not recorded. Only the owner may change or delete one.
CREATE TABLE case_access (
    access_id bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    what      text        NOT NULL CHECK (what ~ '\S'),
    -- The cases that were shown.
    case_ids  text[]      NOT NULL,
    -- The person or role, as given by a login that several people share; else the login.
    reader    text        NOT NULL,
    reason    text,
    login     text        NOT NULL,
    read_at   timestamptz NOT NULL
);
CREATE INDEX case_access_by_case ON case_access USING gin (case_ids);

-- Login and time are those of the server, whatever is given. A login that is named like one of the
-- pipeline's roles is shared.
CREATE FUNCTION stamp_access() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.login := session_user;
    NEW.read_at := clock_timestamp();
    IF session_user !~ '^icam_' THEN
        NEW.reader := session_user;
    ELSIF coalesce(NEW.reader, '') !~ '\S' OR coalesce(NEW.reason, '') !~ '\S' THEN
        RAISE EXCEPTION 'a shared login says who reads and why'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER case_access_stamp BEFORE INSERT ON case_access
    FOR EACH ROW EXECUTE FUNCTION stamp_access();
CREATE TRIGGER case_access_once BEFORE UPDATE OR DELETE ON case_access
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
