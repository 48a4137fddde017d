"""Two Linux calls that CPython 3.11 lacks: timerfd (3.13 has it) and prctl."""

from __future__ import annotations

import ctypes
import os

PR_SET_PDEATHSIG = 1
TFD_NONBLOCK = 0o4000
TFD_CLOEXEC = 0o2000000
CLOCK_MONOTONIC = 1


class _Timespec(ctypes.Structure):
    _fields_ = (("sec", ctypes.c_long), ("nsec", ctypes.c_long))


class _Itimerspec(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


class Kernel:
    """libc, bound once per process before the fork (about 0.6 MB, shared)."""

    def __init__(self) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._prctl = libc.prctl
        self._create = libc.timerfd_create
        self._settime = libc.timerfd_settime

    def die_with_parent(self, signum: int) -> None:
        """Deliver `signum` to this process when its parent ends (prctl(2)).

        The caller checks afterwards that the parent did not end before.
        """
        if self._prctl(PR_SET_PDEATHSIG, signum, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")

    def timerfd(self) -> int:
        """A new disarmed, non-blocking timerfd on CLOCK_MONOTONIC."""
        fd = int(self._create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC))
        if fd < 0:
            errno = ctypes.get_errno()
            raise OSError(errno, os.strerror(errno))
        return fd

    def arm(self, fd: int, seconds: float, interval: float = 0.0) -> None:
        """Fire after `seconds` (> 0), then each `interval`; (0, 0) disarms."""
        spec = _Itimerspec(_timespec(interval), _timespec(seconds))
        if self._settime(fd, 0, ctypes.byref(spec), None) != 0:
            errno = ctypes.get_errno()
            raise OSError(errno, os.strerror(errno))


def _timespec(seconds: float) -> _Timespec:
    nanoseconds = int(seconds * 1e9)
    return _Timespec(nanoseconds // 1_000_000_000, nanoseconds % 1_000_000_000)
