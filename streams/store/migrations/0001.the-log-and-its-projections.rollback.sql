DROP TABLE reference_table, dead_letter, outbox, escalation, case_projection, case_event;
