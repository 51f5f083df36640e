-- Fails where two sources have used the same id: version 0.1.0 can't read such a log.
ALTER TABLE case_event DROP CONSTRAINT case_event_pkey, ADD PRIMARY KEY (event_id);
CREATE UNIQUE INDEX case_event_by_id_and_source ON case_event (event_id, source);
DELETE FROM reference_table WHERE kind = 'producers';
