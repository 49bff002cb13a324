"""More messages than were ever recorded, over a real socket: all applied or counted (law 8).

The highest rate of the recorded streams is 2,466 messages in one second (BTC perpetual at
Binance); Kraken's own is 312. Overload is twice the highest.
"""

from __future__ import annotations

import asyncio
import json
import os
import pathlib
import random
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

from fastcore.money.journal import Journal
from hftbot.config.schema import Settings
from hftbot.live.clock import SystemClock
from hftbot.live.session import Session
from hftbot.live.world import World
from hftbot.wire.link import Link
from hftbot.words.market import Side
from hftbot.words.ports import Strategy
from hftbot.words.secret import Secret
from kraken_frames import BTC
from world.ring import Notes

HERE = pathlib.Path(__file__).resolve().parent
RECORDED, RECORDED_KRAKEN = 2_466, 312
CYCLE = 256
OVERLOAD_S = float(os.environ.get("HFTBOT_OVERLOAD_S", "60"))


class Watcher(Strategy):
    """Tries an order for each book, and takes its time over it."""

    name = "watcher"

    def __init__(self, slow_s: float = 0.0) -> None:
        self.slow_s = slow_s
        self.seen: list[tuple[int, int]] = []
        self.frames: Callable[[], int] = lambda: 0

    def on_book(self, book: Any) -> None:
        self.seen.append((self.frames(), time.monotonic_ns()))
        self.desk.place(0, Side.BUY, book.best_ask(), 10_000)
        if self.slow_s:
            time.sleep(self.slow_s)


class Flood:
    """A bot's market half behind a real link, and what was sent to it."""

    def __init__(self, folder: pathlib.Path, watcher: Watcher) -> None:
        async def no_token() -> Secret:
            raise AssertionError("nobody asks for a token here")
        self.journal = Journal(str(folder / "journal"), 1 << 20, b"flood")
        self.world = World(Settings(), [BTC], SystemClock(), Notes(), self.journal, 1)
        self.world.add_strategy(watcher)
        watcher.frames = lambda: self.world.feed.frames
        self.watcher = watcher
        self.engine, self.feed = self.world.engine, self.world.feed
        self.session = Session(self.world, no_token, 50_000, 5_000_000)
        self.books = 0
        self.told: dict[str, Any] = {}

    async def run(self, rate: float, count: int) -> None:
        """Take in what a server writes, until its last word."""
        server = subprocess.Popen(
            [sys.executable, str(HERE / "flood_server.py"), str(rate), str(count)],
            stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout is not None
            port = int(server.stdout.readline())
            last = asyncio.Event()
            on_market = self.engine.on_market

            def counted(index: int, bits: int, *what: Any) -> None:
                self.books += 1
                on_market(index, bits, *what)
            self.engine.on_market = counted  # type: ignore[method-assign]

            def on_frame(view: memoryview, padding: int, recv_ns: int) -> None:
                self.session.public_frame(view, padding, recv_ns)
                if self.feed.unknown:
                    last.set()
            link = Link(f"ws://127.0.0.1:{port}/v2", random.Random(1),
                        on_open=self.session.public_up, on_frame=on_frame,
                        on_close=self.session.public_down)
            self.engine.start()
            task = asyncio.ensure_future(link.run())
            async with asyncio.timeout(30 + 10 * count / rate):
                await last.wait()
            self.session._tick()
            link.stop()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            self.told = json.loads(server.stdout.readline())
        finally:
            server.kill()
            server.communicate()
            self.journal.close()

    def accounted(self, count: int) -> None:
        """Every frame was applied; every book woke somebody or is counted as skipped."""
        engine, feed = self.engine, self.feed
        assert self.told["sent"] == count
        assert feed.frames == count + 2, "the snapshot and the last word"
        assert (feed.bad_frames, feed.resyncs, feed.unknown) == (0, 0, 1)
        assert self.books == count + 1
        assert engine.wakes + engine.wakes_skipped == self.books
        assert engine.wakes == len(self.watcher.seen)
        assert sum(engine.rows.denials.values()) >= engine.wakes, "each try was told its verdict"

    def ages_s(self, rate: float) -> list[float]:
        """How old the newest frame was that a strategy knew of, at each wake, in order."""
        return sorted((seen_ns - self.told["start_ns"]) / 1e9 - max(0, frames - 2) / rate
                      for frames, seen_ns in self.watcher.seen)


def flooded(folder: pathlib.Path, rate: float, count: int, slow_s: float = 0.0) -> Flood:
    flood = Flood(folder, Watcher(slow_s))
    try:
        import uvloop
        factory = uvloop.new_event_loop
    except ImportError:
        factory = asyncio.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(flood.run(rate, count))
    return flood


def whole(count: float) -> int:
    """At least as many, in whole cycles: then the book ends where it began."""
    return -int(-count // CYCLE) * CYCLE


@pytest.mark.fault("Q1")
@pytest.mark.law(8)
def test_overload_ten_times_the_messages_for_a_slow_strategy(tmp_path: pathlib.Path) -> None:
    """10 ms a book at ten times Kraken's recorded rate: newest wins, age bounded, skips counted."""
    rate, slow_s = 10 * RECORDED_KRAKEN, 0.01
    count = whole(1.5 * rate)
    flood = flooded(tmp_path, rate, count, slow_s)
    flood.accounted(count)
    assert flood.engine.wakes_skipped > count / 2
    ages_s = flood.ages_s(rate)
    in_turn_s = count * slow_s
    assert ages_s[-1] < in_turn_s / 10, "one frame after the other it would be far behind"
    print(f"{count} frames, {flood.engine.wakes} wakes, age p50 {ages_s[len(ages_s) // 2]:.4f} s, "
          f"most {ages_s[-1]:.4f} s; in turn {in_turn_s:.0f} s")


@pytest.mark.law(8)
def test_overload_burst_of_twenty_thousand(tmp_path: pathlib.Path) -> None:
    """As fast as the socket takes them: nothing is lost, and the book is right at the end."""
    count = whole(20_000)
    flood = flooded(tmp_path, 1e9, count)
    flood.accounted(count)
    quiet = flooded(tmp_path, 1e9, CYCLE)
    assert flood.engine.books[0].state_hash() == quiet.engine.books[0].state_hash()


@pytest.mark.law(8)
@pytest.mark.long
@pytest.mark.timeout(10 * OVERLOAD_S + 120)
def test_overload_twice_the_highest_recorded_rate_is_held(tmp_path: pathlib.Path) -> None:
    """HFTBOT_OVERLOAD_S seconds (60; 600 in the long run) at twice the highest rate."""
    rate = 2 * RECORDED
    count = whole(rate * OVERLOAD_S)
    flood = flooded(tmp_path, rate, count)
    flood.accounted(count)
    ages_s = flood.ages_s(rate)
    print(f"{count} frames in {flood.told['took_s']:.1f} s, {flood.engine.wakes} wakes, "
          f"{flood.engine.wakes_skipped} skipped, age p50 {ages_s[len(ages_s) // 2] * 1e3:.2f} ms, "
          f"p99 {ages_s[len(ages_s) * 99 // 100] * 1e3:.2f} ms, most {ages_s[-1] * 1e3:.1f} ms")
    assert flood.told["took_s"] < 1.25 * count / rate, "the rate was not held"
