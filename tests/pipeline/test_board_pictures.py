"""Pictures of the live page over a real run, as the README shows them: ``make pictures``."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import expect

from schemas.codec import Outgoing
from streams.embedded.worker import RoleProcess
from streams.kafka.publish import Publisher, at_rate
from tests.pipeline.chromium import PHONE, Reader, chromium
from tests.pipeline.histories import history
from tests.pipeline.stage import Stage, until

pytestmark = [pytest.mark.kafka, pytest.mark.alone, pytest.mark.chromium]

PICTURES = Path(__file__).parents[2] / ".run" / "pictures"
LATE = 1500
"""Records that come in while the pictures are taken."""


READINGS = 50
"""How many the board has taken by then: its lines are drawn from them."""


@contextmanager
def coming_in(stage: Stage, records: Iterable[Outgoing], rate: float) -> Iterator[None]:
    """Publish records at a steady rate while something else is done."""
    publisher, enough = Publisher(stage.kafka.bootstrap_servers), threading.Event()

    def publish() -> None:
        for record in at_rate(records, rate):
            if enough.is_set():
                break
            publisher.send(record)
        publisher.flush()

    beside = threading.Thread(target=publish)
    beside.start()
    try:
        yield
    finally:
        enough.set()
        beside.join()


def test_pictures_are_taken_of_a_page_that_lives(kafka_servers: str, tmp_path: Path) -> None:
    records = [item.record for item in history(scale=0.8, malformed=0.01)]
    PICTURES.mkdir(parents=True, exist_ok=True)
    with chromium() as browser, Stage(kafka_servers, tmp_path) as stage:
        stage.worker("worker").start()
        stage.role("canary", ICAM_CANARY__EVERY_SECONDS="5").start()
        stage.publish(records[:-LATE])
        stage.drain()
        board = stage.role("board", ICAM_BOARD__EVERY_SECONDS="0.5")
        board.start()
        with coming_in(stage, records[-LATE:], 30):
            until(lambda: _readings(board) >= READINGS, 60, "there is something to draw")
            for name, language, context in (
                ("light", "en", {"color_scheme": "light"}),
                ("dark", "nl", {"color_scheme": "dark"}),
                ("phone", "fr", {"viewport": PHONE, "device_scale_factor": 2}),
            ):
                reader = Reader(browser, board.address, **context)
                page = reader.open(language)
                expect(page.locator("[data-signal=canary] .state")).not_to_be_empty()
                expect(page.locator("[data-signal=committed] .line")).not_to_have_count(0)
                path = PICTURES / f"board-{name}.png"
                reader.picture(path, full_page=name != "phone")
                assert path.stat().st_size > 30_000
                assert reader.complaints == []
                reader.close()


def _readings(board: RoleProcess) -> int:
    signals = board.probe("state")[1]["live"]["signals"]  # type: ignore[index]
    return len(next(one["series"] for one in signals if one["name"] == "outbox"))
