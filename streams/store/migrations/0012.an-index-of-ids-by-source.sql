-- depends: 0011.what-is-written-once
-- transactional: false

-- Workers write meanwhile. An interrupted build leaves an index that is not valid.
DROP INDEX CONCURRENTLY IF EXISTS case_event_by_id_and_source;
CREATE UNIQUE INDEX CONCURRENTLY case_event_by_id_and_source ON case_event (event_id, source);
