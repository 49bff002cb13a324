"""Fills laid side by side, their causes, and the evidence from the recorded market."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hftbot.backtest import parity
from hftbot.backtest.parity import cause_of, compare, split
from hftbot.backtest.session_market import SessionMarket, Sight, Trace, Wish
from hftbot.backtest.session_orders import ADD, AMEND, CANCEL, Execution, Request, SessionOrder
from hftbot.backtest.session_replay import (
    SessionReplay,
    SimExecution,
    SimOrder,
    latency_rows,
    traces_of,
)
from hftbot.words.instrument import Instrument
from hftbot.words.market import Side
from hftbot.words.order import OrderState, Tif

GRID = Instrument(0, "kraken", "BTC/USD", "BTC", "USD", 1, 8)
EVENT = np.dtype([("ev", "<u8"), ("exch_ts", "<i8"), ("local_ts", "<i8"), ("px", "<f8"),
                  ("qty", "<f8"), ("order_id", "<u8"), ("ival", "<i8"), ("fval", "<f8")])
DEPTH, TRADE, CLEAR = 1, 2, 3
MS = 1_000_000


def market_of(*rows: tuple[int, int, int, int, int]) -> SessionMarket:
    """From (exchange ns, kind, side, ticks, lots), each seen a millisecond later."""
    made = np.zeros(len(rows), EVENT)
    for place, (at_ns, kind, side, ticks, lots) in enumerate(rows):
        made[place] = (kind | 3 << 30 | 1 << (28 if side else 29), at_ns, at_ns + MS,
                       ticks * GRID.tick_size, lots * GRID.lot_size, 0, 0, 0.0)
    return SessionMarket(made, GRID.tick_size, GRID.lot_size)


def order_of(side: int = Side.BUY, ticks: int = 100, lots: int = 10, *, tif: int = Tif.GTC,
             fills: tuple[tuple[int, int, int], ...] = (), state: OrderState = OrderState.FILLED,
             ended_ns: int = 0, requests: tuple[Request, ...] = ()) -> SessionOrder:
    """An order sent at 10 ms and answered at 14 ms; ``fills`` are (ticks, lots, seen ns)."""
    return SessionOrder(
        1, 0, side, tif, tif == Tif.GTC, ticks, lots, 10 * MS,
        [Request(10 * MS, ADD, ticks, lots, lots, 14 * MS), *requests],
        [Execution(price, size, tif == Tif.GTC, 0, seen_ns) for price, size, seen_ns in fills],
        ended_ns, state)


def sim_of(*fills: tuple[int, int, int], maker: bool = True, end: str = "filled",
           ended_ns: int = 0) -> SimOrder:
    """It arrived at 12 ms; ``fills`` are (ticks, lots, exchange ns), known a millisecond later."""
    return SimOrder([SimExecution(price, size, maker, at_ns, at_ns + MS)
                     for price, size, at_ns in fills], 12 * MS, ended_ns, end)


def only_pair(order: SessionOrder, sim: SimOrder, market: SessionMarket | None = None,
              **told: Any) -> parity.Pair:
    """The single pair of a comparison."""
    found = compare(GRID, [order], {1: sim}, market or market_of(), **told)
    (pair,) = found.pairs
    return pair


fill_sizes = st.lists(st.integers(1, 50), max_size=6)


@given(fill_sizes, fill_sizes)
def test_no_lot_is_lost_or_counted_twice(venue: list[int], backtest: list[int]) -> None:
    real = [Execution(100, lots, True, 0, at) for at, lots in enumerate(venue)]
    sim = [SimExecution(100, lots, True, at, at) for at, lots in enumerate(backtest)]
    found = list(split(real, sim))
    assert sum(lots for lots, one, _ in found if one) == sum(venue)
    assert sum(lots for lots, _, one in found if one) == sum(backtest)
    assert sum(lots for lots, _, _ in found) == max(sum(venue), sum(backtest))
    assert all(lots > 0 and (one or other) for lots, one, other in found)
    for before, after in pairwise(found):
        assert not (before[1] and after[1]) or before[1].seen_ns <= after[1].seen_ns


def test_causes() -> None:
    real = Execution(100, 5, True, 0, 10 * MS)
    assert cause_of(real, SimExecution(100, 5, True, 0, 15 * MS), 5 * MS) == parity.EQUAL
    assert cause_of(real, SimExecution(100, 5, True, 0, 15 * MS + 1), 5 * MS) == parity.TIME
    assert cause_of(real, SimExecution(101, 5, True, 0, 10 * MS), 5 * MS) == parity.PRICE
    assert cause_of(real, None, 0) == parity.MISSED
    assert cause_of(None, SimExecution(100, 5, True, 0, 0), 0) == parity.EXTRA


def test_a_book_is_seen_as_it_was_at_each_moment() -> None:
    market = market_of((1, DEPTH, 0, 100, 7), (2, DEPTH, 1, 102, 4), (3, DEPTH, 1, 103, 9),
                       (4, DEPTH, 0, 102, 5), (5, CLEAR, 0, 0, 0))
    wishes = [Wish(0, 0, 0, 100), Wish(3, 1, 0, 102), Wish(4, 2, 0, 103), Wish(5, 3, 1, 101),
              Wish(9, 4, 1, 100)]
    assert market.sights(wishes) == {
        0: Sight(0, 0, 0, 0), 1: Sight(100, 102, 0, 4), 2: Sight(100, 102, 0, 13),
        # A bid at 102 takes the ask there away.
        3: Sight(102, 103, 0, 5), 4: Sight(0, 103, 0, 0)}
    assert market.travel_ns == MS


def test_trades_at_and_beyond_a_price_are_told_apart() -> None:
    tape = market_of((1, TRADE, 1, 100, 3), (2, TRADE, 1, 99, 4), (3, TRADE, 1, 101, 5),
                     (4, TRADE, 0, 100, 6), (5, TRADE, 1, 100, 7)).tape
    assert tape.at_price(0, 100, 1, 4) == (3, 4)
    assert tape.at_price(0, 100, 1, 5) == (10, 4)
    assert tape.at_price(1, 100, 1, 5) == (6, 0)


def test_our_own_order_is_found_in_the_recorded_book() -> None:
    market = market_of((10 * MS, DEPTH, 0, 100, 7), (12 * MS, DEPTH, 0, 100, 17),
                       (13 * MS, DEPTH, 0, 100, 27))
    order = order_of()
    assert traces_of([order]) == [Trace(10 * MS, 14 * MS, 0, 100, 10)]
    arrivals = market.arrivals(traces_of([order]))
    assert arrivals == {10 * MS: 12 * MS}
    assert latency_rows([order], arrivals, MS) == ([10 * MS], [12 * MS - 1], [14 * MS])
    # Without a trace the answer is taken to have travelled as the market data did.
    assert latency_rows([order], {}, MS) == ([10 * MS], [13 * MS], [14 * MS])
    assert traces_of([order_of(tif=Tif.IOC)]) == []


@pytest.mark.parametrize(("order", "sim", "words"), [
    (order_of(fills=((100, 10, 20 * MS),)), sim_of((100, 10, 40 * MS)),
     "21.0 ms later in the backtest: 0.00000007 BTC stood at 10.0 when it came there, "
     "0.00000003 BTC traded there and 0.00000000 BTC beyond"),
    (order_of(fills=((100, 10, 20 * MS),)), sim_of(end=""), "the queue model held it back"),
    (order_of(fills=((100, 10, 20 * MS),)), SimOrder(), "the data end before its request"),
    (order_of(fills=((100, 10, 20 * MS),)), sim_of(end="would take", ended_ns=12 * MS),
     "post-only, and it would have traded: when it arrived the other side's best was 10.2, "
     "2 ticks beyond its limit, with 0.00000000 BTC within it"),
    (order_of(fills=((100, 10, 20 * MS),)), sim_of(end="canceled", ended_ns=15 * MS),
     "its cancel came first in the backtest"),
    (order_of(tif=Tif.IOC, ticks=102, fills=((102, 10, 20 * MS),)), sim_of(end="expired"),
     "10.2, at its limit, with 0.00000004 BTC within it; the recording may show what our own"),
    (order_of(state=OrderState.REJECTED), sim_of((100, 10, 20 * MS)), "the venue refused"),
    (order_of(state=OrderState.CANCELED, ended_ns=18 * MS), sim_of((100, 10, 20 * MS)),
     "the venue had cancelled it 3.0 ms before that fill was seen"),
    (order_of(state=OrderState.CANCELED, ended_ns=30 * MS), sim_of((100, 10, 20 * MS)),
     "the queue model let it through too soon"),
    (order_of(tif=Tif.IOC, ticks=102, state=OrderState.CANCELED),
     sim_of((102, 10, 12 * MS), maker=False), "at the venue others took it first"),
    (order_of(tif=Tif.IOC, ticks=103, fills=((103, 10, 14 * MS),)),
     sim_of((102, 10, 12 * MS), maker=False),
     "1 ticks better in the backtest, 1.0 ms earlier in the backtest: when it arrived the other "
     "side's best was 10.2, 1 ticks inside its limit"),
])
def test_each_difference_has_its_sentence(order: SessionOrder, sim: SimOrder, words: str) -> None:
    market = market_of((1, DEPTH, 0, 100, 7), (2, DEPTH, 1, 102, 4), (16 * MS, TRADE, 1, 100, 3))
    assert words in only_pair(order, sim, market).why


def test_an_order_that_was_moved_is_judged_where_it_stood() -> None:
    order = order_of(fills=((98, 10, 60 * MS),), requests=(
        Request(30 * MS, AMEND, 98, 10, 10, 34 * MS),))
    market = market_of((1, DEPTH, 0, 100, 7), (2, DEPTH, 0, 98, 5), (40 * MS, TRADE, 1, 98, 2))
    why = only_pair(order, sim_of((98, 10, 90 * MS)), market).why
    assert "0.00000005 BTC stood at 9.8 when it came there, 0.00000002 BTC traded there" in why


def test_money_of_the_differences_adds_up() -> None:
    """Bought one tick cheaper in the backtest, and three lots more; the last mid is 101."""
    order = order_of(fills=((100, 7, 20 * MS),))
    market = market_of((1, DEPTH, 0, 100, 7), (2, DEPTH, 1, 102, 4))
    found = compare(GRID, [order], {1: sim_of((99, 7, 19 * MS), (100, 3, 19 * MS))}, market)
    unit = GRID.worth(1)
    assert [pair.cause for pair in found.pairs] == [parity.PRICE, parity.EXTRA]
    assert found.venue.gain == pytest.approx(7 * unit)
    assert found.backtest.gain == pytest.approx((2 * 7 + 3) * unit)
    assert sum(pair.gain for pair in found.pairs) == pytest.approx((7 + 3) * unit)
    assert found.backtest.position_lots == 10
    assert found.equal_share == 0.0
    assert compare(GRID, [], {}, market).equal_share == 1.0


class Answering:
    """A Replay that answers every request 2 ms after it was sent, and fills what rests at 50 ms."""

    def __init__(self) -> None:
        self.now_ns = 0
        self.asked: list[tuple[Any, ...]] = []
        self.rows: list[tuple[Any, ...]] = []
        self.due: list[tuple[int, tuple[Any, ...]]] = []

    def answer(self, client_id: int, request: int, status: int, lots: int = 0) -> int:
        at_ns = self.now_ns + 2 * MS
        self.due.append((at_ns, (0, client_id, request, status, 100, 100, lots, 0, 1, at_ns - MS,
                                 at_ns)))
        return 0

    def submit(self, asset: int, client_id: int, *what: int) -> int:
        self.asked.append(("submit", self.now_ns, *what))
        return self.answer(client_id, 1, 1)

    def modify(self, asset: int, client_id: int, *what: int) -> int:
        self.asked.append(("modify", self.now_ns, *what))
        return self.answer(client_id, 7, 1)

    def cancel(self, asset: int, client_id: int) -> int:
        self.asked.append(("cancel", self.now_ns))
        return self.answer(client_id, 4, 4)

    def step(self, until_ns: int, wake: int) -> int:
        due = min((at_ns for at_ns, _ in self.due), default=until_ns + 1)
        if due > until_ns:
            self.now_ns = until_ns
            return 0 if until_ns < 1 << 61 else 1 << 30
        self.now_ns = due
        self.rows = [row for at_ns, row in self.due if at_ns == due]
        self.due = [pair for pair in self.due if pair[0] != due]
        return wake

    def responses(self) -> list[tuple[Any, ...]]:
        rows, self.rows = self.rows, []
        return rows

    def drop_inactive(self, asset: int) -> None:
        pass


def test_requests_leave_when_they_left_and_wait_for_the_answer_before_them() -> None:
    order = order_of(requests=(Request(11 * MS, AMEND, 98, 12, 12), Request(30 * MS, CANCEL)))
    replay = Answering()
    found = SessionReplay(replay, 0).run([order])
    assert replay.asked == [("submit", 10 * MS, 0, 100, 10, 1), ("modify", 12 * MS, 98, 12),
                            ("cancel", 30 * MS)]
    assert (found[1].arrived_ns, found[1].end, found[1].ended_ns) == (11 * MS, "canceled", 31 * MS)
