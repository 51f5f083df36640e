DROP FUNCTION give_links(text[], integer[]);
DROP INDEX outbox_unchained;
DROP INDEX case_event_unchained;
ALTER TABLE case_projection DROP COLUMN head;
ALTER TABLE case_projection DROP COLUMN entries;
ALTER TABLE case_projection DROP COLUMN links;
ALTER TABLE outbox DROP COLUMN link;
ALTER TABLE case_event DROP COLUMN link;
