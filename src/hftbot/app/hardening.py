"""Keeps keys in memory from core files and from other processes of the same user."""

from __future__ import annotations

import ctypes
import sys

PR_GET_DUMPABLE, PR_SET_DUMPABLE = 3, 4


def forbid_dumps() -> bool:
    """No core file of this process, and no debugger by other processes; True if both hold.

    Linux only; elsewhere, and where the system refuses, nothing changes and nothing is said.
    """
    return _no_core() and _not_dumpable()


def dumpable() -> bool | None:
    """Whether the system would dump this process; None where it cannot be asked."""
    answer = _prctl(PR_GET_DUMPABLE, 0)
    return None if answer < 0 else answer != 0


def _no_core() -> bool:
    try:
        import resource
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (ImportError, OSError, ValueError):
        return False
    return True


def _not_dumpable() -> bool:
    return _prctl(PR_SET_DUMPABLE, 0) == 0


def _prctl(option: int, argument: int) -> int:
    if not sys.platform.startswith("linux"):
        return -1
    try:
        return int(ctypes.CDLL(None, use_errno=True).prctl(option, argument, 0, 0, 0))
    except (OSError, AttributeError):
        return -1
