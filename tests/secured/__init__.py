"""Kafka and PostgreSQL as agencies run them: encrypted, with logins, and nothing else allowed."""
