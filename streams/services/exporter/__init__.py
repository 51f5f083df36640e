"""The role that reads the database, the brokers and the audit for all, and tells it as gauges.

``python -m streams exporter``. One process: what it tells is true of the whole, so every worker
telling it would tell it several times.
"""
