"""A replay of a market recorded order by order: ours stand in the real queues."""

import os
import pathlib

import pytest
from order_market import (
    ADD,
    CANCEL,
    EXCHANGE,
    FILL,
    LOCAL,
    MODIFY,
    ROW,
    es_future,
    row,
    seeded_orders,
)

import fastcore
from fastcore.sim import replay_codes as code
from fastcore.sim.fees import PER_QUANTITY, FeeModel
from fastcore.sim.latency import OrderLatency
from twins import BOTH, both

SHARED = pathlib.Path(os.environ.get("HFTBOT_SHARED")
                      or pathlib.Path(__file__).resolve().parents[2].parent / "shared")
REPLAYS = both("fastcore.sim.replay")
GRIDS = both("fastcore.sim.grid_maker")
LATENCIES = both("fastcore.sim.latency")
FEES = both("fastcore.sim.fees")
START_NS = 1_000_000_000
FEED_NS, ORDER_NS = 1000, 10
BID, ASK = 0, 1


def replay_of(rows, form=0, order_ns=ORDER_NS):
    replay = REPLAYS[form].Replay()
    replay.add(rows, 0.25, 1.0, LATENCIES[form].OrderLatency.constant(order_ns, order_ns),
               FEES[form].FeeModel(PER_QUANTITY, 0.5, 1.5), exchange=code.L3_FIFO,
               contract_size=50.0)
    return replay


class Market:
    """Rows written one after the other, a microsecond apart; prices in ticks."""

    def __init__(self):
        self.rows = []

    def say(self, kind, side, ticks, lots, name):
        at_ns = START_NS + 1_000_000 * len(self.rows)
        self.rows.append(row(kind, side, at_ns, FEED_NS, ticks * 0.25, lots, name))
        return self

    def bytes(self):
        return b"".join(self.rows)


@pytest.fixture(params=range(len(BOTH)), ids=BOTH)
def form(request):
    return request.param


def touch():
    """Row 0: a bid of 5 at 100; row 1: an ask of 5 at 104."""
    return Market().say(ADD, BID, 100, 5, 1).say(ADD, ASK, 104, 5, 2)


def after(replay, count):
    """Let that many rows be seen, and what they caused be answered."""
    replay.goto(START_NS + 1_000_000 * count - 500_000)


def test_ours_trade_when_the_order_behind_them_does(form):
    market = touch().say(ADD, BID, 100, 9, 3).say(FILL, BID, 100, 1, 1).say(FILL, BID, 100, 1, 3)
    replay = replay_of(market.say(CANCEL, ASK, 104, 5, 2).bytes(), form)
    after(replay, 2)
    assert (replay.best(0, BID), replay.best(0, ASK), replay.lots_at(0, BID, 100)) == (100, 104, 5)
    assert replay.submit(0, 7, BID, 100, 2, code.GTC) == 0
    after(replay, 4)
    assert replay.lots_at(0, BID, 100) == 14
    assert replay.fills() == []
    after(replay, 5)
    # It is known here one order latency after the exchange time of the fill.
    exch_ns = START_NS + 4_000_000
    assert replay.fills() == [(0, 7, BID, 100, 2, 1, exch_ns, exch_ns + ORDER_NS)]
    assert (replay.position(0), replay.balance(0), replay.fee(0)) == (2, -2500.0, 1.0)


def test_the_opposite_best_takes_ours_and_a_taker_pays(form):
    market = touch().say(ADD, ASK, 102, 4, 3).say(ADD, BID, 98, 1, 4)
    replay = replay_of(market.bytes(), form)
    after(replay, 2)
    assert replay.submit(0, 1, BID, 102, 2, code.GTX) == 0
    assert replay.submit(0, 2, BID, 105, 1, code.IOC) == 0
    after(replay, 3)
    assert [(fill[1], fill[3], fill[5]) for fill in replay.fills()] == [(2, 104, 0), (1, 102, 1)]
    assert replay.fee(0) == 1.5 + 2 * 0.5


def test_lifetimes_and_what_cannot_rest(form):
    replay = replay_of(touch().say(ADD, BID, 99, 1, 3).bytes(), form)
    after(replay, 2)
    assert replay.submit(0, 1, BID, 104, 1, code.GTX) == 0
    assert replay.submit(0, 2, BID, 103, 1, code.IOC) == 0
    assert replay.submit(0, 3, ASK, 0, 1, code.GTC, code.MARKET) == 0
    assert replay.submit(0, 4, ASK, 100, 3, code.FOK) == 0
    after(replay, 3)
    assert {r[1]: r[3] for r in replay.responses()} == {
        1: code.EXPIRED, 2: code.EXPIRED, 3: code.FILLED, 4: code.FILLED}
    assert replay.position(0) == -4


def test_fewer_lots_keep_the_place_and_more_lose_it(form):
    market = touch().say(ADD, BID, 100, 1, 3).say(FILL, BID, 100, 1, 3).say(ADD, BID, 100, 1, 4)
    market = market.say(FILL, BID, 100, 1, 4).say(ADD, BID, 90, 1, 5).bytes()
    filled = {}
    for lots in (2, 6):
        replay = replay_of(market, form)
        after(replay, 2)
        replay.submit(0, 1, BID, 100, 4, code.GTC)
        after(replay, 3)
        assert replay.modify(0, 1, 100, lots) == 0
        after(replay, 6)
        filled[lots] = [(fill[4], fill[6] - START_NS) for fill in replay.fills()]
    # The order of row 2 trades in row 3, the one of row 4 in row 5.
    assert filled == {2: [(2, 3_000_000)], 6: [(6, 5_000_000)]}


def test_a_new_price_is_a_new_order(form):
    replay = replay_of(touch().say(ADD, BID, 90, 1, 3).say(ADD, BID, 91, 1, 4).bytes(), form)
    after(replay, 2)
    replay.submit(0, 1, BID, 100, 2, code.GTC)
    replay.submit(0, 2, BID, 99, 2, code.GTX)
    after(replay, 3)
    assert replay.modify(0, 1, 104, 3) == 0
    assert replay.modify(0, 2, 104, 3) == 0
    after(replay, 4)
    assert [(fill[1], fill[3], fill[4], fill[5]) for fill in replay.fills()] == [(1, 104, 3, 0)]
    assert replay.order(0, 2)["status"] == code.EXPIRED


def test_a_cancel_that_comes_too_late_is_refused(form):
    market = touch().say(ADD, BID, 100, 1, 3).say(FILL, BID, 100, 1, 3).say(ADD, BID, 90, 1, 5)
    replay = replay_of(market.say(ADD, BID, 89, 1, 6).bytes(), form, 400_000)
    after(replay, 2)
    replay.submit(0, 1, BID, 100, 2, code.GTC)
    replay.submit(0, 2, BID, 98, 2, code.GTC)
    # The fill of row 3 is known here 0.4 ms after it, the cancel is there 0.1 ms after it.
    replay.goto(START_NS + 2_700_000)
    assert [replay.cancel(0, name) for name in (1, 2)] == [0, 0]
    after(replay, 6)
    told = [(r[1], r[2], r[3]) for r in replay.responses()]
    assert (1, code.REFUSED, code.REJECTED) in told
    assert (2, code.CANCEL, code.CANCELED) in told
    assert replay.position(0) == 2


def test_a_cleared_side_expires_ours_and_begins_anew(form):
    rows = touch().say(ADD, BID, 98, 1, 3).bytes()
    at_ns = START_NS + 3_000_000
    rows += ROW.pack(3 | EXCHANGE | LOCAL, at_ns, at_ns + FEED_NS, float("nan"), 0.0, 0, 0, 0.0)
    at_ns += 1_000_000
    rows += row(ADD, BID, at_ns, FEED_NS, 24.75, 2, 1)
    replay = replay_of(rows, form)
    after(replay, 2)
    replay.submit(0, 1, BID, 99, 2, code.GTC)
    replay.submit(0, 2, ASK, 106, 2, code.GTC)
    after(replay, 4)
    assert (replay.best(0, BID), replay.best(0, ASK)) == (code.NO_BID, code.NO_ASK)
    assert [replay.order(0, name)["status"] for name in (1, 2)] == [code.EXPIRED] * 2
    after(replay, 5)
    assert (replay.best(0, BID), replay.lots_at(0, BID, 99)) == (99, 2)


@pytest.mark.parametrize(("kind", "name", "words"), [
    (ADD, 1, "row 2: it adds an order that is there"),
    (CANCEL, 9, "row 2: it cancels an order that is not there"),
    (MODIFY, 9, "row 2: it modifies an order that is not there"),
    (FILL, 9, "row 2: it fills an order that is not there"),
])
def test_rows_that_cannot_be_are_named(form, kind, name, words):
    replay = replay_of(touch().say(kind, BID, 100, 1, name).bytes(), form)
    with pytest.raises(ValueError, match=words):
        replay.elapse(10**9)


def test_more_orders_than_the_book_began_with(form):
    market = touch()
    for name in range(4200):
        market.say(ADD, BID, 99, 1, 10 + name)
    replay = replay_of(market.bytes(), form)
    replay.elapse(2**40)
    assert replay.lots_at(0, BID, 99) == 4200


def traded(form, rows):
    replay = replay_of(rows, form, 3_000_000)
    grid = GRIDS[form].GridMaker(interval_ns=10_000_000, levels=3, step_ticks=1, order_lots=2,
                                 half_spread_ticks=1.0, skew_ticks=5.0, position_max=20.0)
    grid.run(replay)
    return replay.fills(), replay.state_hash(), replay.balance(0).hex()


@pytest.mark.parametrize("seed", range(3))
def test_every_form_trades_alike(seed):
    rows = seeded_orders(seed)
    found = [traded(form, rows) for form in range(len(BOTH))]
    assert all(one == found[0] for one in found)
    assert len(found[0][0]) > 10


def test_the_future_decides_nothing_before_it():
    """The same beginning with another end gives the same fills as long as it is the same."""
    ends = [seeded_orders(5, 2000), seeded_orders(5, 2000)[:64 * 1200] + b"".join(
        row(ADD, BID, 10**10 + i, 2_000_000, 60.0, 1, 10**6 + i) for i in range(9))]
    same_ns = ROW.unpack_from(ends[0], 64 * 1199)[1]
    fills = [[fill for fill in traded(0, rows)[0] if fill[6] < same_ns] for rows in ends]
    assert fills[0] == fills[1]
    assert fills[0]


@pytest.mark.skipif(not fastcore.compiled, reason="68,792 rows and 1.3 million wake-ups")
def test_the_es_future_as_hftbacktest_trades_it():
    """The figures of hftbacktest 2.4.4 on the same rows; tests/peers compares fill by fill."""
    rows = es_future(SHARED)
    if not rows:
        pytest.skip("no recording of the ES future in ../shared, or no zstd")
    replay = REPLAYS[0].Replay()
    replay.add(rows, 0.25, 1.0, OrderLatency.constant(5_000_000, 5_000_000),
               FeeModel(PER_QUANTITY, 0.5, 0.5), exchange=code.L3_FIFO, contract_size=50.0)
    GRIDS[0].GridMaker(interval_ns=100_000_000, order_lots=1, position_max=20.0).run(replay)
    assert (replay.trades_count(0), replay.position(0)) == (166, 0)
    assert (replay.balance(0), replay.fee(0)) == (-15962.5, 83.0)
