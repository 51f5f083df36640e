-- depends: 0011.what-is-written-once
-- transactional: false

-- Every unit of work asks which dead letters name its cases. The index of those that are open was
-- read from end to end instead: while the statistics are old it looks short. This one holds all
-- letters, whatever their state, and is up to date at once. Workers write meanwhile; an interrupted
-- build leaves an index that is not valid.
DROP INDEX CONCURRENTLY IF EXISTS dead_letter_by_case;
CREATE INDEX CONCURRENTLY dead_letter_by_case ON dead_letter USING gin (case_ids)
    WITH (fastupdate = off);
DROP INDEX CONCURRENTLY IF EXISTS dead_letter_open_cases;
