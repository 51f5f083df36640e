"""Kafka records into the database: decode, apply in batches, retry, isolate, repair."""
