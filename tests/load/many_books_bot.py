"""A bot's market half in a process of its own: reads many books until the venue's last word.

Usage: many_books_bot.py PORT BOOKS SECONDS STATE. Prints one JSON line: what it counted, the
processor time and memory it took, and how late its loop was.
"""

from __future__ import annotations

import asyncio
import gc
import json
import pathlib
import random
import resource
import sys
import time
from typing import Any

from many_books_server import symbols

from fastcore.money.journal import Journal
from hftbot.config.schema import Settings
from hftbot.live.clock import SystemClock
from hftbot.live.session import Session
from hftbot.live.world import World
from hftbot.wire.link import Link
from hftbot.words.instrument import Instrument
from hftbot.words.market import BookTrust
from hftbot.words.ports import Strategy
from hftbot.words.secret import Secret

PROBE_S = 0.01
SAMPLE_S = 1.0


class Quiet:
    """Notes that are only kept."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def info(self, text: str) -> None:
        self.lines.append(text)

    warn = error = info


class Reader(Strategy):
    """Looks at both best prices of each book that it is woken for."""

    name = "reader"

    def __init__(self) -> None:
        self.seen = 0
        self.crossed = 0

    def on_book(self, book: Any) -> None:
        self.seen += 1
        self.crossed += book.best_bid() >= book.best_ask()


def resident_kb() -> int:
    """Memory of this process now."""
    text = pathlib.Path("/proc/self/status").read_text()
    return int(next(line for line in text.splitlines() if line.startswith("VmRSS")).split()[1])


def hashes_of(world: World) -> list[int]:
    """One number for the state of each book."""
    return [book.state_hash() for book in world.engine.books]


async def probe(late_ns: list[int], memory_kb: list[int]) -> None:
    """How late a timer of the loop comes, and memory each second."""
    next_sample = time.monotonic()
    while True:
        due_ns = time.monotonic_ns() + int(PROBE_S * 1e9)
        await asyncio.sleep(PROBE_S)
        late_ns.append(time.monotonic_ns() - due_ns)
        if time.monotonic() >= next_sample:
            memory_kb.append(resident_kb())
            next_sample += SAMPLE_S


async def read(port: int, world: World, notes: Quiet, seconds: float) -> dict[str, Any]:
    """Until the last word, or far beyond the time it should take."""
    async def no_token() -> Secret:
        raise AssertionError("nobody asks for a token here")
    session = Session(world, no_token, 50_000, 5_000_000)
    last = asyncio.Event()
    late_ns: list[int] = []
    memory_kb: list[int] = []
    started: list[tuple[float, float]] = []
    hashes: list[int] = []

    def on_frame(view: memoryview, padding: int, recv_ns: int) -> None:
        session.public_frame(view, padding, recv_ns)
        if world.feed.frames == len(world.instruments):
            # The last snapshot: from here on it is the steady stream.
            started.append((time.process_time(), time.monotonic()))
            hashes.extend(hashes_of(world))
        if world.feed.unknown:
            last.set()
    link = Link(f"ws://127.0.0.1:{port}/v2", random.Random(1), on_open=session.public_up,
                on_frame=on_frame, on_close=session.public_down)
    world.engine.start()
    tasks = [asyncio.ensure_future(link.run()), asyncio.ensure_future(probe(late_ns, memory_kb))]
    async with asyncio.timeout(30 + 5 * seconds):
        await last.wait()
    busy_s, took_s = time.process_time() - started[0][0], time.monotonic() - started[0][1]
    session._tick()
    memory_kb.append(resident_kb())
    link.stop()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    late = sorted(late_ns)
    return {"busy_s": busy_s, "took_s": took_s, "memory_kb": memory_kb,
            "back_again": hashes_of(world) == hashes,
            "peak_kb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
            "loop_late_us": {str(per): late[len(late) * per // 100] / 1e3
                             for per in (50, 99)},
            "loop_late_most_us": late[-1] / 1e3, "notes": notes.lines}


def main() -> None:
    port, books, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    grids = [Instrument(index=number, venue="kraken", symbol=name, base=name[:3], quote="USD",
                        price_precision=1, qty_precision=8, lots_min=5_000)
             for number, name in enumerate(symbols(books))]
    notes = Quiet()
    journal = Journal(str(pathlib.Path(sys.argv[4]) / "journal"), 1 << 20, b"many books")
    world = World(Settings(), grids, SystemClock(), notes, journal, 1)
    reader = Reader()
    world.add_strategy(reader)
    gc.collect()
    try:
        import uvloop
        factory = uvloop.new_event_loop
    except ImportError:
        factory = asyncio.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        told = runner.run(read(port, world, notes, seconds))
    feed, engine = world.feed, world.engine
    took = world.trackers.get("loop_iteration")
    told |= {"frame_us": {str(per): took.value_at_percentile(per) / 1e3 for per in (50, 99)}}
    told |= {"frames": feed.frames, "bad": feed.bad_frames, "resyncs": feed.resyncs,
             "unknown": feed.unknown, "wakes": engine.wakes, "skipped": engine.wakes_skipped,
             "seen": reader.seen, "crossed": reader.crossed,
             "trusted": sum(book.trust == BookTrust.TRUSTED for book in engine.books)}
    journal.close()
    print(json.dumps(told))


if __name__ == "__main__":
    main()
