-- depends: 0004.since-when-there-was-something-to-announce

-- Why a case is looked at next and who owns it, and whether its follow-up ended. Rows of the version
-- before have no reason yet: they are decided again, because the policy is another one.
ALTER TABLE case_projection ADD COLUMN next_reason text;
ALTER TABLE case_projection ADD COLUMN owner text;
ALTER TABLE case_projection ADD COLUMN ended_at timestamptz;
ALTER TABLE case_projection ADD COLUMN end_reason text;
-- Number of ends and reopenings announced: it makes their message ids.
ALTER TABLE case_projection ADD COLUMN endings integer NOT NULL DEFAULT 0;

-- When a case was first decided: the search for its order begins then, not at its first event,
-- because the order may still be in a backlog.
ALTER TABLE case_projection ADD COLUMN known_since timestamptz;

-- Who a proposal is addressed to, how often it was announced again, and when an answer is expected.
ALTER TABLE escalation ADD COLUMN addressed_to text;
ALTER TABLE escalation ADD COLUMN reminder integer NOT NULL DEFAULT 0;
ALTER TABLE escalation ADD COLUMN answer_by timestamptz;
