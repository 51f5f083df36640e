"""The hashes of a chain, and the tree over the heads of all chains."""

from __future__ import annotations

from hashlib import sha256
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from schemas.chain import NO_LINKS, Head, Tree, event_entry, extend, heads, leaf, message_entry

# The leaves and roots that Certificate Transparency's own tests use for RFC 6962.
LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
entries = st.lists(st.tuples(st.integers(1, 4), st.binary(min_size=32, max_size=32)), min_size=1)


def in_order(found: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """Return entries in links that are numbered without a gap."""
    numbers = {link: n for n, link in enumerate(sorted({link for link, _ in found}), 1)}
    return sorted(((numbers[link], entry) for link, entry in found), key=lambda one: one[0])


def test_the_tree_has_the_roots_that_rfc_6962_defines() -> None:
    tree = Tree()
    assert tree.root() == sha256(b"").digest()
    for content, root in zip(LEAVES, ROOTS, strict=True):
        tree.add(content)
        assert tree.root().hex() == root


def test_a_head_covers_its_links_and_the_head_before() -> None:
    one, two, three = (bytes([n]) * 32 for n in (1, 2, 3))
    first = extend(NO_LINKS, [one, two])
    assert first == Head(1, 2, sha256(bytes(32) + one + two).digest())
    assert extend(first, [three]) == Head(2, 3, sha256(first.hash + three).digest())
    assert heads([(1, one), (1, two), (2, three)])[1:] == [first, extend(first, [three])]


@given(entries, st.data())
def test_any_change_of_an_entry_changes_the_last_head(
    found: list[tuple[int, bytes]], data: st.DataObject
) -> None:
    chain = in_order(found)
    at = data.draw(st.integers(0, len(chain) - 1))
    link, entry = chain[at]
    changed = [*chain[:at], (link, sha256(entry).digest()), *chain[at + 1 :]]
    removed = [*chain[:at], *chain[at + 1 :]]
    inserted = [*chain[:at], (link, bytes(32)), *chain[at:]]
    assert heads(chain)[-1] not in {heads(c)[-1] for c in (changed, removed, inserted)}


def test_every_part_of_an_event_is_in_its_hash() -> None:
    one = UUID(int=1)
    hashes = {
        event_entry(one, b"d" * 32, "/a", "t", 1, 2),
        event_entry(UUID(int=2), b"d" * 32, "/a", "t", 1, 2),
        event_entry(one, b"e" * 32, "/a", "t", 1, 2),
        event_entry(one, b"d" * 32, "/b", "t", 1, 2),
        event_entry(one, b"d" * 32, "/a", "u", 1, 2),
        event_entry(one, b"d" * 32, "/a", "t", 3, 2),
        event_entry(one, b"d" * 32, "/a", "t", 1, 4),
    }
    assert len(hashes) == 7


def test_every_part_of_an_announcement_is_in_its_hash() -> None:
    hashes = {
        message_entry("1", "t", "case", "[]", b"{}"),
        message_entry("2", "t", "case", "[]", b"{}"),
        message_entry("1", "u", "case", "[]", b"{}"),
        message_entry("1", "t", "other", "[]", b"{}"),
        message_entry("1", "t", "case", "[1]", b"{}"),
        message_entry("1", "t", "case", "[]", b"[]"),
    }
    assert len(hashes) == 6


def test_a_leaf_names_the_case_and_all_of_its_head() -> None:
    head = Head(3, 7, bytes(32))
    others = [head._replace(links=4), head._replace(entries=8), head._replace(hash=b"1" * 32)]
    leaves = {leaf("case-alpha1", one) for one in (head, *others)} | {leaf("case-beta01", head)}
    assert len(leaves) == 5
