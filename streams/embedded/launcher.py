"""``launcher.py PARENT SIGNAL ACCOUNT COMMAND...``: run COMMAND; it gets SIGNAL when PARENT ends.

ACCOUNT is ``UID:GID``, or ``-`` to stay who we are. PostgreSQL refuses to run as root; changing to
an account that exists saves making one. If that account can't reach the program or the working
directory, as below ``/root``, it keeps one capability: to pass file permissions. For demos and
tests only.

A program of its own, run by path and importing nothing of ours: code between fork and exec can
deadlock when the parent has threads, and the working directory need not be the checkout.
"""

from __future__ import annotations

import ctypes
import os
import sys

_CAP_DAC_OVERRIDE, _CAP_SETPCAP = 1, 8
_PR_SET_PDEATHSIG, _PR_SET_KEEPCAPS, _PR_SET_SECUREBITS = 1, 8, 28
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 47, 2
_SECBIT_NO_SETUID_FIXUP = 1 << 2
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


def become(uid: int, gid: int, program: str) -> None:
    """Give up root for good. Where the capability can't be kept, go on without it."""
    directory = os.getcwd()
    _LIBC.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    if os.access(program, os.R_OK | os.X_OK) and os.access(directory, os.W_OK | os.X_OK):
        return
    kept = 1 << _CAP_DAC_OVERRIDE
    now = kept | 1 << _CAP_SETPCAP
    header = _Header(_CAPABILITY_VERSION_3, 0)
    data = (_Data * 2)(_Data(now, now, kept), _Data(0, 0, 0))
    if _LIBC.capset(ctypes.byref(header), data) == 0:
        # PostgreSQL asks access(2) for its own programs, which else leaves capabilities aside.
        _LIBC.prctl(_PR_SET_SECUREBITS, _SECBIT_NO_SETUID_FIXUP, 0, 0, 0)
        _LIBC.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_DAC_OVERRIDE, 0, 0)


def main(parent: str, number: str, account: str, *command: str) -> None:
    """Turn into the command, or say in one line why not."""
    try:
        if account != "-":
            uid, gid = account.split(":")
            become(int(uid), int(gid), command[0])
        # Only now: changing the account clears it.
        _LIBC.prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
        if os.getppid() != int(parent):
            sys.exit("the parent has ended already")
        os.execv(command[0], command)  # noqa: S606 - our own command
    except OSError as error:
        sys.exit(f"can't run {command[0]} as {account}: {error}; try as an ordinary user")


if __name__ == "__main__":
    main(*sys.argv[1:])
