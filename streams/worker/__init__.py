"""The worker process: the Faust app, record delivery, relay, health probes."""
