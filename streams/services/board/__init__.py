"""The live page: is it well, is anyone being forgotten, what is to be done.

``icam board``, a process of its own. It reads the database and nothing else, and tells aggregates
only: no case, person or counsellor can be picked out of what it serves. ``docs/board.md`` says for
whom it is and what it keeps back.
"""
