-- depends: 0011.what-is-written-once
-- transactional: false

-- Every unit of work asks which open dead letters name its cases. The index of those that are open
-- was read from end to end instead: while the statistics are old it looks short. These two can be
-- used for this question only. A letter names one case; those of earlier versions may name several.
-- Workers write meanwhile; an interrupted build leaves an index that is not valid.
DROP INDEX CONCURRENTLY IF EXISTS dead_letter_by_case;
CREATE INDEX CONCURRENTLY dead_letter_by_case ON dead_letter ((case_ids[1]))
    WHERE resolution IS NULL;
DROP INDEX CONCURRENTLY IF EXISTS dead_letter_of_several_cases;
CREATE INDEX CONCURRENTLY dead_letter_of_several_cases ON dead_letter (dead_letter_id)
    WHERE resolution IS NULL AND cardinality(case_ids) > 1;
