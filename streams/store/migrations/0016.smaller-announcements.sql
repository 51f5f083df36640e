-- depends: 0011.what-is-written-once

-- Announcements are most of what is written, to the log of the server too. A body is compressed in
-- its row. A server that was built without lz4 writes them as before: the other way to compress
-- takes more of its CPU than all else about an announcement.
DO $$ BEGIN
    ALTER TABLE outbox ALTER COLUMN body SET COMPRESSION lz4;
    ALTER TABLE outbox ALTER COLUMN body SET STORAGE MAIN;
    ALTER TABLE outbox SET (toast_tuple_target = 1024);
EXCEPTION WHEN feature_not_supported THEN
    NULL;
END $$;
