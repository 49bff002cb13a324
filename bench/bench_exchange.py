"""Order round trips a second on the embedded exchange, beside a stub of the same make.

One client sends an order, spins until its answer is there, and sends the next; the exchange checks
it, matches it against a running market, books it and reports it on the way. The stub is the same
web server with the same frames canned, so the figure is what the exchange itself adds.
"""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import sys
import time
from array import array
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import Gate, Percentiles, Row, medians, over, percentiles

pytest.importorskip("uvloop", reason="both servers run on uvloop, which is for CPython only")
SERVER = Path(__file__).with_name("order_server.py")
ORDERS = 400
WAIT_NS = 30_000_000_000
BAR = 0.3
ACKED = b'"method":"add_order"'


def client_frame(text: str) -> bytes:
    """One text frame with a mask of zeros."""
    payload = text.encode()
    size = len(payload)
    head = bytes((0x81, 0x80 | size)) if size < 126 else b"\x81\xfe" + size.to_bytes(2, "big")
    return head + bytes(4) + payload


class Client:
    """A server's process and one WebSocket to it."""

    def __init__(self, mode: str, folder: Path, reports: bool = False) -> None:
        self.process = subprocess.Popen([sys.executable, str(SERVER), mode, str(folder / mode)],
                                        stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        facts = json.loads(self.process.stdout.readline())
        self.token = facts["token"]
        self.count = 0
        self.socket = socket.create_connection(("127.0.0.1", facts["port"]), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall((f"GET {facts['path']} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                             "Connection: Upgrade\r\nUpgrade: websocket\r\n"
                             f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
                             "\r\n").encode())
        self.socket.setblocking(False)
        self.until(b"\r\n\r\n")
        if self.token and reports:
            self.socket.sendall(client_frame(json.dumps({"method": "subscribe", "params": {
                "channel": "executions", "token": self.token}})))
            self.until(b'"type":"snapshot"')

    def until(self, mark: bytes) -> bytes:
        """Read until a mark is in, spinning: a processor that sleeps takes long to wake up."""
        received, end_ns = b"", time.perf_counter_ns() + WAIT_NS
        while mark not in received:
            try:
                more = self.socket.recv(65536)
            except BlockingIOError:
                assert time.perf_counter_ns() < end_ns, "no answer"
                continue
            assert more, "the server hung up"
            received += more
        return received

    def orders(self, count: int) -> list[bytes]:
        """Frames of immediate-or-cancel orders far from the market, each with its own name."""
        self.count += count
        return [client_frame(json.dumps({"method": "add_order", "params": {
            "order_type": "limit", "side": "buy", "symbol": "BTC/USD", "order_qty": 0.001,
            "limit_price": 30000.0, "time_in_force": "ioc", "cl_ord_id": f"b{self.count + number}",
            "token": self.token}, "req_id": number})) for number in range(count)]

    def block(self, count: int) -> array[int]:
        """Times of that many round trips, nanoseconds."""
        times = array("q")
        for frame in self.orders(count):
            started = time.perf_counter_ns()
            self.socket.sendall(frame)
            answer = self.until(ACKED)
            times.append(time.perf_counter_ns() - started)
            assert b'"error"' not in answer, answer
        return times

    def close(self) -> None:
        """Hang up and end the server."""
        self.socket.close()
        self.process.terminate()
        self.process.wait(timeout=30)


@pytest.fixture
def answered(tmp_path: Path) -> Iterator[tuple[Client, Client]]:
    """The exchange and the stub; a client hears the answers to its orders."""
    pair = Client("exchange", tmp_path), Client("stub", tmp_path)
    yield pair
    for client in pair:
        client.close()


@pytest.fixture
def reported(tmp_path: Path) -> Iterator[tuple[Client, Client]]:
    """The same; a client also hears the three reports of each order."""
    pair = Client("exchange", tmp_path, True), Client("reporting-stub", tmp_path, True)
    yield pair
    for client in pair:
        client.close()


def measure(gate: Gate, bench: str, bar: float | None, exchange: Client, stub: Client) -> Row:
    """Interleaved blocks; the ratio is of round trips a second, whole blocks against each other."""
    ours: list[Percentiles] = []
    theirs: list[Percentiles] = []
    same: list[Percentiles] = []
    ratios: list[Percentiles] = []
    rates: list[float] = []
    exchange.block(ORDERS)
    stub.block(ORDERS)
    for number in range(gate.blocks):
        took: dict[str, array[int]] = {}
        for turn in range(3):
            name = ("ours", "theirs", "again")[(turn + number) % 3]
            took[name] = (exchange if name == "ours" else stub).block(ORDERS)
        ours.append(percentiles(took["ours"], 1))
        theirs.append(percentiles(took["theirs"], 1))
        same.append(over(theirs[-1], percentiles(took["again"], 1)))
        _, p95, p99 = over(theirs[-1], ours[-1])
        ratios.append((sum(took["theirs"]) / sum(took["ours"]), p95, p99))
        rates.append(ORDERS * 1e9 / sum(took["ours"]))
    gate.notes.append(f"{bench}: {sorted(rates)[len(rates) // 2]:,.0f} order round "
                      "trips a second on one connection")
    return Row(bench, "canned-reply stub; first ratio: round trips a second", medians(ours),
               medians(theirs), medians(ratios), medians(same), (bar, None, None), "at least")


def test_order_round_trips_on_the_exchange(gate: Gate, reported: tuple[Client, Client]) -> None:
    """The gate: at least 0.3 of the stub's round trips a second, for a client that trades."""
    gate.settle(lambda: measure(gate, "order round trip, embedded exchange", BAR, *reported))


def test_order_round_trips_without_reports(gate: Gate, answered: tuple[Client, Client]) -> None:
    """Published: a client that subscribed to nothing, a stub that answers one frame."""
    gate.settle(lambda: measure(gate, "order round trip, answers only", None, *answered))
