DROP VIEW discard_waiting;
DROP TABLE dead_letter_approval;
DROP TRIGGER dead_letter_request_waits ON dead_letter_request;
DROP TRIGGER dead_letter_request_waiting ON dead_letter_request;
DROP FUNCTION stamp_approval();
DROP FUNCTION stamp_waiting();
ALTER TABLE dead_letter_request DROP COLUMN waiting_attempts;
ALTER TABLE dead_letter_request DROP COLUMN waiting_since;
