"""Statistics over all cases without personal data: monthly counts, shares, and their differences.

Only counts that ``cells.py`` has suppressed leave this package. ``docs/fairness.md`` describes the
columns, the formulas and the limits.
"""
