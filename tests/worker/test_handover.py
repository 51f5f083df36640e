"""What a worker committed is published from memory only if the order of each case is sure."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given as drawn
from hypothesis import strategies as st

from streams.store.outbox import OutboxEntry, Pending, Written
from streams.worker.handover import Handover

ALL = 1_000


def entry(position: int, case: str = "a") -> Pending:
    return Pending(position, OutboxEntry(str(position), "topic", case, {}, b"{}"))


def written(*positions: int, saw: frozenset[int] | None = frozenset()) -> Written:
    return Written([entry(position) for position in positions], saw)


def after_a_read(*published: int) -> Handover:
    """Return the handover of a relay that has just read the outbox, and published these."""
    handover = Handover()
    handover.discard()
    handover.published(published)
    return handover


def taken(handover: Handover, limit: int = ALL) -> list[int] | None:
    found = handover.take(limit)
    return None if found is None else [pending.position for pending, _ in found]


def test_a_new_relay_reads_the_outbox_first() -> None:
    handover = Handover()
    handover.offer(written(1), 0.0)
    assert taken(handover) is None


def test_entries_are_taken_in_order_and_once() -> None:
    handover = after_a_read()
    handover.offer(written(1, 2), 0.0)
    handover.offer(written(3, saw=frozenset({1, 2})), 0.0)
    assert taken(handover) == [1, 2, 3]
    assert taken(handover) == []


def test_what_the_outbox_gave_already_is_left_out() -> None:
    handover = after_a_read(1)
    handover.offer(written(1, 2), 0.0)
    assert taken(handover) == [2]


def test_an_entry_that_nobody_handed_over_has_the_outbox_read() -> None:
    handover = after_a_read()
    handover.offer(written(5, saw=frozenset({4})), 0.0)
    assert taken(handover) is None
    assert taken(handover) is None, "until it was read"
    handover.discard()
    assert taken(handover) == [], "it is in what was read"


def test_too_many_entries_of_others_have_the_outbox_read() -> None:
    handover = after_a_read()
    handover.offer(written(5, saw=None), 0.0)
    assert taken(handover) is None


def test_what_waits_is_bounded() -> None:
    handover = after_a_read()
    for first in range(0, 10_000, 100):
        handover.offer(written(*range(first, first + 100)), 0.0)
    assert taken(handover) is None, "the outbox has all of it"


def test_a_limit_ends_with_a_transaction() -> None:
    handover = after_a_read()
    handover.offer(written(1, 2, 3), 0.0)
    handover.offer(written(4), 0.0)
    assert taken(handover, 2) == [1, 2, 3]
    assert taken(handover, 2) == [4]


@dataclass
class Outbox:
    """What is committed and not published, and the order of what was published."""

    pending: dict[int, str] = field(default_factory=dict)
    sent: list[int] = field(default_factory=list)
    last: int = 0


@drawn(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["ours", "other", "late"]))))
def test_each_case_is_published_in_the_order_of_its_commits(
    commits: list[tuple[str, str]],
) -> None:
    """Of a case, whoever wrote: ours are handed over, at once or later; others' are in the outbox.

    After every commit the relay takes what it may, and reads the outbox when it has to.
    """
    outbox, handover, cases = Outbox(), after_a_read(), dict[int, str]()
    waiting: list[Written] = []

    def publish() -> None:
        found = handover.take(2)
        if found is None:
            handover.discard()
            found = [(entry(position), 0.0) for position in sorted(outbox.pending)[:2]]
            if len(outbox.pending) > 2:
                handover.miss()
        positions = [pending.position for pending, _ in found]
        outbox.sent += positions
        for position in positions:
            del outbox.pending[position]
        handover.published(positions)

    for case, who in commits:
        outbox.last += 1
        cases[outbox.last] = case
        ours = written(outbox.last, saw=frozenset(outbox.pending))
        outbox.pending[outbox.last] = case
        if who == "ours":
            handover.offer(ours, 0.0)
        elif who == "late":
            waiting.append(ours)
        publish()
        if len(waiting) > 2:
            handover.offer(waiting.pop(0), 0.0)
            publish()
    for ours in waiting:
        handover.offer(ours, 0.0)
    while outbox.pending:
        publish()
        handover.miss()
    publish()

    assert len(outbox.sent) == len(set(outbox.sent)) == len(commits)
    for case in "abc":
        of_case = [position for position in outbox.sent if cases[position] == case]
        assert of_case == sorted(of_case)
