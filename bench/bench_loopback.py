"""Tick to order over loopback TCP, stamped by the server, beside a bare picows echo.

The server spins on one processor, the client on another. Each block measures the bot (market frame
on one WebSocket, order on another), the echo twice, and J; the gate is on what the bot adds to the
echo. Waiting in epoll and pauses of 200 us between ticks are published.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from canned_server import CannedServer, server_frame
from harness import Gate, Percentiles, Row, block, medians, over, percentiles, side_j
from kraken_market import Market

pytest.importorskip("picows", reason="picows runs on CPython only")
CLIENT = Path(__file__).with_name("loopback_client.py")
EXCHANGE = Path(__file__).with_name("stamping_exchange.py")
STRATEGY = Path(__file__).with_name("book_taker.py")
FRAMES = 1000
BAR_J = 3


class Bench:
    """One server and one client process."""

    def __init__(self, folder: Path, mode: str) -> None:
        self.cpus = sorted(os.sched_getaffinity(0))
        if len(self.cpus) < 2:
            pytest.skip("server and client each spin on a processor of their own: two are needed")
        self.server = CannedServer()
        market = Market()
        market.snapshot()
        self.frames = [server_frame(frame) for frame in market.updates(FRAMES)]
        folder.mkdir()
        self.client = subprocess.Popen([sys.executable, str(CLIENT), str(self.server.port), mode,
                                        str(self.cpus[0]), str(folder)])
        self.server.accept("public", "private", "echo")
        os.sched_setaffinity(0, {self.cpus[-1]})

    def ours(self, count: int, gap_ns: int) -> Percentiles:
        """The bot: the order is the answer."""
        self.server.answer("public", "public", server_frame(b'{"renew":1}'))
        return percentiles(self.server.block("public", "private", self.frames[:count], gap_ns), 1)

    def echo(self, count: int, gap_ns: int) -> Percentiles:
        """Bare picows: same sizes, nothing in between."""
        return percentiles(self.server.block("echo", "echo", self.frames[:count], gap_ns), 1)

    def close(self) -> None:
        """Hang up; the client ends by itself."""
        os.sched_setaffinity(0, set(self.cpus))
        self.server.close()
        self.client.wait(timeout=30)


@pytest.fixture
def spinning(tmp_path: Path) -> Iterator[Bench]:
    """A client that spins."""
    bench = Bench(tmp_path / "spin", "on")
    yield bench
    bench.close()


@pytest.fixture
def sleeping(tmp_path: Path) -> Iterator[Bench]:
    """A client that waits in epoll."""
    bench = Bench(tmp_path / "epoll", "off")
    yield bench
    bench.close()


def measure(gate: Gate, bench: Bench, name: str, count: int, blocks: int, gap_ns: int,
            bar: float | None) -> Row:
    """Interleaved blocks; the ratio is (ours - echo) over the median J."""
    ours, echoes, again, added = [], [], [], []
    bench.ours(count, 0)
    bench.echo(count, 0)
    for number in range(blocks):
        order = ("ours", "echo", "again")
        took: dict[str, Percentiles] = {}
        for turn in range(3):
            which = order[(turn + number) % 3]
            took[which] = (bench.ours if which == "ours" else bench.echo)(count, gap_ns)
        unit = percentiles(block(side_j, gate.samples, gate.clock), 1)[0]
        ours.append(took["ours"])
        echoes.append(took["echo"])
        again.append(over(took["echo"], took["again"]))
        one, two, three = ((a - b) / unit for a, b in zip(took["ours"], took["echo"], strict=True))
        added.append((one, two, three))
    return Row(name, "picows echo; ratio = (ours - echo) / J", medians(ours), medians(echoes),
               medians(added), medians(again), (bar, None, None), "at most")


def test_tick_to_order_spinning(gate: Gate, spinning: Bench) -> None:
    """The gate: what we add to an echo is at most 3 J at the median."""
    gate.settle(lambda: measure(gate, spinning, "tick to order, loopback, spinning", FRAMES,
                                gate.blocks, 0, BAR_J))


def test_tick_to_order_with_gaps(gate: Gate, spinning: Bench) -> None:
    """Published: a pause of 200 us before each tick."""
    gate.settle(lambda: measure(gate, spinning, "tick to order, spinning, 200 us gaps", 400, 5,
                                200_000, None))


def test_tick_to_order_epoll(gate: Gate, sleeping: Bench) -> None:
    """Published: the client sleeps in epoll between ticks."""
    gate.settle(lambda: measure(gate, sleeping, "tick to order, epoll, 200 us gaps", 400, 5,
                                200_000, None))


def test_tick_to_order_with_the_exchange(gate: Gate, tmp_path: Path) -> None:
    """Published: ``hftbot run`` and the embedded exchange as they are, stamped by the exchange."""
    out = tmp_path / "took.json"
    exchange = subprocess.Popen([sys.executable, str(EXCHANGE), str(tmp_path / "exchange"),
                                 str(out)], stdout=subprocess.PIPE, text=True)
    try:
        assert exchange.stdout is not None
        endpoint = json.loads(exchange.stdout.readline())
        environment = {**os.environ, "KRAKEN_API_KEY": endpoint["api_key"],
                       "KRAKEN_API_SECRET": endpoint["api_secret"]}
        done = subprocess.run([sys.executable, "-m", "hftbot", "run", "--profile", "hft",
                               "--exchange", endpoint["rest_url"], "--duration", "8", "--json",
                               "--strategy", f"{STRATEGY}:BookTaker", "--state",
                               str(tmp_path / "state"), "--set", "MAX_ORDERS_PER_MIN=6000",
                               "--set", "KRAKEN_TIER=off"],
                              env=environment, cwd=tmp_path, capture_output=True, text=True,
                              check=False, timeout=90)
        assert done.returncode == 0, done.stderr
    finally:
        exchange.terminate()
        exchange.wait(timeout=30)
    took = json.loads(out.read_text())
    assert len(took) >= 20
    p50, p95, p99 = (figure / 1000 for figure in percentiles(took, 1))
    gate.notes.append(f"tick to order against the Python exchange (us): p50 {p50:,.1f}  "
                      f"p95 {p95:,.1f}  p99 {p99:,.1f}  ({len(took)} orders)")
