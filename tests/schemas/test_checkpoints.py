"""Checkpoints: what they sign, and what a reader believes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest

from schemas.chain import Head, Tree
from schemas.checkpoints import (
    CaseHead,
    Checkpoint,
    CheckpointError,
    CheckpointHeads,
    KeyUnreadable,
    PublicKey,
    SignatureWrong,
    SigningKey,
    Trail,
    TreeWrong,
    encode,
    read,
)
from tests.domain.given import WEDNESDAY

KEY = SigningKey.new()


def one_head(case_id: str, links: int) -> CaseHead:
    return CaseHead(case_id=case_id, links=links, entries=links, hash="0" * 64)


def published(*parts: CheckpointHeads, key: SigningKey = KEY) -> list[CheckpointHeads | Checkpoint]:
    """Return these heads and a checkpoint of all of them."""
    trail = Trail([key.public])
    for part in parts:
        trail.add(part)
    return [*parts, key.sign(trail.tree, WEDNESDAY)]


ALPHA = CheckpointHeads(first=0, heads=(one_head("case-alpha1", 1),))
BETA = CheckpointHeads(first=1, heads=(one_head("case-beta01", 1), one_head("case-alpha1", 2)))


def test_a_reader_believes_what_is_signed() -> None:
    trail = Trail([KEY.public])
    signed = [trail.add(read(encode(m, WEDNESDAY).value)) for m in published(ALPHA, BETA)]
    assert [list(one) for one in signed] == [[], [], [*ALPHA.heads, *BETA.heads]]
    assert trail.latest == {
        "case-alpha1": Head(2, 2, bytes(32)),
        "case-beta01": Head(1, 1, bytes(32)),
    }


@pytest.mark.parametrize(
    "change",
    [{"root": "1" * 64}, {"size": 7}, {"restored": True}, {"at": WEDNESDAY.replace(year=2030)}],
    ids=str,
)
def test_a_checkpoint_that_was_changed_is_not_believed(change: dict[str, Any]) -> None:
    heads, checkpoint = published(ALPHA)
    assert isinstance(checkpoint, Checkpoint)
    trail = Trail([KEY.public])
    trail.add(heads)
    with pytest.raises(SignatureWrong, match="changed after it was signed"):
        trail.add(replace(checkpoint, **change))


def test_another_key_is_not_believed_and_an_earlier_one_is() -> None:
    stranger = published(ALPHA, key=SigningKey.new())
    trail = Trail([KEY.public])
    trail.add(stranger[0])
    with pytest.raises(SignatureWrong, match="not one of yours"):
        trail.add(stranger[1])
    later = SigningKey.new()
    trail = Trail([later.public, KEY.public])
    for message in published(ALPHA):
        trail.add(message)
    trail.add(later.sign(trail.tree, WEDNESDAY))


@pytest.mark.parametrize(
    "parts",
    [
        (CheckpointHeads(first=0, heads=(one_head("case-alpha1", 2),)),),
        (ALPHA, CheckpointHeads(first=1, heads=(one_head("case-gamma1", 1),))),
        (),
    ],
    ids=["changed", "inserted", "removed"],
)
def test_heads_that_the_checkpoint_does_not_sign_are_not_believed(
    parts: tuple[CheckpointHeads, ...],
) -> None:
    trail = Trail([KEY.public])
    for part in parts:
        trail.add(part)
    with pytest.raises(TreeWrong):
        trail.add(published(ALPHA)[-1])


def test_heads_out_of_order_are_not_believed() -> None:
    with pytest.raises(TreeWrong, match="leaf 1 follows"):
        Trail([KEY.public]).add(BETA)


def test_a_signature_is_over_our_context_only() -> None:
    """A text that somebody else had this key sign is no checkpoint."""
    checkpoint = KEY.sign(Tree(), WEDNESDAY)
    fields = checkpoint.to_dict()
    del fields["signature"]
    foreign = KEY._private.sign(orjson.dumps(fields, option=orjson.OPT_SORT_KEYS))
    assert not KEY.public.signed(replace(checkpoint, signature=foreign.hex()))


@pytest.mark.parametrize("value", [b"", b"{", b"{}", b'{"kind":"heads"}', b"\xff"], ids=repr)
def test_a_record_that_is_neither_is_named(value: bytes) -> None:
    with pytest.raises(CheckpointError, match="neither heads nor a checkpoint"):
        read(value)


def test_keys_survive_their_files() -> None:
    assert SigningKey.read(KEY.pem()).public.id == KEY.public.id
    both = KEY.public.pem() + SigningKey.new().public.pem()
    first, _ = PublicKey.read_all(both)
    assert first.id == KEY.public.id


@pytest.mark.parametrize("text", [b"", b"nonsense", KEY.pem()], ids=["empty", "text", "private"])
def test_a_file_without_a_public_key_is_named(text: bytes) -> None:
    with pytest.raises(KeyUnreadable):
        PublicKey.read_all(text)


@pytest.mark.parametrize("text", [b"", KEY.public.pem()], ids=["empty", "public"])
def test_a_file_without_a_private_key_is_named(text: bytes) -> None:
    with pytest.raises(KeyUnreadable, match="new-key"):
        SigningKey.read(text)
