-- depends: 0005.the-whole-life-of-a-case

-- How far each input partition was handled, written with the records themselves: what is expected
-- next is known even where the group has no offset any more.
CREATE TABLE input_position (
  topic text NOT NULL,
  "partition" integer NOT NULL,
  next_offset bigint NOT NULL,
  PRIMARY KEY (topic, "partition")
) WITH (fillfactor = 50);

-- Offsets that were never seen: from first_offset to the one before next_offset.
CREATE TABLE input_gap (
  gap_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  topic text NOT NULL,
  "partition" integer NOT NULL,
  first_offset bigint NOT NULL,
  next_offset bigint NOT NULL CHECK (next_offset > first_offset),
  reason text NOT NULL,
  recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  resolved_at timestamptz,
  resolved_note text
);
-- The same gap once, until it is resolved: after that it is another one.
CREATE UNIQUE INDEX input_gap_open ON input_gap (topic, "partition", first_offset, next_offset)
WHERE resolved_at IS NULL;

-- A topic that is made again begins at offset 0: a dead letter is known by its record too. One whose
-- position another record has now is at its negative id.
ALTER TABLE dead_letter ADD COLUMN arrived_ms bigint;
ALTER TABLE dead_letter ADD COLUMN former_offset bigint;
