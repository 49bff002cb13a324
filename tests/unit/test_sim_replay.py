"""The replay at its edges: how it is set up, what it says of bad input, what it never does."""

import array
import math
import random
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastcore.market.book import OrderBook
from fastcore.sim import fees, latency
from fastcore.sim import replay_codes as codes
from fuzz.counts import examples
from twins import BOTH, both

DEPTH, TRADE = codes.DEPTH_ROW, codes.TRADE_ROW
BOTH_CLOCKS = codes.AT_EXCHANGE | codes.AT_LOCAL
BUY, SELL = 0, 1
LOT = 0.001
QUIET = settings(deadline=None, max_examples=examples(80), database=None)
rooms = both("fastcore.sim.replay")
compiled = rooms[0]


def row(kind, side, ticks, lots, exch_ns, local_ns=None, flags=BOTH_CLOCKS, price=None):
    """One event row of 64 bytes."""
    ev = kind | flags | (codes.SELLER if side else codes.BUYER)
    return struct.pack("<qqqddqqd", ev, exch_ns, exch_ns + 10 if local_ns is None else local_ns,
                       ticks * 0.1 if price is None else price, lots * LOT, 0, 0, 0.0)


def opened(*rows, room=compiled, entry_ns=5, response_ns=7, **options):
    """A replay of one asset: 10 lots bid at 99, 10 offered at 101, then these rows."""
    events = row(DEPTH, BUY, 99, 10, 100) + row(DEPTH, SELL, 101, 10, 100) + b"".join(rows)
    replay = room.Replay()
    replay.add(events, 0.1, LOT, latency.OrderLatency.constant(entry_ns, response_ns),
               fees.FeeModel(fees.PER_VALUE, 0.0, 0.001), **options)
    replay.elapse(50)
    return replay


def news(replay):
    """Responses without asset and stamps."""
    return [line[1:9] for line in replay.responses()]


@pytest.mark.parametrize("room", rooms, ids=BOTH)
def test_an_order_travels_rests_and_trades(room):
    replay = opened(row(TRADE, SELL, 99, 4, 1000), row(TRADE, SELL, 99, 9, 2000),
                    row(DEPTH, BUY, 98, 1, 3000), room=room)
    assert (replay.now_ns, replay.best(0, BUY), replay.best(0, SELL)) == (150, 99, 101)
    assert replay.submit(0, 7, BUY, 99, 3, codes.GTX) == codes.OK
    assert replay.submit(0, 7, BUY, 98, 3, codes.GTX) == codes.ID_EXISTS
    assert replay.cancel(0, 7) == codes.REQUEST_PENDING
    assert replay.step(1 << 60, codes.WAKE_RESPONSE) == codes.WAKE_RESPONSE
    assert replay.now_ns == 150 + 5 + 7
    assert replay.order(0, 7)["status"] == codes.RESTING
    assert replay.elapse(1500) == 0
    assert replay.fills() == []
    assert replay.elapse(400) == 0
    # 10 lots stood before ours; 13 traded.
    assert replay.fills() == [(0, 7, BUY, 99, 3, 1, 2000, 2007)]
    assert news(replay) == [(7, codes.NEW, codes.RESTING, 99, 0, 0, 3, 0),
                            (7, codes.NOTHING, codes.FILLED, 99, 99, 3, 0, 1)]
    assert (replay.position(0), replay.volume_lots(0), replay.trades_count(0)) == (3, 3, 1)
    assert replay.balance(0) == pytest.approx(-9.9 * 0.003)
    assert replay.cancel(0, 7) == codes.INVALID_STATUS
    assert replay.cancel(0, 8) == codes.ORDER_UNKNOWN
    assert replay.drop_inactive(0) == 0
    assert replay.order(0, 7) is None


def test_a_taker_gets_what_is_shown_once():
    replay = opened(row(DEPTH, SELL, 102, 4, 100), row(DEPTH, SELL, 101, 10, 1000),
                    row(DEPTH, SELL, 101, 10, 9000), exchange=codes.PARTIAL_FILL)
    replay.submit(0, 1, BUY, 102, 12, codes.GTC)
    replay.submit(0, 2, BUY, 102, 5, codes.FOK)
    replay.submit(0, 3, BUY, 102, 5, codes.IOC)
    replay.submit(0, 4, BUY, 0, 5, codes.GTC, codes.MARKET)
    replay.elapse(100)
    assert news(replay) == [
        (1, codes.NEW, codes.PARTLY, 102, 101, 10, 2, 0),
        (1, codes.NOTHING, codes.FILLED, 102, 102, 2, 0, 0),
        (2, codes.NEW, codes.EXPIRED, 102, 0, 0, 5, 0),
        (3, codes.NEW, codes.PARTLY, 102, 102, 2, 3, 0),
        (3, codes.NOTHING, codes.EXPIRED, 102, 102, 0, 3, 0),
        (4, codes.NEW, codes.EXPIRED, 0, 0, 0, 5, 0)]
    assert replay.position(0) == 14
    assert replay.fee(0) == pytest.approx(0.001 * (0.010 * 10.1 + 0.004 * 10.2))
    # The next row of the level shows new lots.
    replay.elapse(1000)
    replay.submit(0, 5, BUY, 101, 30, codes.GTC)
    replay.elapse(100)
    assert news(replay) == [(5, codes.NEW, codes.PARTLY, 101, 101, 10, 20, 0)]
    assert replay.order(0, 5)["leaves_lots"] == 20


def test_modify_keeps_its_place_only_for_less():
    trade = row(TRADE, SELL, 99, 11, 5000)
    for ticks, lots, filled in ((99, 2, 1), (99, 4, 0)):
        replay = opened(row(TRADE, SELL, 99, 2, 500), row(DEPTH, BUY, 99, 10, 600), trade,
                        row(DEPTH, BUY, 98, 1, 9000), exchange=codes.PARTIAL_FILL)
        replay.submit(0, 1, BUY, 99, 3, codes.GTC)
        replay.elapse(400)
        assert replay.modify(0, 1, ticks, lots) == codes.OK
        replay.elapse(200)
        order = replay.order(0, 1)
        assert (order["lots"], order["leaves_lots"], order["request"]) == (lots, lots, 0)
        replay.elapse(5000)
        # 10 stood before it, 2 traded; a new order stands behind the 10 of the later row.
        assert replay.position(0) == (min(lots, 3) if filled else 1)


def test_a_modified_quantity_is_the_one_that_trades():
    replay = opened(row(DEPTH, SELL, 98, 5, 5000), row(DEPTH, BUY, 90, 1, 9000))
    replay.submit(0, 1, BUY, 98, 5, codes.GTC)
    replay.elapse(100)
    replay.modify(0, 1, 98, 8)
    replay.elapse(6000)
    assert replay.position(0) == 8


def test_negative_entry_latency_rejects():
    replay = opened(row(DEPTH, BUY, 98, 1, 9000), entry_ns=-30)
    replay.submit(0, 1, BUY, 98, 5, codes.GTC)
    assert replay.step(1 << 60, codes.WAKE_RESPONSE) == codes.WAKE_RESPONSE
    assert replay.now_ns == 180
    assert news(replay) == [(1, codes.REFUSED, codes.EXPIRED, 98, 0, 0, 5, 0)]
    assert replay.drop_inactive(0) == 0


def test_the_order_table_is_bounded():
    replay = opened(row(DEPTH, BUY, 98, 1, 9000), orders=2)
    assert [replay.submit(0, i, BUY, 90, 1, codes.GTC) for i in range(3)] == [0, 0, codes.FULL]
    replay.elapse(100)
    replay.cancel(0, 0)
    replay.elapse(100)
    assert replay.drop_inactive(0) == 1
    assert replay.submit(0, 2, BUY, 90, 1, codes.GTC) == codes.OK
    assert all(code in codes.MEANING for code in (0, 10, 11, 12, 13, 14, codes.FULL))


def test_what_cannot_be_ordered():
    replay = opened()
    for side, ticks, lots, tif, kind in ((2, 9, 1, 0, 0), (-1, 9, 1, 0, 0), (0, 9, 0, 0, 0),
                                         (0, 9, -1, 0, 0), (0, 9, 1, 4, 0), (0, 9, 1, -1, 0),
                                         (0, 9, 1, 0, 2), (0, 1 << 60, 1, 0, 0)):
        assert replay.submit(0, 1, side, ticks, lots, tif, kind) == codes.INVALID
    for call in (replay.position, replay.drop_inactive, replay.orders, replay.equity):
        with pytest.raises(IndexError, match="no asset 1; 1 were added"):
            call(1)


def test_the_end_leaves_the_clock():
    replay = opened()
    assert replay.now_ns == 100
    assert replay.elapse(1000) == 1
    assert replay.now_ns == 100
    assert replay.step(1 << 60, codes.WAKE_FEED) == codes.END
    for never in (codes.NEVER, codes.NEVER - 1):
        assert replay.goto(never) == replay.elapse(never) == 1
        assert replay.step(never, 31) == codes.END
    assert replay.elapse(-5) == replay.goto(0) == 1
    assert replay.now_ns == 100


@pytest.mark.parametrize("room", rooms, ids=BOTH)
def test_a_row_that_is_none_is_named(room):
    replay = opened(row(DEPTH, BUY, 0, 1, 200, price=math.nan), room=room)
    with pytest.raises(ValueError, match=r"asset 0, row 2: .*hftbot convert"):
        replay.elapse(1000)


def test_what_cannot_be_added():
    def add(events=b"", tick=0.1, lot=LOT, **options):
        compiled.Replay().add(events, tick, lot, latency.OrderLatency.constant(1, 1),
                              fees.FeeModel(fees.FLAT, 0.0, 0.0), **options)

    add()
    for message, arguments in (
            ("64 bytes each; 65 bytes are 1 rows and 1 bytes", {"events": bytes(65)}),
            ("must be positive", {"tick": 0.0}), ("must be positive", {"lot": -1.0}),
            ("power of two", {"window": 100}), ("queue is one of", {"queue": 9}),
            ("exchange is", {"exchange": 7}), ("contract is", {"contract": 5}),
            ("orders must be", {"orders": 0})):
        with pytest.raises(ValueError, match=message):
            add(**arguments)
    replay = opened()
    with pytest.raises(ValueError, match="before"):
        replay.add(b"", 0.1, LOT, latency.OrderLatency.constant(1, 1),
                   fees.FeeModel(fees.FLAT, 0.0, 0.0))
    with pytest.raises(ValueError, match="nothing to replay"):
        compiled.Replay().elapse(1)
    shared = latency.OrderLatency.constant(1, 1)
    replay = compiled.Replay()
    replay.add(b"", 0.1, LOT, shared, fees.FeeModel(fees.FLAT, 0.0, 0.0))
    with pytest.raises(ValueError, match="of its own"):
        replay.add(b"", 0.1, LOT, shared, fees.FeeModel(fees.FLAT, 0.0, 0.0))


def market(rng, count, start_ns=200):
    """A market that moves: rows of depth and trades around 100, both clocks going on."""
    rows, at_ns = [], start_ns
    for _ in range(count):
        at_ns += rng.choice([1, 20, 300])
        side = rng.randint(0, 1)
        if rng.random() < 0.3:
            rows.append(row(TRADE, side, rng.randint(96, 104), rng.randint(1, 9), at_ns))
        else:
            rows.append(row(DEPTH, side, 100 + rng.randint(-3, 6) * (2 * side - 1),
                            rng.choice([0, 1, 5, 9]), at_ns))
    return rows


@QUIET
@given(st.integers(0, 1 << 32))
def test_an_attached_book_follows(seed):
    rng = random.Random(seed)
    replay = opened(*market(rng, 80), window=64)
    book = OrderBook(depth=0)
    replay.attach(0, book)
    while replay.step(1 << 60, codes.WAKE_DEPTH) != codes.END:
        for side, best, none in ((BUY, book.best_bid(), 0), (SELL, book.best_ask(), codes.NO_ASK)):
            ours = replay.best(0, side)
            if ours in (codes.NO_BID, codes.NO_ASK):
                ours = none
            # The attached book has forgotten what was crossed; it is never better than ours.
            assert best in (ours, none) or (best < ours if side == BUY else best > ours)
            if best == ours != none:
                assert book.lots_at(side, best) == replay.lots_at(0, side, best)
        assert not (book.has_bid() and book.has_ask() and book.crossed())
        assert book.recv_ns == replay.now_ns
        assert book.ts_us == (replay.now_ns - 10) // 1000


class Gambler:
    """Trades by what it sees and by chance; ``decisions`` is all it ever did."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.decisions = []

    def act(self, replay):
        seen = [replay.best(0, side) for side in (0, 1)]
        choice = self.rng.randint(0, 3)
        side = self.rng.randint(0, 1)
        order_id = len(self.decisions)
        price = min(max(seen[side], 90), 110) + self.rng.randint(-1, 1)
        if choice < 2:
            code = replay.submit(0, order_id, side, price, self.rng.randint(1, 6),
                                 self.rng.choice([codes.GTC, codes.IOC, codes.GTX]))
        elif choice == 2:
            code = replay.cancel(0, self.rng.randint(0, order_id + 1))
        else:
            code = replay.modify(0, self.rng.randint(0, order_id + 1), price, 3)
        replay.drop_inactive(0)
        self.decisions.append((replay.now_ns, choice, seen, code, replay.position(0),
                               replay.fills(), replay.responses()))


def played(events, seed, until_ns, **options):
    gambler = Gambler(seed)
    replay = opened(*events, **options)
    while True:
        woken = replay.step(until_ns, 31 if seed % 2 else codes.WAKE_TOP | codes.WAKE_RESPONSE)
        if woken in (0, codes.END):
            return gambler.decisions
        gambler.act(replay)


@QUIET
@given(st.integers(0, 1 << 32), st.sampled_from([(5, 7), (0, 0), (900, 300)]))
def test_the_future_changes_no_past_decision(seed, delays):
    rng = random.Random(seed)
    rows = market(rng, 90)
    cut = rng.randint(10, 80)
    cut_ns = struct.unpack_from("<q", rows[cut], 8)[0]
    other = rows[:cut] + market(rng, 40, cut_ns)
    options = {"exchange": rng.randint(0, 1), "queue": rng.randint(0, 5),
               "entry_ns": delays[0], "response_ns": delays[1]}
    first = played(rows, seed, cut_ns - 1, **options)
    assert first == played(other, seed, cut_ns - 1, **options)
    assert first == played(rows[:cut], seed, cut_ns - 1, **options)


@QUIET
@given(st.integers(0, 1 << 32))
def test_no_liquidity_is_made(seed):
    """Nobody gets more than was there: of a trade at our price, of a level that we take."""
    rng = random.Random(seed)
    rows = market(rng, 60)
    replay = opened(*rows, exchange=codes.PARTIAL_FILL)
    gambler = Gambler(seed)
    fills = []
    while replay.step(1 << 60, 31) != codes.END:
        gambler.act(replay)
        fills += gambler.decisions[-1][5]
    fills += replay.fills()
    signed = sum(fill[4] * (1 - 2 * fill[2]) for fill in fills)
    assert replay.position(0) == signed
    assert replay.volume_lots(0) == sum(fill[4] for fill in fills)
    sold = {}
    shown = {}
    for recorded in (row(DEPTH, BUY, 99, 10, 100), row(DEPTH, SELL, 101, 10, 100), *rows):
        ev, exch_ns, _, price, quantity = struct.unpack_from("<qqqdd", recorded)
        key = (SELL if ev & codes.SELLER else BUY, round(price * 10))
        if ev & 0xFF == TRADE:
            sold[exch_ns] = (key[1], round(quantity / LOT))
        else:
            shown.setdefault(key, []).append((exch_ns, round(quantity / LOT)))
    for exch_ns, (ticks, lots) in sold.items():
        ours = [fill for fill in fills if fill[5] and fill[6] == exch_ns and fill[3] == ticks]
        assert sum(fill[4] for fill in ours) <= lots
    taken = {}
    for fill in fills:
        if not fill[5]:
            rows_before = [(at, lots) for at, lots in shown.get((1 - fill[2], fill[3]), [])
                           if at <= fill[6]]
            assert rows_before, "a level that no row ever showed"
            level = (1 - fill[2], fill[3], len(rows_before))
            taken[level] = taken.get(level, 0) + fill[4]
            assert taken[level] <= rows_before[-1][1]


def filled_at(rows, *sent, **options):
    """When each order of ours at 99 traded; ``sent``: how long after the one before it left."""
    replay = opened(*rows, row(DEPTH, SELL, 120, 1, 1 << 40), **options)
    for order_id, wait_ns in enumerate(sent):
        replay.elapse(wait_ns)
        replay.submit(0, order_id, BUY, 99, 2, codes.GTX)
    replay.elapse(1 << 30)
    found = {fill[1]: fill[6] for fill in replay.fills()}
    return [found.get(order_id, 1 << 60) for order_id in range(len(sent))]


@QUIET
@given(st.integers(0, 1 << 32))
def test_who_stands_further_back_trades_no_earlier(seed):
    """By trades alone: the models that guess cancellations may let a later order pass."""
    rng = random.Random(seed)
    rows = [row(TRADE, SELL, 99, rng.randint(1, 4), 1000 * i) if rng.random() < 0.5
            else row(DEPTH, BUY, 99, rng.randint(1, 20), 1000 * i) for i in range(1, 60)]
    behind = [filled_at([row(DEPTH, BUY, 99, before, 110), *rows], 0)[0] for before in (5, 9, 20)]
    assert behind == sorted(behind)
    first, second = filled_at(rows, 0, rng.randint(0, 9000))
    assert first <= second


def test_rows_are_not_copied():
    events = array.array("B", row(DEPTH, BUY, 99, 10, 100) + row(DEPTH, BUY, 98, 7, 500))
    replay = compiled.Replay()
    replay.add(events, 0.1, LOT, latency.OrderLatency.constant(1, 1),
               fees.FeeModel(fees.FLAT, 0.0, 0.0))
    replay.elapse(100)
    struct.pack_into("<d", events, 64 + 32, 3 * LOT)
    replay.elapse(1000)
    assert replay.lots_at(0, BUY, 98) == 3


@pytest.mark.parametrize("room", rooms, ids=BOTH)
def test_answers_that_wait_are_all_kept(room):
    """More executions under way than the bus first has room for, and than a log has."""
    trades = [row(TRADE, SELL, 99, 1, 1000 + i) for i in range(1200)]
    replay = opened(row(DEPTH, BUY, 99, 0, 110), *trades, row(DEPTH, BUY, 90, 1, 1 << 40),
                    room=room, response_ns=1 << 30, exchange=codes.PARTIAL_FILL, orders=4)
    replay.submit(0, 1, BUY, 99, 1199, codes.GTC)
    replay.goto(1 << 29)
    assert replay.fills() == []
    replay.goto(1 << 32)
    fills = replay.fills()
    assert [fill[4] for fill in fills] == [1] * 1199
    assert [fill[7] for fill in fills] == [1000 + i + (1 << 30) for i in range(1199)]
    assert len(replay.responses()) == 1200
    assert replay.order(0, 1)["status"] == codes.FILLED


@pytest.mark.parametrize("room", rooms, ids=BOTH)
def test_levels_outside_the_window_that_come_in_a_row(room):
    """A snapshot lists them from the best on: none inside the window comes between."""
    levels = [row(DEPTH, BUY, 10**6 - 97 * i, 1, 200) for i in range(1, 4200)]
    replay = opened(row(DEPTH, BUY, 10**6, 1, 200), row(DEPTH, SELL, 10**6 + 1, 1, 200), *levels,
                    row(DEPTH, BUY, 1, 1, 1 << 40), room=room, window=64)
    replay.goto(1 << 30)
    assert replay.levels(0, BUY, 3) == [(10**6 - 97 * i, LOT) for i in range(3)]
    assert all(replay.lots_at(0, BUY, 10**6 - 97 * i) == 1 for i in range(4200))


@pytest.mark.parametrize("room", rooms, ids=BOTH)
def test_a_book_wider_than_its_window(room):
    """Thousands of levels outside the window, the best among them, then there and back."""
    levels = [row(DEPTH, SELL, 200 + 3 * i, 1 + i % 7, 200) for i in range(3000)]
    gone = [row(DEPTH, SELL, 200 + 3 * i, 0, 300) for i in range(2990)]
    back = [row(DEPTH, SELL, 500, 5, 400), row(DEPTH, SELL, 101, 2, 500)]
    replay = opened(row(DEPTH, SELL, 101, 0, 150), *levels, *gone, *back,
                    row(DEPTH, BUY, 1, 1, 1 << 40), room=room, window=64)
    replay.goto(250)
    assert replay.levels(0, SELL, 60) == [
        (200 + 3 * i, pytest.approx((1 + i % 7) * LOT)) for i in range(60)]
    replay.goto(350)
    assert [ticks for ticks, _ in replay.levels(0, SELL, 99)] == [
        200 + 3 * i for i in range(2990, 3000)]
    replay.submit(0, 1, BUY, 9170, 3, codes.IOC)
    replay.goto(450)
    assert (replay.best(0, SELL), replay.lots_at(0, SELL, 9197)) == (500, 1 + 2999 % 7)
    assert replay.fills()[0][3] == 9170
    replay.goto(550)
    assert [ticks for ticks, _ in replay.levels(0, SELL, 3)] == [101, 500, 9170]


@pytest.mark.parametrize("room", rooms, ids=BOTH)
def test_an_answer_before_a_row_that_is_for_one_side_alone(room):
    """A row that only its trader sees is no event of the exchange, whatever its exchange time."""
    def answered(assets):
        quiet = row(DEPTH, BUY, 99, 10, 100) + row(DEPTH, SELL, 101, 10, 100)
        events = quiet + row(TRADE, SELL, 98, 1, 1000) + row(
            DEPTH, BUY, 99, 9, 50_000, 60_000, flags=codes.AT_LOCAL) + row(
            TRADE, SELL, 96, 1, 1001, flags=codes.AT_EXCHANGE)
        replay = room.Replay()
        for rows in [events, quiet][:assets]:
            replay.add(rows, 0.1, LOT, latency.OrderLatency.constant(5, 7),
                       fees.FeeModel(fees.PER_VALUE, 0.0, 0.001))
        replay.elapse(50)
        replay.submit(0, 1, BUY, 99, 1, codes.GTC)
        replay.submit(0, 2, BUY, 97, 1, codes.GTC)
        seen = []
        while replay.step(2000, codes.WAKE_RESPONSE) == codes.WAKE_RESPONSE:
            seen += [(line[1], replay.now_ns) for line in replay.fills()]
        return seen

    assert answered(2) == answered(1) == [(1, 1007), (2, 1008)]


@pytest.mark.parametrize("room", rooms, ids=BOTH)
def test_levels_of_endless_quantity_are_enough(room):
    """The lots of all levels within a price are added up before an order is filled whole."""
    replay = opened(*(row(DEPTH, SELL, 101 + i, 1e24, 100) for i in range(4)),
                    row(DEPTH, BUY, 1, 1, 1 << 40), room=room, exchange=codes.PARTIAL_FILL)
    replay.submit(0, 1, BUY, 104, 5, codes.FOK)
    replay.elapse(1000)
    assert [fill[3:5] for fill in replay.fills()] == [(101, 5)]
