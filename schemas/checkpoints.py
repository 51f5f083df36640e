"""Checkpoints: signed roots of the tree over the heads of all cases. Pure.

The topic has two kinds of messages: the heads that changed, as further leaves of the tree, and then
a checkpoint, which signs the root over all leaves so far. One transaction publishes both. Who has
the topic and the public key can check the database without anything else of the pipeline.
Signatures are Ed25519 (RFC 8032) over the other fields of a checkpoint.

Errors::

    CheckpointError             what was published is not what we sign
      SignatureWrong            a signature is not of one of these keys
      TreeWrong                 leaves are missing, repeated or changed
      KeyUnreadable             a file holds no Ed25519 key
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from typing import Annotated, Final, Literal, final
from uuid import uuid4

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from pydantic import Field, TypeAdapter, ValidationError

from schemas.chain import Head, Tree, leaf
from schemas.codec import Outgoing
from schemas.envelope import JSON
from schemas.instants import rfc3339
from schemas.types import CaseId, Instant, Message, message_type

CHECKPOINT_TOPIC: Final = "icam.checkpoint.v1"
HEADS_TYPE: Final = "icam.checkpoint-heads.v1"
CHECKPOINT_TYPE: Final = "icam.checkpoint.v1"
_SOURCE: Final = "/icam/checkpoint"
_CONTEXT: Final = b"icam.checkpoint.v1\n"
"""Begins every signed text, so that a signature made for something else does not fit."""

_PEM_BLOCK: Final = re.compile(rb"-----BEGIN.*?-----END[^\n]*", re.DOTALL)

Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class CheckpointError(Exception):
    """What was published is not what we sign; the message says what and where."""


class SignatureWrong(CheckpointError):
    """A checkpoint is not signed by one of the given keys, or was changed after it was signed."""


class TreeWrong(CheckpointError):
    """The leaves before a checkpoint are not those that it signs."""


class KeyUnreadable(CheckpointError):
    """A file holds no Ed25519 key in PEM."""


@message_type
class CaseHead(Message):
    """The head of one case."""

    case_id: CaseId
    """The case."""
    links: Annotated[int, Field(ge=0)]
    """Number of links that the head covers."""
    entries: Annotated[int, Field(ge=0)]
    """Number of entries that the head covers."""
    hash: Hash
    """The head, hexadecimal."""

    @property
    def head(self) -> Head:
        """Return it as a head of a chain."""
        return Head(self.links, self.entries, bytes.fromhex(self.hash))


@final
@message_type
class CheckpointHeads(Message):
    """Further leaves of the tree: the heads that changed. The next checkpoint signs them."""

    kind: Literal["heads"] = "heads"
    """Distinguishes the two message types of the topic."""
    first: Annotated[int, Field(ge=0)]
    """Number of leaves before these."""
    heads: tuple[CaseHead, ...]
    """The heads, in the order of the leaves."""


@final
@message_type
class Checkpoint(Message):
    """The signed root of the tree over all leaves so far."""

    kind: Literal["checkpoint"] = "checkpoint"
    """Distinguishes the two message types of the topic."""
    size: Annotated[int, Field(ge=0)]
    """Number of leaves."""
    root: Hash
    """Root of the tree over these leaves, hexadecimal."""
    at: Instant
    """When the heads were read."""
    restored: bool
    """Whether heads went back because an older state of the database was restored on purpose."""
    key: Hash
    """SHA-256 of the public key, hexadecimal."""
    signature: Annotated[str, Field(pattern=r"^[0-9a-f]{128}$")]
    """Ed25519 signature over the other fields, hexadecimal."""


_PUBLISHED: Final[TypeAdapter[CheckpointHeads | Checkpoint]] = TypeAdapter(
    Annotated[CheckpointHeads | Checkpoint, Field(discriminator="kind")]
)


def encode(message: CheckpointHeads | Checkpoint, at: datetime) -> Outgoing:
    """Return the record of a message; all have one key, so that they stay in order."""
    checkpoint = isinstance(message, Checkpoint)
    attributes = {
        "ce_specversion": "1.0",
        "ce_id": str(uuid4()),
        "ce_source": _SOURCE,
        "ce_type": CHECKPOINT_TYPE if checkpoint else HEADS_TYPE,
        "ce_time": rfc3339(at),
        "content-type": JSON,
    }
    headers = tuple((name, value.encode()) for name, value in attributes.items())
    return Outgoing(CHECKPOINT_TOPIC, b"checkpoint", message.to_json(), headers)


def read(value: bytes) -> CheckpointHeads | Checkpoint:
    """Return the message in a record value.

    Raises:
        CheckpointError: it is neither of the two.
    """
    try:
        return _PUBLISHED.validate_json(value)
    except ValidationError:
        raise CheckpointError("a record that is neither heads nor a checkpoint") from None


class SigningKey:
    """A private key that signs checkpoints."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public = PublicKey(private.public_key())

    @classmethod
    def new(cls) -> SigningKey:
        """Return a new random key."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def read(cls, pem: bytes) -> SigningKey:
        """Return the key in a PEM text.

        Raises:
            KeyUnreadable: the text holds no Ed25519 private key without a password.
        """
        try:
            key = load_pem_private_key(pem, None)
        except (ValueError, TypeError):
            key = None
        if not isinstance(key, Ed25519PrivateKey):
            raise KeyUnreadable("no Ed25519 private key in PEM; make one: icam checkpoint new-key")
        return cls(key)

    def pem(self) -> bytes:
        """Return the private key as PEM (PKCS #8), without a password."""
        return self._private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def sign(self, tree: Tree, at: Instant, *, restored: bool = False) -> Checkpoint:
        """Return a signed checkpoint of a tree."""
        unsigned = Checkpoint(
            size=tree.size,
            root=tree.root().hex(),
            at=at,
            restored=restored,
            key=self.public.id,
            signature="0" * 128,
        )
        signature = self._private.sign(_signed_text(unsigned))
        return replace(unsigned, signature=signature.hex())


class PublicKey:
    """A public key that checks checkpoints. ``id`` is its SHA-256, hexadecimal."""

    def __init__(self, public: Ed25519PublicKey) -> None:
        self._public = public
        raw = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.id = sha256(raw).hexdigest()

    @classmethod
    def read_all(cls, pem: bytes) -> list[PublicKey]:
        """Return every key in a PEM text: the present one and those before it.

        Raises:
            KeyUnreadable: the text holds no key, or one that is not an Ed25519 public key.
        """
        blocks = _PEM_BLOCK.findall(pem)
        keys: list[PublicKey] = []
        for block in blocks:
            try:
                key = load_pem_public_key(block)
            except ValueError:
                key = None
            if not isinstance(key, Ed25519PublicKey):
                raise KeyUnreadable(f"block {len(keys) + 1} is no Ed25519 public key in PEM")
            keys.append(cls(key))
        if not keys:
            raise KeyUnreadable("no Ed25519 public key in PEM")
        return keys

    def pem(self) -> bytes:
        """Return the public key as PEM (SubjectPublicKeyInfo)."""
        return self._public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def signed(self, checkpoint: Checkpoint) -> bool:
        """Return whether this key signed the checkpoint, exactly as it is."""
        try:
            self._public.verify(bytes.fromhex(checkpoint.signature), _signed_text(checkpoint))
        except InvalidSignature:
            return False
        return True


def _signed_text(checkpoint: Checkpoint) -> bytes:
    fields = checkpoint.to_dict()
    del fields["signature"]
    return _CONTEXT + orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)


class Trail:
    """The published messages from the first on, each checked as it is added."""

    def __init__(self, keys: Iterable[PublicKey]) -> None:
        """``keys`` are all keys that may have signed, the earlier ones too."""
        self._keys = {key.id: key for key in keys}
        self.tree = Tree()
        self.last: Checkpoint | None = None
        self.latest: dict[str, Head] = {}
        """The newest leaf of each case, whether a checkpoint signs it already or not."""
        self._waiting: list[CaseHead] = []

    def add(self, message: CheckpointHeads | Checkpoint) -> Sequence[CaseHead]:
        """Add the next message; return the heads that a checkpoint signs for the first time.

        Raises:
            SignatureWrong: a checkpoint is not signed by one of the keys.
            TreeWrong: the leaves so far are not those that it signs.
        """
        if isinstance(message, CheckpointHeads):
            return self._add_heads(message)
        of = f"checkpoint of {message.at:%Y-%m-%d %H:%M} UTC"
        key = self._keys.get(message.key)
        if key is None:
            detail = "which is not one of yours"
            raise SignatureWrong(f"{of}: signed by key {message.key[:16]}, {detail}")
        if not key.signed(message):
            raise SignatureWrong(f"{of}: forged, or changed after it was signed")
        if (message.size, message.root) != (self.tree.size, self.tree.root().hex()):
            detail = f"signs {message.size} leaves; the {self.tree.size} before it are others"
            raise TreeWrong(f"{of}: {detail}")
        self.last = message
        signed, self._waiting = self._waiting, []
        return signed

    def _add_heads(self, message: CheckpointHeads) -> Sequence[CaseHead]:
        if message.first != self.tree.size:
            raise TreeWrong(f"leaf {message.first} follows leaf {self.tree.size - 1}")
        for one in message.heads:
            self.tree.add(leaf(one.case_id, one.head))
            self.latest[one.case_id] = one.head
        self._waiting += message.heads
        return ()
