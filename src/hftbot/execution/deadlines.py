"""Time limits of many waits, with one timer for all that wait equally long."""

from __future__ import annotations

import asyncio
from collections import deque

# A longer wait has a timer of its own, so that nothing that is over is kept for long.
SHARED_S_MAX = 60.0
Wait = tuple[float, "asyncio.Future[bool]"]


class Deadlines:
    """Waits for futures, each for so many seconds; a timer for each order would cost as much as
    reading one of its reports."""

    def __init__(self) -> None:
        self._waits: dict[float, deque[Wait]] = {}
        # Lengths whose timer runs.
        self._timed: set[float] = set()

    async def wait(self, future: asyncio.Future[bool], timeout_s: float) -> bool:
        """The future's answer; False if there is none after ``timeout_s``."""
        loop = asyncio.get_running_loop()
        if timeout_s > SHARED_S_MAX:
            handle = loop.call_later(timeout_s, _give_up, future)
            try:
                return await future
            finally:
                handle.cancel()
        waits = self._waits.setdefault(timeout_s, deque())
        while waits and waits[0][1].done():
            waits.popleft()
        waits.append((loop.time() + timeout_s, future))
        if timeout_s not in self._timed:
            self._timed.add(timeout_s)
            loop.call_at(waits[0][0], self._look, timeout_s)
        return await future

    def _look(self, timeout_s: float) -> None:
        """End what waited long enough, and look again when the next one has."""
        loop, waits = asyncio.get_running_loop(), self._waits[timeout_s]
        now_s = loop.time()
        while waits and (waits[0][1].done() or waits[0][0] <= now_s):
            _give_up(waits.popleft()[1])
        if waits:
            loop.call_at(waits[0][0], self._look, timeout_s)
        else:
            del self._waits[timeout_s]
            self._timed.discard(timeout_s)


def _give_up(future: asyncio.Future[bool]) -> None:
    if not future.done():
        future.set_result(False)
