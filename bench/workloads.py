"""What the rooms cost on this interpreter, ns per call from Python: python bench/workloads.py

The same sources on CPython compiled, on CPython with FASTCORE_PURE=1, and on PyPy. Prints one JSON
object. Each figure is the best of several runs of a loop, the loop included.
"""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable

import fastcore
from fastcore.codec.kraken import KrakenDecoder
from fastcore.market.book import OrderBook
from fastcore.market.checksum import KrakenChecksum
from fastcore.market.fair import DigitalFair, FairPrice
from fastcore.money.exposure import Exposure
from fastcore.money.position import Position
from fastcore.money.risk import AccountRisk, RiskGate
from fastcore.money.throttle import MinuteWindow
from fastcore.probe.histogram import Histogram
from kraken_market import LOT_UNITS, PRICE_PRECISION, QTY_PRECISION, SYMBOL, TICK_UNITS, Market
from reference_book import changes, snapshot

COUNT = 2000
REPEATS = 30


def filled_book(levels: int) -> OrderBook:
    """A trusted book of that many levels a side."""
    book = OrderBook(0, 0, 4096)
    for side, ticks, lots in snapshot(levels):
        book.update(side, ticks, lots)
    book.trust = 2
    return book


def update_book() -> Callable[[], None]:
    """Level changes at 100 levels."""
    book, rows = filled_book(100), changes(100, COUNT)
    update = book.update

    def run() -> None:
        for side, ticks, lots in rows:
            update(side, ticks, lots)
    return run


def record() -> Callable[[], None]:
    """Histogram records."""
    histogram, values = Histogram(), [1 + i * 37 % 100_000 for i in range(COUNT)]
    each = histogram.record

    def run() -> None:
        for value in values:
            each(value)
    return run


def check_risk() -> Callable[[], None]:
    """The guard's verdict on an order, all rules."""
    account = AccountRisk(open_orders_max=100, gross_e10_max=2**60,
                          messages=MinuteWindow(6000))
    account.ready = 1
    gate = RiskGate(0, account, Position(0), Exposure(), order_value_max=2**60,
                    order_lots_max=2**50, position_lots_max=2**50, collar_bps=300,
                    book_silence_ns_max=0)
    book, check = filled_book(10), gate.check
    verdict = check(book, 0, 500_001, 5, 1, False, 10, 10**12, 10, 0, 0)
    assert verdict == 0, verdict

    def run() -> None:
        for _ in range(COUNT):
            check(book, 0, 500_001, 5, 1, False, 10, 10**12, 10, 0, 0)
    return run


def price_fair() -> Callable[[], None]:
    """The microprice of a book."""
    book, microprice = filled_book(10), FairPrice().microprice

    def run() -> None:
        for _ in range(COUNT):
            microprice(book)
    return run


def price_digital() -> Callable[[], None]:
    """The cached up/down probability."""
    digital = DigitalFair()
    digital.set(100_000.0, 600.0, 0.0001)
    price = digital.price

    def run() -> None:
        for _ in range(COUNT):
            price(100_010.0)
    return run


def check_book() -> Callable[[], None]:
    """The venue's checksum of ten levels a side, one level changed in between."""
    book, compute = filled_book(10), KrakenChecksum(1, 1).compute
    rows = changes(10, COUNT)

    def run() -> None:
        for side, ticks, lots in rows:
            book.update(side, ticks, lots or 1)
            compute(book)
    return run


def decode_frames() -> Callable[[], None]:
    """Book frames of 195 bytes on average into ticks and lots."""
    decoder = KrakenDecoder()
    decoder.add_symbol(SYMBOL, PRICE_PRECISION, QTY_PRECISION, TICK_UNITS, LOT_UNITS)
    market = Market()
    frames = (market.updates(251)[:-1] * (COUNT // 250 + 1))[:COUNT]
    decode = decoder.decode
    assert decode(frames[0], 0) == 1

    def run() -> None:
        for frame in frames:
            decode(frame, 0)
    return run


WORKLOADS = {"book update": update_book, "histogram record": record, "risk check": check_risk,
             "microprice": price_fair, "digital price": price_digital,
             "checksum after a change": check_book, "decode a book frame": decode_frames}


def best_ns(run: Callable[[], None]) -> float:
    """The fastest of several runs, nanoseconds per call."""
    for _ in range(REPEATS // 3):
        run()
    took = []
    for _ in range(REPEATS):
        started = time.perf_counter_ns()
        run()
        took.append(time.perf_counter_ns() - started)
    return min(took) / COUNT


def figures() -> dict[str, object]:
    """Every workload on this interpreter."""
    kind = "compiled" if fastcore.compiled else "interpreted"
    return {"interpreter": f"{platform.python_implementation()} {platform.python_version()}",
            "core": kind,
            "ns": {name: round(best_ns(make()), 1) for name, make in WORKLOADS.items()}}


if __name__ == "__main__":
    print(json.dumps(figures(), indent=1))
