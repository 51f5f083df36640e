-- transactional: false
DROP INDEX CONCURRENTLY IF EXISTS case_event_by_id_and_source;
