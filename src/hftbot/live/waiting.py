"""Waiting for something that a frame brings about: looked at after every frame, with a deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

# Less than this is no time: a loop on virtual time cannot wait for a part of a nanosecond.
MOMENT_S = 1e-6
LOOK_AGAIN_S = 0.25


class Waiting:
    """Who waits on a session, and what wakes them. Costs a frame one look while nobody does."""

    def __init__(self) -> None:
        self._wakeup = asyncio.Event()
        self._count = 0

    def stir(self) -> None:
        """Something happened: whoever waits looks again."""
        if self._count:
            self._wakeup.set()

    async def condition(self, condition: Callable[[], bool], deadline_s: float) -> bool:
        """Wait until a condition holds; it is looked at after every frame. False if too late."""
        loop = asyncio.get_running_loop()
        end_s = loop.time() + deadline_s
        self._count += 1
        try:
            while not condition():
                left_s = end_s - loop.time()
                if left_s < MOMENT_S:
                    return False
                self._wakeup.clear()
                try:
                    await asyncio.wait_for(self._wakeup.wait(), min(left_s, LOOK_AGAIN_S))
                except TimeoutError:
                    continue
            return True
        finally:
            self._count -= 1
