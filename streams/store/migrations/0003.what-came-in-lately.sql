-- transactional: false
-- depends: 0002.the-log-is-the-only-copy

-- What came in lately, by source: the log is written in the order of this column, so that some
-- kilobytes say where to look. Workers write on while it is built. What is left of a build that was
-- interrupted goes first.
DROP INDEX CONCURRENTLY IF EXISTS case_event_by_time;
CREATE INDEX CONCURRENTLY case_event_by_time ON case_event USING brin (recorded_at);
