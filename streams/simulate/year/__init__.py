"""A simulated year of the whole pipeline in one process, with offices that answer proposals.

No Kafka and no database: the year plays the events of the stream into the pure domain, one decision
after each event and at each next check, with the instant handed in. Equal settings give an equal
year.
"""
