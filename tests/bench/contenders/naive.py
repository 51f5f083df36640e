"""The naive way: the usual Faust agent, one event and one transaction at a time.

The same domain, SQL, relay and deadlines as the pipeline; only the agent's body differs. It also
loses what it was working on when it crashes: that is not what is measured here.
"""

from __future__ import annotations

import sys
from typing import Any

import faust

from schemas.events import INPUT_TOPICS
from streams.intake.intake import Intake
from streams.runtime.settings import Settings
from streams.worker import agents, app


def install(app: faust.App, intake: Intake, settings: Settings) -> None:
    """Attach an agent that takes one event at a time."""
    topic = app.topic(
        *INPUT_TOPICS,
        key_type=bytes,
        value_type=bytes,
        key_serializer="raw",
        value_serializer="raw",
    )

    @app.agent(topic, name="naive")
    async def take_in(stream: Any) -> None:
        async for event in stream.events():
            await intake.handle([agents.record_of(event)])


if __name__ == "__main__":
    agents.install = install
    sys.exit(app.run(Settings()))
