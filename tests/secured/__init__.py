"""Kafka as agencies run it: encrypted, with logins and access lists, and nothing else allowed."""
