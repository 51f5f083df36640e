"""Holds the Java program against the Python domain; exits 1 on a difference.

``python -m tests.bench.kafka_streams.compare HOME`` does it on a real Kafka of its own, for two
sizes and two seeds, in two ways:

- *replay*: the same records in the same order, without Kafka: every message must be the same, byte
  for byte, evidence included;
- *streams*: the whole program on Kafka, where cases come in any order: projections and standing
  escalations must be the same in the end.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import orjson

from schemas.codec import Outgoing
from streams import reference
from tests.bench.history import END, History, history
from tests.bench.kafka_streams import contender, export
from tests.bench.kafka_streams.truth import worked
from tests.bench.stage import Stage
from tests.bench.work import Work

_REPLAY = "be.icam.bench.Replay"
_NOW = END.isoformat()


def replayed(classes: Path, exported: Path, records: Sequence[Outgoing]) -> list[Outgoing]:
    """Return the messages that Java sends when it is handed these records in this order. Blocks."""
    done = subprocess.run(
        [*contender.command(classes, exported, _REPLAY), str(exported), _NOW],
        input=b"".join(orjson.dumps(_texts(record)) + b"\n" for record in records),
        stdout=subprocess.PIPE,
        check=True,
    )
    return [_record(line) for line in done.stdout.splitlines()]


def streamed(classes: Path, exported: Path, stage: Stage, events: int) -> tuple[Work, float]:
    """Return what Kafka Streams makes of the topics, and its events a second. Blocks."""
    place = stage.place("compare")
    place.mkdir()
    dump = place / "dump.json"
    told = {
        **stage.environment(),
        "ICAM_BENCH_NOW": _NOW,
        "ICAM_BENCH_REFERENCE": str(exported),
        "ICAM_BENCH_STATE": str(place / "state"),
        "ICAM_BENCH_EVENTS": str(events),
        "ICAM_BENCH_DUMP": str(dump),
    }
    subprocess.run(contender.command(classes, exported), env={**os.environ, **told}, check=True)
    found = orjson.loads(dump.read_bytes())
    work = Work.of(found["events"], found["projections"], found["escalations"])
    return work, found["events"] / found["seconds"]


def differences(
    classes: Path, exported: Path, stage: Stage, made: History
) -> Iterator[tuple[str, list[str]]]:
    """Yield each way of comparing, and how Java differs in it from Python. Blocks."""
    truth, messages = worked(made.records, reference.load(), END)
    again = replayed(classes, exported, made.records)
    yield f"replay, {len(messages)} messages", _unlike(messages, again)
    stage.fill(made.records)
    work, rate = streamed(classes, exported, stage, made.events)
    yield f"streams, {rate:,.0f} events/s", truth.differences(work)


def _unlike(ours: Sequence[Outgoing], theirs: Sequence[Outgoing]) -> list[str]:
    if len(ours) != len(theirs):
        return [f"{len(theirs)} messages instead of {len(ours)}"]
    unlike = [
        f"{other} instead of {own}" for own, other in zip(ours, theirs, strict=True) if own != other
    ]
    return [f"{len(unlike)} messages differ, such as {unlike[0]}"] if unlike else []


def _texts(record: Outgoing) -> dict[str, object]:
    return {
        "topic": record.topic,
        "key": record.key.decode(),
        "value": record.value.decode(),
        "headers": [(name, value.decode()) for name, value in record.headers],
    }


def _record(line: bytes) -> Outgoing:
    said = orjson.loads(line)
    headers = tuple((name, value.encode()) for name, value in said["headers"])
    return Outgoing(said["topic"], said["key"].encode(), said["value"].encode(), headers)


def main(home: Path, sizes: Sequence[int], seeds: Sequence[int]) -> int:
    """Compare every size with every seed; return the exit code."""
    home.mkdir(parents=True, exist_ok=True)
    classes = contender.build(home / "java")
    exported = home.absolute() / "reference.json"
    export.main(exported)
    failed = False
    with Stage(home / "stage") as stage:
        for size in sizes:
            for seed in seeds:
                made = history(size, seed=seed)
                for how, found in differences(classes, exported, stage, made):
                    failed |= bool(found)
                    print(f"{size} events, seed {seed}, {how}:", "; ".join(found) or "the same")
    return int(failed)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("home", type=Path, help="where everything is written")
    parser.add_argument("--sizes", type=int, nargs="+", default=[3_000, 15_000])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    chosen = parser.parse_args()
    sys.exit(main(chosen.home, chosen.sizes, chosen.seeds))
