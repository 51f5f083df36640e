"""The processes that run beside the workers: exporter, canary and board; and the studio."""
