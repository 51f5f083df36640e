ALTER TABLE input_position DROP COLUMN topic_since;
ALTER TABLE input_position DROP COLUMN topic_id;
