-- depends: 0011.what-is-written-once

-- Announcements are most of what is written, to the log of the server too. A body is compressed in
-- its row; a server that was built without lz4 keeps the slower way.
ALTER TABLE outbox SET (toast_tuple_target = 1024);
ALTER TABLE outbox ALTER COLUMN body SET STORAGE MAIN;
DO $$ BEGIN
    ALTER TABLE outbox ALTER COLUMN body SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN
    NULL;
END $$;
