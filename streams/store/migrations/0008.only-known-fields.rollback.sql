ALTER TABLE dead_letter DROP COLUMN resolved_by;
ALTER TABLE dead_letter DROP COLUMN source;
