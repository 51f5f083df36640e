DROP VIEW case_reached;
DROP VIEW escalation_figure;
DROP VIEW case_figure;
DROP VIEW canary_arrival;
DROP VIEW event_arrival;
