"""The exporter: export the state of the database, the brokers and the audit as gauges.

``icam exporter``. One process per deployment: these values are cluster-wide, so several exporters
would export them several times.
"""
