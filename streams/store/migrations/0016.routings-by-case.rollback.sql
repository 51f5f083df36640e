-- transactional: false
DROP INDEX CONCURRENTLY IF EXISTS outbox_routings;
