-- depends: 0011.what-is-written-once
-- transactional: false

-- Which office a case was routed to at an earlier time, for its explanation. Workers write meanwhile.
-- An interrupted build leaves an index that is not valid.
DROP INDEX CONCURRENTLY IF EXISTS outbox_routings;
CREATE INDEX CONCURRENTLY outbox_routings ON outbox (key, position)
    WHERE topic = 'icam.case-routed.v1';
