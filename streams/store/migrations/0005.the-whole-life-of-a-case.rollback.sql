ALTER TABLE escalation DROP COLUMN answer_by;
ALTER TABLE escalation DROP COLUMN reminder;
ALTER TABLE escalation DROP COLUMN addressed_to;
ALTER TABLE case_projection DROP COLUMN endings;
ALTER TABLE case_projection DROP COLUMN end_reason;
ALTER TABLE case_projection DROP COLUMN ended_at;
ALTER TABLE case_projection DROP COLUMN owner;
ALTER TABLE case_projection DROP COLUMN next_reason;
