"""What a worker wrote is signed on real Kafka, and a change by the database's owner is found."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from pydantic import SecretStr

from schemas.chain import Tree
from schemas.checkpoints import SigningKey, encode
from schemas.codec import digest
from streams.audit.checkpoints import published
from streams.cli import main
from streams.kafka.connection import client
from streams.kafka.publish import PublishError, Transaction
from streams.runtime.settings import DatabaseSettings
from streams.services.checkpoint import TRANSACTIONAL_ID, Signer
from streams.simulate.settings import SimulationSettings
from streams.simulate.stream import stream
from streams.store import chains
from streams.store.pool import open_pool
from tests.domain.given import WEDNESDAY
from tests.pipeline.stage import Stage, until

pytestmark = [pytest.mark.kafka, pytest.mark.any_date]


@pytest.fixture
def icam(stage: Stage, tmp_path: Path) -> Callable[..., Result]:
    """The command, with the settings of the stage and a key of its own."""
    made = CliRunner().invoke(
        main, ["checkpoint", "new-key", str(tmp_path / "key"), str(tmp_path / "pub")]
    )
    assert made.exit_code == 0, made.output
    assert (tmp_path / "key").stat().st_mode & 0o077 == 0, "only its owner reads the private key"
    environment = {**stage.environment, "ICAM_CHECKPOINT__KEY_FILE": str(tmp_path / "key")}

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(main, arguments, env=environment)

    return run


def test_what_a_worker_wrote_is_signed_and_a_change_of_it_is_found(
    stage: Stage, icam: Callable[..., Result], tmp_path: Path
) -> None:
    settings = SimulationSettings(
        start=WEDNESDAY - timedelta(days=90), end=WEDNESDAY, seed=5, cases=30
    )
    worker = stage.worker("worker")
    worker.start()
    stage.publish(planned.record for planned in stream(settings))
    stage.drain()
    public, file = str(tmp_path / "pub"), tmp_path / "checkpoints.jsonl"
    verify = ("audit", "chain", "--public-key", public)

    assert icam(*verify).exit_code == 1, "nothing is signed yet"
    first = icam("checkpoint", "sign", "--json")
    assert first.exit_code == 0, first.output
    again = json.loads(icam("checkpoint", "sign", "--json").stdout)
    assert json.loads(first.stdout)["cases"] > 10
    assert (again["cases"], again["leaves"]) == (0, json.loads(first.stdout)["leaves"])
    checked = icam(*verify, "--json")
    assert checked.exit_code == 0, checked.output
    assert json.loads(checked.stdout)["counts"]["entries.unsigned"] == 0
    assert icam("checkpoint", "export", str(file)).exit_code == 0
    assert len(file.read_text().splitlines()) == 3, "heads and two checkpoints"

    exporter = stage.role("exporter", ICAM_CHECKPOINT__PUBLIC_KEY_FILE=public)
    exporter.start()
    signed = re.compile(r"^icam_checkpoint_last_timestamp_seconds [1-9]", re.MULTILINE)
    read = "the exporter has read the checkpoints"
    until(lambda: signed.search(exporter.metrics()) is not None, 60, read)
    shown = dict(line.rsplit(" ", 1) for line in exporter.metrics().splitlines())
    assert float(shown['icam_audit_findings{check="heads"}']) == 0

    case_id = asyncio.run(_rewrite_an_event(stage))
    found = icam(*verify, "--checkpoints", str(file), "--json")
    assert found.exit_code == 1, "offline: by the database, the public key and the exported file"
    assert [one["reference"] for one in json.loads(found.stdout)["findings"]] == [case_id]
    refused = icam("checkpoint", "sign")
    assert refused.exit_code == 1
    assert case_id in refused.output
    assert "nothing was signed" in refused.output


def test_of_two_signers_the_later_one_wins(stage: Stage) -> None:
    async def sign(signer: Signer) -> int:
        pool = await open_pool(DatabaseSettings(url=SecretStr(stage.postgres.url)), "test")
        try:
            return (await signer.sign(pool)).leaves
        finally:
            await pool.close()

    earlier = Transaction(stage.kafka, TRANSACTIONAL_ID)
    key = SigningKey.new()
    assert asyncio.run(sign(Signer(stage.kafka, key))) == 0

    with pytest.raises(PublishError):
        earlier.commit([encode(key.sign(Tree(), WEDNESDAY), WEDNESDAY)])
    assert len(list(published(client(stage.kafka)))) == 1


async def _rewrite_an_event(stage: Stage) -> str:
    """Change an event, with its digest and the head of its case; return the case."""
    pool = await open_pool(DatabaseSettings(url=SecretStr(stage.postgres.url)), "test")
    async with pool.acquire() as conn, conn.transaction():
        row = await conn.fetchrow(
            "SELECT event_id, case_id, type, occurred_at, payload::text AS payload FROM case_event"
            " WHERE type = 'icam.oqt-issued.v1' ORDER BY event_id LIMIT 1"
        )
        assert row is not None
        payload = row["payload"].replace('"language":', '"language" :').encode()
        assert payload != row["payload"].encode()
        await conn.execute(
            "UPDATE case_event SET payload = $2::json, digest = $3 WHERE event_id = $1",
            row["event_id"],
            payload.decode(),
            digest(row["type"], row["case_id"], row["occurred_at"], payload),
        )
        await chains.restore(conn, [row["case_id"]])
    await pool.close()
    case_id: str = row["case_id"]
    return case_id
