-- transactional: false
DROP INDEX CONCURRENTLY IF EXISTS dead_letter_open_cases;
CREATE INDEX CONCURRENTLY dead_letter_open_cases ON dead_letter USING gin (case_ids)
    WHERE resolved_at IS NULL;
DROP INDEX CONCURRENTLY IF EXISTS dead_letter_by_case;
