"""The figures of the simulated year at the end of a month."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from datetime import date, datetime, timedelta
from statistics import median
from typing import NamedTuple

from streams.simulate import days
from streams.simulate.year.file import CaseFile


class Month(NamedTuple):
    """Figures at one instant. Counts are of cases unless they say proposals."""

    at: datetime
    open: int
    """Cases that have not ended."""
    proposed: int
    """Open cases with at least one standing proposal."""
    proposals: int
    """Standing proposals."""
    per_counsellor: float
    most_on_one_case: int
    """Largest number of proposals that stand on one case."""
    median_age_days: float
    """Median time since the due date of a standing proposal; 0 if none stands."""
    ended: int
    """Cases that have ended so far and were not reopened."""
    without_next_date: int
    """Open cases without a next check at or after this instant."""
    longest_silence_days: float
    """Longest time in the month without a fact or a message, of an open case without a proposal."""
    by_rule: Mapping[str, int]
    """Standing proposals by rule, most first."""

    @property
    def day(self) -> date:
        """Return the last Belgian day that the figures cover."""
        return days.local_day(self.at - timedelta(microseconds=1))

    @property
    def share_proposed(self) -> float:
        """Return the share of open cases with a standing proposal, 0 to 1."""
        return self.proposed / self.open if self.open else 0.0

    @property
    def per_open_case(self) -> float:
        """Return the number of standing proposals for each open case."""
        return self.proposals / self.open if self.open else 0.0


def month_of(
    files: Collection[CaseFile],
    at: datetime,
    *,
    counsellors: float,
    ended: int,
    longest_silence: timedelta,
) -> Month:
    """Return the figures of all open cases at an instant."""
    standing = [raised for file in files for raised in file.standing.values()]
    ages = [(at - raised.due_at) / timedelta(days=1) for raised in standing]
    silent = [at - file.touched_at for file in files if not file.standing]
    return Month(
        at=at,
        open=len(files),
        proposed=sum(1 for file in files if file.standing),
        proposals=len(standing),
        per_counsellor=len(standing) / counsellors,
        most_on_one_case=max([len(file.standing) for file in files], default=0),
        median_age_days=median(ages) if ages else 0.0,
        ended=ended,
        without_next_date=sum(
            1 for file in files if file.next_check is None or file.next_check < at
        ),
        longest_silence_days=max([longest_silence, *silent]) / timedelta(days=1),
        by_rule=dict(Counter(raised.rule_id for raised in standing).most_common()),
    )
