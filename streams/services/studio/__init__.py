"""The studio: see what a draft of the policy changes, and try it on the recorded history.

``icam studio`` runs it for one person, on that person's machine. It shows cases, so it listens on
loopback only and answers nobody who does not have the address that it printed.
"""
