"""``icam checkpoint``"""

from __future__ import annotations

import os
import time
from functools import partial
from pathlib import Path
from typing import BinaryIO

import click

from streams.cli.output import as_json, console, emit, with_pool
from streams.kafka.connection import client
from streams.runtime.settings import Settings


@click.group()
def checkpoint() -> None:
    """Sign what the cases hold, so that a later change of it is found.

    A checkpoint is a signature over the log and the announcements of every case. It is published on
    icam.checkpoint.v1. icam audit chain verifies the database against all of them.
    """


@checkpoint.command("new-key")
@click.argument("private", type=click.Path(dir_okay=False, path_type=Path))
@click.argument("public", type=click.Path(dir_okay=False, path_type=Path))
def new_key(private: Path, public: Path) -> None:
    """Make a key: write the PRIVATE part, which only the signer may read, and the PUBLIC part.

    Existing files are not overwritten.

    \b
    Example:
      icam checkpoint new-key checkpoint.key checkpoint.pub
    """
    from schemas.checkpoints import SigningKey

    for file in (private, public):
        if file.exists():
            raise click.UsageError(f"{file} exists; move it away or name another file")
    key = SigningKey.new()
    descriptor = os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as secret:
        secret.write(key.pem())
    public.write_bytes(key.public.pem())
    console().print(f"key {key.public.id[:16]}: {private} signs, {public} verifies")


@checkpoint.command()
@click.option("--every", type=click.IntRange(1), help="Repeat at this interval, in seconds.")
@click.option(
    "--restored", is_flag=True, help="An older state of the database was restored on purpose."
)
@as_json
def sign(every: int | None, restored: bool, json_: bool) -> None:
    """Sign the present state of all cases, and publish it.

    Needs ICAM_CHECKPOINT__KEY_FILE, and after a change of the key also the earlier public keys in
    ICAM_CHECKPOINT__PUBLIC_KEY_FILE. Signs nothing and ends with exit code 1 when signed entries
    are missing or changed.

    \b
    Examples:
      icam checkpoint sign
      icam checkpoint sign --every 3600
    """
    from schemas.checkpoints import PublicKey, SigningKey
    from streams.services.checkpoint import Signer

    settings = Settings()
    files = settings.checkpoint
    if files.key_file is None:
        raise click.UsageError("ICAM_CHECKPOINT__KEY_FILE is not set: make a key with new-key")
    key = SigningKey.read(files.key_file.read_bytes())
    public = files.public_key_file
    earlier = PublicKey.read_all(public.read_bytes()) if public else []
    signer = Signer(settings.kafka, key, earlier)
    while True:
        done = with_pool(settings, partial(signer.sign, restored=restored))
        if json_:
            emit({"cases": done.cases, "leaves": done.leaves, "root": done.root})
        else:
            line = f"signed {done.cases} changed cases, {done.leaves} leaves, root {done.root[:16]}"
            console().print(line)
        if every is None:
            return
        restored = False
        time.sleep(every)


@checkpoint.command()
@click.argument("file", type=click.File("wb"))
def export(file: BinaryIO) -> None:
    """Write all checkpoints into FILE, one JSON document a line; - prints them.

    \b
    Examples:
      icam checkpoint export checkpoints.jsonl
      icam checkpoint export - | tail -n 1
    """
    from streams.audit.checkpoints import published

    # All are read before the file is opened: it is whole, or as it was.
    for value in list(published(client(Settings().kafka))):
        file.write(value + b"\n")
