"""Busy polling: keeps the event loop from sleeping, at the price of one core."""

from __future__ import annotations

import asyncio
import os

from fastcore.probe.clock import mono_ns
from hftbot.errors import ConfigError

MODES = ("off", "on", "adaptive")
SPIN_NS = 200_000


def processors() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class BusyPoll:
    """Spins the running loop: ``on`` always, ``adaptive`` for 200 us after each ``touch``.

    With fewer than two processors it stays off and ``note`` says so: a spinning bot would starve
    the peer that it waits for.
    """

    def __init__(self, mode: str, processor_count: int | None = None) -> None:
        if mode not in MODES:
            raise ConfigError(f"BUSY_POLL={mode!r}: it must be one of {', '.join(MODES)}")
        count = processors() if processor_count is None else processor_count
        self.note = ""
        if mode != "off" and count < 2:
            self.note = f"busy_poll: {mode} needs two processors, {count} found: off"
            mode = "off"
        self.mode = mode
        self.spinning = False
        self._until_ns = 0
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> str:
        """Begin on the running loop. Returns the note for the user, empty if there is none."""
        self._loop = asyncio.get_running_loop()
        if self.mode == "on":
            self.spinning = True
            self._loop.call_soon(self._spin)
        return self.note

    def touch(self, now_ns: int) -> None:
        """A frame arrived at this monotonic time: in ``adaptive`` mode spin for a while."""
        if self.mode != "adaptive" or self._loop is None:
            return
        self._until_ns = now_ns + SPIN_NS
        if not self.spinning:
            self.spinning = True
            self._loop.call_soon(self._spin_a_while)

    def stop(self) -> None:
        """Let the loop sleep again."""
        self.spinning = False
        self._loop = None

    def _spin(self) -> None:
        if self._loop is not None:
            self._loop.call_soon(self._spin)

    def _spin_a_while(self) -> None:
        if self._loop is not None and mono_ns() < self._until_ns:
            self._loop.call_soon(self._spin_a_while)
        else:
            self.spinning = False
