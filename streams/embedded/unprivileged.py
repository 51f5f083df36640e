"""``python -m streams.embedded.unprivileged COMMAND...``: root runs COMMAND as ``nobody``.

PostgreSQL refuses to run as root. The account ``nobody`` exists everywhere, so no system user has
to be made. Two capabilities are kept, to read and write files whatever their permissions: without
them a checkout below ``/root`` could not be reached. For demos and tests only.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import signal
import sys

from streams.embedded.process import die_with_parent

_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH = 1, 2
_PR_SET_KEEPCAPS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 8, 47, 2
_CAPABILITY_VERSION_3 = 0x20080522
_LIBC = ctypes.CDLL(None, use_errno=True)


class _Header(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class _Data(ctypes.Structure):
    _fields_ = [
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    ]


def account() -> tuple[int, int]:
    """Return user and group id of the account used."""
    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid


def become_nobody() -> None:
    """Give up root for good. Where the capabilities can't be kept, go on without them."""
    uid, gid = account()
    _LIBC.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    kept = 1 << _CAP_DAC_OVERRIDE | 1 << _CAP_DAC_READ_SEARCH
    header = _Header(_CAPABILITY_VERSION_3, 0)
    data = (_Data * 2)(_Data(kept, kept, kept), _Data(0, 0, 0))
    if _LIBC.capset(ctypes.byref(header), data) == 0:
        for capability in (_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH):
            _LIBC.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability, 0, 0)


if __name__ == "__main__":
    become_nobody()
    die_with_parent(signal.SIGINT)  # changing user has cleared it
    os.execv(sys.argv[1], sys.argv[1:])  # noqa: S606 - our own command
