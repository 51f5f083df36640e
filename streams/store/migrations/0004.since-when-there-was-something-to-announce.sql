-- depends: 0003.what-came-in-lately

-- When the record arrived, or the deadline fell due, that an announcement answers to: how long people
-- waited for it is measured when it is published. Workers of the version before leave it empty.
ALTER TABLE outbox ADD COLUMN caused_at timestamptz;
