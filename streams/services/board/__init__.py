"""The live page: is the system healthy, is any case overdue, what needs action?

``icam board`` runs it as its own process. It only reads the database and serves only aggregates: no
case, person or counsellor can be identified from them. ``docs/board.md`` describes its readers and
which counts it suppresses.
"""
