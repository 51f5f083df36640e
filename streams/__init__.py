"""The pipeline: events in, cases projected and routed, escalations out."""
