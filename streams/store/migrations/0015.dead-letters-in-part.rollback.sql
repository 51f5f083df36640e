ALTER TABLE dead_letter DROP COLUMN whole_digest;
ALTER TABLE dead_letter DROP COLUMN whole_bytes;
