"""An asyncio loop on virtual time: nothing waits, every run of one seed is the same run."""

from __future__ import annotations

import asyncio
import selectors


class _JumpSelector(selectors.DefaultSelector):
    """Instead of sleeping until the next timer, moves the loop's clock there."""

    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> list:
        if timeout is None:
            raise RuntimeError("deadlock: nothing is ready and no timer is armed")
        if timeout > 0:
            # At least 1 ns, or float rounding would freeze the loop at large times.
            self.loop.now_ns += max(1, round(timeout * 1e9))
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """Time starts at zero and moves only when nothing is left to do."""

    def __init__(self) -> None:
        self.now_ns = 0
        jump = _JumpSelector()
        super().__init__(jump)
        jump.loop = self
        self._clock_resolution = 1e-9

    def time(self) -> float:
        return self.now_ns / 1e9


class VirtualClock:
    """The Clock port on a VirtualLoop. Wall time starts at ``epoch_us``."""

    def __init__(self, loop: VirtualLoop, epoch_us: int = 1_767_225_600_000_000) -> None:
        self.loop = loop
        self.epoch_us = epoch_us

    def now_us(self) -> int:
        return self.epoch_us + self.loop.now_ns // 1000

    def mono_ns(self) -> int:
        # Never zero: zero means "not seen yet" to the rooms.
        return self.loop.now_ns + 1_000_000_000
