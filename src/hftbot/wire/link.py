"""The life of a connection: connect, watch for silence, reconnect with backoff."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Literal

from fastcore.probe.clock import mono_ns
from hftbot.errors import Denied, Disconnected, VenueError
from hftbot.wire import ws
from hftbot.words.ports import Rng

POLICY_VIOLATION = 1008
State = Literal["idle", "waiting", "connecting", "open", "closed"]


class ConnectBudget:
    """How many connection attempts one address may make in a sliding window.

    Kraken bans an address for ten minutes after 150 attempts within ten; links that share an
    address share one budget.
    """

    def __init__(self, limit: int = 150, window_s: float = 600.0) -> None:
        self.limit = limit
        self.window_s = window_s
        self._taken: deque[float] = deque(maxlen=limit)

    def wait_s(self, now_s: float) -> float:
        """Seconds until the next attempt is allowed, 0 if it is now."""
        if len(self._taken) < self.limit:
            return 0.0
        return max(0.0, self._taken[0] + self.window_s - now_s)

    def used(self, now_s: float) -> int:
        """Attempts that the window still counts."""
        return sum(1 for taken_s in self._taken if taken_s + self.window_s > now_s)

    def take(self, now_s: float) -> None:
        """Count one attempt."""
        self._taken.append(now_s)


class Backoff:
    """Exponential backoff with full jitter: a random share of first * 2**n, at most the cap."""

    def __init__(self, rng: Rng, first_s: float = 0.25, cap_s: float = 30.0) -> None:
        self.failures = 0
        self._rng = rng
        self._first_s = first_s
        self._cap_s = cap_s

    def next_s(self) -> float:
        """How long to wait before the next attempt; 0 before the very first."""
        if not self.failures:
            return 0.0
        ceiling_s = min(self._cap_s, self._first_s * 2.0 ** min(self.failures - 1, 32))
        return self._rng.random() * ceiling_s


class Link:
    """Keeps one WebSocket connected until it is stopped.

    ``on_open(wire)`` after each connect, ``on_frame(view, padding, recv_ns)`` for each frame,
    ``on_close(reason)`` after each loss or failed attempt. ``prepare`` is awaited before each
    attempt (a token is fetched there; it may set ``url``). No inbound text frame for
    ``silence_s`` closes and reconnects; a connection that lived ``stable_s`` resets the backoff.
    """

    def __init__(self, url: str, rng: Rng, *, on_open: Callable[[ws.WsWire], object],
                 on_frame: ws.OnFrame, on_close: ws.OnClose,
                 prepare: Callable[[], Awaitable[object]] | None = None,
                 silence_s: float = 5.0, stable_s: float = 10.0, backoff: Backoff | None = None,
                 budget: ConnectBudget | None = None, connect: ws.Connect = ws.connect,
                 clock_ns: Callable[[], int] = mono_ns) -> None:
        self.url = url
        self.state: State = "idle"
        self.wire: ws.WsWire | None = None
        self.attempts = self.losses = self.silences = 0
        self.backoff = backoff or Backoff(rng)
        self.budget = budget or ConnectBudget()
        self._on_open = on_open
        self._on_frame = on_frame
        self._on_close = on_close
        self._prepare = prepare
        self._silence_s = silence_s
        self._stable_s = stable_s
        self._connect = connect
        self._clock_ns = clock_ns
        self._stopping = asyncio.Event()

    def send(self, frame: bytes | bytearray | memoryview) -> None:
        """Send on the current connection. Raises Disconnected if there is none."""
        if self.wire is None:
            raise Disconnected("not sent: the link is down")
        self.wire.send(frame)

    def stop(self) -> None:
        """Close and do not come back; ``run`` returns."""
        self._stopping.set()
        if self.wire is not None:
            self.wire.close("stopped")

    def reconnect(self, reason: str) -> None:
        """Drop the current connection; the link comes back by itself."""
        if self.wire is not None:
            self.wire.close(reason, abort=True)

    async def run(self) -> None:
        """Connect and stay connected until ``stop``.

        Raises Denied if the venue closed for a policy violation, any error of ``prepare`` whose
        remedy is to refuse or halt, and whatever ``on_frame`` raised.
        """
        try:
            while await self._pause():
                try:
                    await self._once()
                except VenueError as error:
                    if error.remedy in ("halt", "refuse"):
                        raise
                    self.backoff.failures += 1
                    self._on_close(str(error))
        finally:
            self.state = "closed"

    async def _pause(self) -> bool:
        """Wait out backoff and budget. False if the link is stopped."""
        loop = asyncio.get_running_loop()
        self.state = "waiting"
        wait_s = max(self.backoff.next_s(), self.budget.wait_s(loop.time()))
        if wait_s > 0 and not self._stopping.is_set():
            try:
                async with asyncio.timeout(wait_s):
                    await self._stopping.wait()
            except TimeoutError:
                pass
        return not self._stopping.is_set()

    async def _once(self) -> None:
        """One connection from its attempt to its end."""
        loop = asyncio.get_running_loop()
        self.state = "connecting"
        if self._prepare is not None:
            await self._prepare()
        if self.budget.wait_s(loop.time()) > 0:
            # Another link took the last place while this one waited for it too.
            return
        self.budget.take(loop.time())
        self.attempts += 1
        gone: asyncio.Future[str] = loop.create_future()

        def settle(reason: str) -> None:
            if not gone.done():
                gone.set_result(reason)

        wire = await self._connect(self.url, self._on_frame, settle)
        opened_s = loop.time()
        watch = loop.create_task(self._watch(wire))
        try:
            if not self._stopping.is_set():
                self.wire, self.state = wire, "open"
                self._on_open(wire)
            else:
                wire.close("stopped")
            reason = await gone
        except BaseException:
            wire.close("closed by us", abort=True)
            raise
        finally:
            self.wire = None
            watch.cancel()
        self._ended(wire, reason, loop.time() - opened_s)

    def _ended(self, wire: ws.WsWire, reason: str, lived_s: float) -> None:
        self.losses += 1
        # The first attempt after a long life follows at once or nearly so.
        self.backoff.failures = 1 if lived_s >= self._stable_s else self.backoff.failures + 1
        self._on_close(reason)
        if wire.failure is not None:
            raise wire.failure
        if wire.close_code == POLICY_VIOLATION:
            raise Denied(f"{self.url}: the venue closed for a policy violation: {reason}")

    async def _watch(self, wire: ws.WsWire) -> None:
        """Close a connection on which nothing arrives."""
        silence_ns = int(self._silence_s * 1e9)
        while True:
            silent_ns = self._clock_ns() - wire.last_recv_ns
            if silent_ns >= silence_ns:
                self.silences += 1
                wire.close(f"silent for {silent_ns / 1e9:.1f} s", abort=True)
                return
            await asyncio.sleep(max((silence_ns - silent_ns) / 1e9, 0.001))
