"""The contender "Kafka Streams": the same job in Java, with state stores instead of PostgreSQL."""
