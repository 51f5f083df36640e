-- depends: 0005.the-whole-life-of-a-case

-- Who publishes the outbox, until when, and the fencing number of that holder: it grows with each
-- change, and whoever has an earlier one can't mark a message as published any more. Only the role of
-- the workers may write it. Workers of the version before hold an advisory lock instead.
CREATE TABLE relay_lease (
    only_row      boolean     PRIMARY KEY DEFAULT true CHECK (only_row),
    fence         bigint      NOT NULL DEFAULT 0,
    holder        text        NOT NULL DEFAULT '',
    since         timestamptz,
    expires_at    timestamptz NOT NULL DEFAULT '-infinity',
    -- The holder's session, where no pooler hides it: when it is gone, so is the holder.
    backend_pid   integer,
    backend_start timestamptz
);
INSERT INTO relay_lease DEFAULT VALUES;
