"""What checkpoints signed is kept whole, in few bytes."""

from __future__ import annotations

import tracemalloc
from datetime import UTC, datetime, timedelta

from hypothesis import given as forall
from hypothesis import strategies as st

from schemas.chain import Head
from streams.audit.signed import SignedHead, SignedHeads

_INSTANTS = st.datetimes(
    *map(datetime.fromisoformat, ("1990-01-01", "2100-01-02")), timezones=st.just(UTC)
)
_NUMBERS = st.integers(0, 2**63 - 1)
_HEADS = st.builds(Head, _NUMBERS, _NUMBERS, st.binary(min_size=32, max_size=32))
_SIGNED = st.tuples(st.sampled_from(["case-0001", "case-0002"]), _INSTANTS, _HEADS)
_NOBODY = "case-0003"


@forall(st.lists(_SIGNED))
def test_every_signed_head_is_given_back_in_order(signed: list[tuple[str, datetime, Head]]) -> None:
    kept = SignedHeads()
    for case_id, at, head in signed:
        kept.add(case_id, at, head)

    assert kept.cases == {case_id for case_id, _, _ in signed}
    for case_id in ("case-0001", "case-0002", _NOBODY):
        own = [SignedHead(at, head) for name, at, head in signed if name == case_id]
        assert list(kept.of(case_id)) == own
        assert kept.links(case_id) == (own[-1].head.links if own else -1)


@forall(st.lists(_SIGNED), st.integers(0, 5))
def test_a_case_that_went_back_keeps_the_heads_below(
    signed: list[tuple[str, datetime, Head]], links: int
) -> None:
    kept = SignedHeads()
    for number, (_, at, head) in enumerate(signed):
        kept.add("case-0001", at, head._replace(links=number))
    kept.add("case-0002", datetime(2026, 3, 2, tzinfo=UTC), Head(9, 9, bytes(32)))

    kept.go_back("case-0001", links)
    kept.go_back(_NOBODY, links)

    assert [one.head.links for one in kept.of("case-0001")] == [*range(min(links, len(signed)))]
    assert [one.head.links for one in kept.of("case-0002")] == [9]


def test_a_signed_head_takes_fewer_than_a_hundred_bytes() -> None:
    """As objects they took some four hundred."""
    at, number = datetime(2026, 3, 2, tzinfo=UTC), 20_000
    tracemalloc.start()
    try:
        kept = SignedHeads()
        for link in range(number):
            name = f"case-{link % 100:04}"
            kept.add(name, at + timedelta(hours=link), Head(link, link, link.to_bytes(32, "big")))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < number * 100
