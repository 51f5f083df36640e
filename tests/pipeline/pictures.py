"""Pictures of the pages over a real run, as the README shows them: ``make pictures``."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import psycopg
from playwright.sync_api import Browser, expect

from schemas.codec import Outgoing
from streams.casework.whatif import Draft, whatif
from streams.cli.whatif_page import page as report_page
from streams.embedded.kafka import KafkaNode
from streams.embedded.worker import RoleProcess
from streams.kafka.publish import Publisher, at_rate
from streams.runtime.processes import processors
from streams.runtime.settings import DatabaseSettings, Settings
from tests.domain import given
from tests.pipeline.chromium import PHONE, Reader, chromium
from tests.pipeline.histories import history
from tests.pipeline.stage import Stage, until
from tests.producers import FILE

_SLOWER: Final = (
    'clock = "notified", working_days = 3',
    'clock = "notified", working_days = 6',
)
_PICTURES: Final = Path(__file__).parents[2] / "docs" / "pictures"


def main() -> None:
    """Take the pictures of ``docs/pictures`` again, over a Kafka of their own."""
    with TemporaryDirectory() as scratch, KafkaNode(Path(scratch) / "kafka") as node:
        work = Path(scratch) / "stage"
        work.mkdir()
        take(node.bootstrap_servers, work, _PICTURES, scale=0.8, late=1500, readings=50)


def take(
    servers: str, directory: Path, pictures: Path, *, scale: float, late: int, readings: int
) -> list[Path]:
    """Take the board on a light desktop, a dark one and a phone, and a report; return the files.

    The last ``late`` records of the history arrive while the pictures are taken, from the moment
    that the board has taken ``readings`` readings: it draws its lines from them.
    """
    records = [item.record for item in history(scale=scale, malformed=0.01)]
    pictures.mkdir(parents=True, exist_ok=True)
    made = []
    with Stage(servers, directory) as stage:
        stage.worker("worker").start()
        stage.role("canary", ICAM_CANARY__EVERY_SECONDS="5").start()
        stage.publish(records[:-late])
        stage.drain()
        board = stage.role("board", ICAM_BOARD__EVERY_SECONDS="0.5")
        board.start()
        with chromium() as browser, _coming_in(stage, records[-late:], 30):
            until(lambda: _readings(board) >= readings, 60, "there is something to draw")
            for name, language, context in (
                ("light", "en", {"color_scheme": "light"}),
                ("dark", "nl", {"color_scheme": "dark"}),
                ("phone", "fr", {"viewport": PHONE, "device_scale_factor": 2}),
            ):
                reader = Reader(browser, board.address, **context)
                page = reader.open(language)
                expect(page.locator("[data-signal=canary] .state")).not_to_be_empty()
                expect(page.locator("[data-signal=committed] .line")).not_to_have_count(0)
                made.append(pictures / f"board-{name}.png")
                reader.picture(made[-1], full_page=name != "phone")
                assert reader.complaints == []
                reader.close()
        report = _report(stage)  # with no browser: it runs an event loop in this thread
    made.append(pictures / "whatif.png")
    with chromium() as browser:
        _show(browser, report, made[-1])
    return made


def _report(stage: Stage) -> str:
    """Return the report on a draft that asks for a first date after six working days, not three.

    Each event is recorded when it occurred: all were published within minutes.
    """
    settings = Settings(database=DatabaseSettings(url=stage.postgres.url), producers_file=FILE)
    with psycopg.connect(stage.postgres.url) as conn:
        conn.execute("SET session_replication_role = replica")
        conn.execute("UPDATE case_event SET recorded_at = occurred_at")
    draft = Draft(given.ref().policy.body.replace(*_SLOWER))
    answer = whatif(settings, draft, processes=processors())
    return report_page(answer.result, "en", answer.names)


def _show(browser: Browser, report: str, picture: Path) -> None:
    context = browser.new_context(viewport={"width": 1100, "height": 1000}, locale="en-GB")
    shown = context.new_page()
    shown.set_content(report)
    shown.screenshot(path=picture, animations="disabled")
    context.close()


@contextmanager
def _coming_in(stage: Stage, records: Iterable[Outgoing], rate: float) -> Iterator[None]:
    """Publish records at a steady rate while something else is done."""
    publisher, enough = Publisher(stage.kafka), threading.Event()

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


def _readings(board: RoleProcess) -> int:
    signals = board.probe("state")[1]["live"]["signals"]  # type: ignore[index]
    return len(next(one["series"] for one in signals if one["name"] == "outbox"))


if __name__ == "__main__":
    main()
