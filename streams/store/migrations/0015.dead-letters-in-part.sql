-- depends: 0014.topics-that-are-made-again

-- A record that is too large to keep is stored in part: its length in bytes, key, value and headers
-- together, and the SHA-256 over the SHA-256 of its key and of its value. NULL for a whole record.
ALTER TABLE dead_letter ADD COLUMN whole_bytes bigint;
ALTER TABLE dead_letter ADD COLUMN whole_digest bytea;
