"""A worker without the library of a codec, as one that is older than a producer's codec."""

from __future__ import annotations

import sys

from aiokafka import codec

from streams.runtime.settings import Settings
from streams.worker import app

codec.has_zstd = lambda: False
sys.exit(app.run(Settings()))
