ALTER TABLE dead_letter DROP COLUMN former_offset;
ALTER TABLE dead_letter DROP COLUMN arrived_ms;
DROP TABLE input_gap;
DROP TABLE input_position;
