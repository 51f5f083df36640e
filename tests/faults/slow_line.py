"""``slow_line.py LEAST MOST``: a network device that returns each packet after some milliseconds.

Packets stay in order, as on a long or congested line. It runs as a separate program, by path.
"""

from __future__ import annotations

import fcntl
import os
import select
import struct
import sys
import time
from collections import deque
from random import Random

DEVICE = "slow"

_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x4004_54CA, 0x1, 0x1000
_LARGEST = 65_536


def main(least_ms: float, most_ms: float) -> None:
    """Delay packets until killed; packets held at that moment are lost."""
    dice = Random(1)
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH", DEVICE.encode(), _IFF_TUN | _IFF_NO_PI))
    held: deque[tuple[float, bytes]] = deque()
    while True:
        patience = max(0.0, held[0][0] - time.monotonic()) if held else None
        if select.select([device], [], [], patience)[0]:
            due = time.monotonic() + dice.uniform(least_ms, most_ms) / 1000
            held.append((due, os.read(device, _LARGEST)))
        while held and held[0][0] <= time.monotonic():
            os.write(device, held.popleft()[1])


if __name__ == "__main__":
    main(*map(float, sys.argv[1:]))
