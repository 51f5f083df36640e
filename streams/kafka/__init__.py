"""Topic definitions and the Kafka producer used by commands and the canary."""
