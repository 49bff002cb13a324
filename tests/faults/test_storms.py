"""Connections that fail at their beginning, again and again; and links that are too slow."""

from __future__ import annotations

import asyncio
import pathlib
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from faults.proxy import KINDS, Proxy
from faults.rig import LINKS, Behind, resident_bytes
from hftbot.wire.link import Backoff, ConnectBudget, Link
from journeys.bot import run, wait_condition
from world.virtual_loop import VirtualClock, VirtualLoop

WINDOW_S = 600.0
LIMIT = 150
HANDSHAKES = {
    "301": b"HTTP/1.1 301 Moved Permanently\r\nLocation: http://127.0.0.1:9/\r\n"
           b"Content-Length: 0\r\n\r\n",
    "403": b"HTTP/1.1 403 Forbidden\r\nContent-Length: 6\r\n\r\nbanned",
    "502": b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n",
    "tls": b"\x15\x03\x03\x00\x02\x02\x46",
    "garbage": bytes(range(256)) * 8,
    "other key": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                 b"Connection: Upgrade\r\nSec-WebSocket-Accept: AAAA\r\n\r\n",
    "nothing": b"",
}


@pytest.fixture
def behind(tmp_path: pathlib.Path) -> Iterator[Behind]:
    opened = Behind(tmp_path)
    yield opened
    opened.close()


class Wire:
    """A wire that is closed as soon as it is open."""

    def __init__(self, now_ns: int) -> None:
        self.last_recv_ns = now_ns
        self.close_code = 1006
        self.failure = None

    def send(self, frame: object) -> None:
        """Nobody reads it."""

    def close(self, reason: str = "", *, abort: bool = False) -> None:
        """It is."""


def storm(backoff: Callable[[random.Random], Backoff], links: int, virtual_s: float
          ) -> list[float]:
    """Moments at which so many links of one address connected, each closed at once."""
    loop = VirtualLoop()
    clock, budget, moments = VirtualClock(loop), ConnectBudget(), []

    async def connect(url: str, on_frame: Any, on_close: Callable[[str], object]) -> Wire:
        moments.append(loop.time())
        loop.call_soon(on_close, "closed right after the handshake")
        return Wire(clock.mono_ns())

    async def main() -> None:
        made = [Link("ws://127.0.0.1:1/", random.Random(seed), on_open=lambda wire: None,
                     on_frame=lambda *frame: None, on_close=lambda reason: None,
                     connect=connect, budget=budget, clock_ns=clock.mono_ns,
                     backoff=backoff(random.Random(seed))) for seed in range(links)]
        tasks = [loop.create_task(link.run()) for link in made]
        await asyncio.sleep(virtual_s)
        for link in made:
            link.stop()
        await asyncio.gather(*tasks)

    try:
        loop.run_until_complete(main())
    finally:
        loop.close()
    return moments


def busiest(moments: list[float]) -> int:
    """The most attempts in any window."""
    return max(sum(first <= later < first + WINDOW_S for later in moments) for first in moments)


@pytest.mark.fault("W6")
def test_backoff_grows_in_a_storm_of_an_hour() -> None:
    moments = storm(Backoff, 2, 3600.0)
    assert busiest(moments) <= LIMIT
    early = sum(moment < 60.0 for moment in moments)
    late = sum(600.0 <= moment < 660.0 for moment in moments)
    assert 0 < late < early / 2


@pytest.mark.fault("W6")
def test_the_budget_of_connects_holds_where_the_backoff_does_not() -> None:
    moments = storm(lambda rng: Backoff(rng, first_s=0.1, cap_s=0.1), 2, 3600.0)
    assert busiest(moments) == LIMIT
    assert sum(moment < WINDOW_S for moment in moments) == LIMIT


@pytest.mark.long
@pytest.mark.fault("W6")
def test_links_that_are_closed_as_soon_as_they_are_open(behind: Behind) -> None:
    bot = behind.trading()
    for _ in range(4):
        opened = behind.proxy.opened["private"]
        behind.proxy.close_all(*LINKS)
        wait_condition(lambda opened=opened: behind.proxy.opened["private"] > opened)
    behind.more_trades(bot, 3)
    assert behind.wrong(behind.end(bot)) == []


@pytest.mark.long
@pytest.mark.fault("W10")
@pytest.mark.parametrize(("name", "kinds"), [
    *((name, LINKS) for name in HANDSHAKES),
    *((name, ("rest", "private")) for name in ("403", "garbage", "nothing"))])
def test_handshakes_that_fail_under_a_running_bot(behind: Behind, name: str,
                                                  kinds: tuple[str, ...]) -> None:
    """Told in the log, no traceback, and trading goes on when the exchange is itself again."""
    bot = behind.trading()
    behind.proxy.answers = dict.fromkeys(kinds, HANDSHAKES[name])
    behind.proxy.close_all(*LINKS, "rest")
    wait_condition(lambda: behind.proxy.refused[kinds[0]] >= 2)
    assert bot.poll() is None, behind.said()
    assert behind.log().count("link lost") >= 2
    behind.proxy.heal()
    behind.more_trades(bot, 3)
    assert behind.wrong(behind.end(bot)) == []


@pytest.mark.fault("W10")
@pytest.mark.parametrize("name", ["403", "garbage"])
def test_a_start_that_meets_no_exchange(tmp_path: pathlib.Path, name: str) -> None:
    """One sentence, an exit code, no traceback."""
    proxy = Proxy(9)
    try:
        proxy.answers = dict.fromkeys(KINDS, HANDSHAKES[name])
        done = run(tmp_path, "run", "--profile", "hft", "--exchange", proxy.url,
                   "--duration", "1")
    finally:
        proxy.close()
    assert done.returncode == 1, (done.returncode, done.stderr)
    assert done.stderr.count("\n") == 1
    assert proxy.url in done.stderr


@pytest.mark.long
@pytest.mark.fault("W8")
@pytest.mark.parametrize("way", ["down", "up"])
def test_links_of_a_thousand_bytes_a_second(behind: Behind, way: str) -> None:
    """Buffers stay bounded on our side; afterwards everything is as the exchange has it."""
    bot = behind.trading()
    for kind in LINKS:
        getattr(behind.proxy.ways[kind], way).rate_bytes_s = 1_000
    before = resident_bytes(bot.pid)
    slow = behind.proxy.ways["private"]
    passed = getattr(slow, way).passed
    wait_condition(lambda: getattr(slow, way).passed > passed + 6_000)
    assert resident_bytes(bot.pid) - before < 5 << 20
    assert bot.poll() is None, behind.said()
    behind.proxy.heal()
    behind.proxy.close_all(*LINKS)
    behind.more_trades(bot, 3)
    assert behind.wrong(behind.end(bot)) == []
