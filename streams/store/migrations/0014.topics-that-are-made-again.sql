-- depends: 0011.what-is-written-once

-- Id of the topic whose log a position is in: a topic that is deleted and made again has another
-- one. What was stored before topic_since has its position in the log of a former topic.
ALTER TABLE input_position ADD COLUMN topic_id uuid;
ALTER TABLE input_position ADD COLUMN topic_since timestamptz;
