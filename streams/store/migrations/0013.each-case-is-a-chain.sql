-- depends: 0008.only-known-fields

-- The number of the link that an entry is in, and the head of each case: schemas/chain.py defines
-- both. Rows without a number are those of an earlier version; a worker gives them one later.
ALTER TABLE case_event ADD COLUMN link integer;
ALTER TABLE outbox ADD COLUMN link integer;
ALTER TABLE case_projection ADD COLUMN links integer NOT NULL DEFAULT 0;
ALTER TABLE case_projection ADD COLUMN entries integer NOT NULL DEFAULT 0;
ALTER TABLE case_projection ADD COLUMN head bytea NOT NULL DEFAULT decode(repeat('00', 32), 'hex');
CREATE INDEX case_event_unchained ON case_event (case_id) WHERE link IS NULL;
CREATE INDEX outbox_unchained ON outbox (key) WHERE link IS NULL;

-- A worker may not update the log. This lets it give a link to what has none, and nothing else.
CREATE FUNCTION give_links(case_ids text[], links integer[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE case_event SET link = new.link
    FROM unnest(case_ids, links) AS new (case_id, link)
    WHERE case_event.case_id = new.case_id AND case_event.link IS NULL;
    UPDATE outbox SET link = new.link
    FROM unnest(case_ids, links) AS new (case_id, link)
    WHERE outbox.key = new.case_id AND outbox.link IS NULL;
$$;
REVOKE ALL ON FUNCTION give_links(text[], integer[]) FROM PUBLIC;
