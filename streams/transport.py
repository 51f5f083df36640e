"""Faust's Kafka transport with one thing changed: how long an idle fetch waits.

Faust fixes it at 1500 ms in code. A real broker answers as soon as there is a record, so there it
only paces empty fetches; the embedded broker makes every record wait it out.
"""

from __future__ import annotations

from typing import Any, cast

from faust.transport.drivers import aiokafka as driver


class _Thread(driver.AIOKafkaConsumerThread):
    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = cast(Any, self.app).fetch_max_wait_ms  # read when it starts
        return consumer


class _Consumer(driver.Consumer):
    def _new_consumer_thread(self) -> _Thread:
        return _Thread(self, loop=self.loop, beacon=self.beacon)


class PromptTransport(driver.Transport):
    """The transport that ``IcamApp`` uses."""

    Consumer = _Consumer
