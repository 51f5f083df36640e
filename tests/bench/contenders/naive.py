"""The usual Faust agent: one event and one transaction at a time.

The same domain, SQL, relay and deadlines as the pipeline; only the agent's body differs. It loses
the event in progress when it crashes; the benchmark does not measure that.
"""

from __future__ import annotations

import sys
from typing import Any

import faust

from streams.intake.intake import Intake
from streams.runtime.settings import Settings
from streams.worker import agents
from tests.bench.contenders import stock
from tests.producers import TOPICS


def install(made: faust.App, intake: Intake, _: Settings) -> None:
    """Attach an agent that takes one event at a time."""

    @made.agent(agents.input_topics(made, TOPICS), name="naive")
    async def ingest(stream: Any) -> None:
        async for event in stream.events():
            await intake.handle([stock.record_of(event)])


if __name__ == "__main__":
    sys.exit(stock.run(Settings(), install))
