ALTER TABLE outbox DROP COLUMN caused_at;
