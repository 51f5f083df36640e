-- depends: 0011.what-is-written-once

-- Versions of the policy and of the directory in force, moves of cases to a version, and withdrawals
-- of versions. Of one kind and first day the last row counts, so that a version that lies ahead can be
-- replaced; a version counts no more after its withdrawal, nor do moves to it.
CREATE TABLE publication (
    number       bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind         text        NOT NULL CHECK (kind IN ('policy', 'directory', 'move', 'withdrawal')),
    digest       text        NOT NULL REFERENCES reference_table,
    valid_from   date        CHECK ((valid_from IS NULL) = (kind IN ('move', 'withdrawal'))),
    reason       text        NOT NULL CHECK (reason ~ '\S'),
    -- The person, as given; the login may be shared.
    who          text        NOT NULL CHECK (who ~ '\S'),
    login        text        NOT NULL,
    published_at timestamptz NOT NULL
);

-- The cases that a row of kind 'move' moved.
CREATE TABLE policy_move (
    case_id text   NOT NULL,
    number  bigint NOT NULL REFERENCES publication,
    PRIMARY KEY (case_id, number)
);

-- Login and time are those of the server, whatever is given. No version applies to the past: it comes
-- into force tomorrow at the earliest, unless it is the first of its kind or there is no case.
CREATE FUNCTION stamp_publication() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.login := session_user;
    NEW.published_at := clock_timestamp();
    IF NEW.valid_from <= (NEW.published_at AT TIME ZONE 'Europe/Brussels')::date
        AND EXISTS (SELECT FROM publication WHERE kind = NEW.kind)
        AND EXISTS (SELECT FROM case_projection)
    THEN
        RAISE EXCEPTION 'a % comes into force tomorrow at the earliest, not on %',
            NEW.kind, NEW.valid_from USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER publication_stamp BEFORE INSERT ON publication
    FOR EACH ROW EXECUTE FUNCTION stamp_publication();
CREATE TRIGGER publication_once BEFORE UPDATE OR DELETE ON publication
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER policy_move_once BEFORE UPDATE OR DELETE ON policy_move
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
