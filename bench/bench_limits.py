"""What asking the limits costs: a question from Python in empty compiled calls.

The unit is ``OrderBook.has_bid()``: a compiled method without arguments that reads one number.
"""

from __future__ import annotations

import pytest

from fastcore.market.book import OrderBook
from fastcore.money.throttle import POINT, MinuteWindow, TokenBucket, TradingCounter
from harness import Gate, Side

CHUNK = 256
ORDERS = 64
NOW_NS = 10**15
# A question may take the time of three empty calls.
BAR = 1 / 3


def empty_calls() -> Side:
    """CHUNK calls of a compiled method that does next to nothing."""
    book = OrderBook(0, 10, 64)

    def run() -> None:
        each = book.has_bid
        for _ in range(CHUNK):
            each()
    return run


def busy_counter() -> TradingCounter:
    """Orders of all ages, some requests unanswered: the state of a quoting bot."""
    counter = TradingCounter(4, 1024, 180, 375, 45, 225)
    for request in range(1, ORDERS + 1):
        counter.opened(0, request)
        counter.spend(0, POINT, request, NOW_NS)
        counter.confirmed(request, NOW_NS - request * 5 * 10**9)
        if request % 2:
            counter.answered(request, NOW_NS)
    return counter


def asked(name: str) -> Side:
    """CHUNK questions to one of the limits, a microsecond apart."""
    limits = {"counter": busy_counter(), "bucket": TokenBucket(1000, 50.0, 100),
              "minute": MinuteWindow(1000, 250)}
    limit = limits[name]
    times = [NOW_NS + 1000 * step for step in range(CHUNK)]

    def counter() -> None:
        each = limit.would_take
        for now_ns in times:
            each(0, POINT, now_ns)

    def weight() -> None:
        each = limit.would_take
        for now_ns in times:
            each(1, now_ns)
    return counter if name == "counter" else weight


@pytest.mark.parametrize("name", ["counter", "bucket", "minute"])
def test_question_from_python(gate: Gate, name: str) -> None:
    """At most three empty compiled calls, the for-loop included on both sides."""
    gate.compare(f"{name} check, from Python", ours=asked(name), theirs=empty_calls(),
                  reference="an empty compiled call", ops=CHUNK, at_least=(BAR, None, None))


def test_cost_of_a_cancel(gate: Gate) -> None:
    """The age of an order looked up and priced: the same bar."""
    counter = busy_counter()
    handles = [1 + step % ORDERS for step in range(CHUNK)]

    def costs() -> None:
        each = counter.cancel_cost
        for handle in handles:
            each(handle, NOW_NS)
    gate.compare("cost of a cancel, from Python", ours=costs, theirs=empty_calls(),
                  reference="an empty compiled call", ops=CHUNK, at_least=(BAR, None, None))
