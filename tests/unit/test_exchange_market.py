"""The synthetic market: busy, moving, deep, and nobody's friend."""

import random
from itertools import pairwise
from statistics import mean, median, pstdev

import pytest

from hftbot.config.fee_schedules import rates_e6
from hftbot.exchange.market import SyntheticMarket
from hftbot.exchange.settings import LISTINGS
from hftbot.signal.momentum import UP, Momentum

OURS = 1
SECOND = 1_000_000


def market(seed, symbol="BTC/USD"):
    crowd = SyntheticMarket(LISTINGS[symbol], seed)
    crowd.open(0)
    return crowd


class Purse:
    """Position and cash of a test trader in ticks and lots; fees in millionths."""

    def __init__(self, fee_e6=0):
        self.lots = self.cash = self.traded = self.fills = 0
        self.fee_e6 = fee_e6

    def take(self, rows):
        for row in rows:
            for owner, side in ((row[1], 1 - row[4]), (row[3], row[4])):
                if owner == OURS:
                    sign = 1 - 2 * side
                    self.lots += sign * row[6]
                    self.cash -= sign * row[5] * row[6]
                    self.traded += row[5] * row[6]
                    self.fills += 1

    def worth(self, matcher):
        mid = (matcher.best(0) + matcher.best(1)) / 2
        return self.cash + self.lots * mid - self.traded * self.fee_e6 / 1_000_000


@pytest.mark.parametrize("symbol", ["BTC/USD", "ETH/USD"])
def test_the_default_market_is_busy_deep_and_moving(symbol):
    crowd = market(3, symbol)
    matcher = crowd.matcher
    spreads, mids, changes, trades, depth, next_us = [], [], 0, 0, [], 0
    while crowd.next_us < 40 * SECOND:
        batch = crowd.step(crowd.next_us)
        changes += bool(batch.changes)
        trades += len(batch.fills)
        spreads.append(matcher.best(1) - matcher.best(0))
        depth.append(min(matcher.count(0), matcher.count(1)))
        if crowd.next_us >= next_us:
            mids.append(crowd.mid_ticks())
            next_us += SECOND
    assert 50 <= changes / 40 <= 150
    assert trades / 40 > 3
    assert min(spreads) >= 1
    assert 1 <= median(spreads) <= 20
    assert sum(count >= 10 for count in depth) > 0.97 * len(depth)
    assert pstdev(after - before for before, after in pairwise(mids)) > 10


def test_a_seed_is_a_market():
    def trace(seed):
        crowd = market(seed)
        while crowd.next_us < 3 * SECOND:
            crowd.step(crowd.next_us)
        return crowd.matcher.state_hash(), crowd.next_us
    assert trace(1) == trace(1)
    assert trace(1) != trace(2)


def join_the_touch(seed, seconds=12, lots=1_000_000):
    """Always quote the best bid and ask, small, at once after every event."""
    crowd = market(seed)
    matcher = crowd.matcher
    purse = Purse()
    ids, prices = [0, 0], [0, 0]
    while crowd.next_us < seconds * SECOND:
        purse.take(crowd.step(crowd.next_us).fills)
        for side in (0, 1):
            best = matcher.best(side)
            if matcher.leaves_of(ids[side]) and prices[side] == best:
                continue
            matcher.cancel(ids[side])
            if purse.lots * (1 - 2 * side) < 10 * lots and matcher.best(side):
                prices[side] = matcher.best(side)
                ids[side] = matcher.place(OURS, side, prices[side], lots, 0, 1)
    return purse, purse.worth(matcher)


def test_a_naive_joiner_of_the_touch_loses_even_without_fees():
    results = [join_the_touch(seed) for seed in range(1, 9)]
    assert all(purse.fills > 30 for purse, _ in results)
    assert sum(worth < 0 for _, worth in results) >= 7
    assert sum(worth for _, worth in results) < 0


def take_at_random(seed, fee_e6, seconds=12, lots=1_000_000, hold_us=50_000):
    """Buy or sell by the toss of a coin, and go back a moment later. Returns loss and spread."""
    crowd = market(seed)
    matcher = crowd.matcher
    coin = random.Random(seed)
    purse = Purse(fee_e6)
    spread_paid, side, due = 0, -1, SECOND
    while crowd.next_us < seconds * SECOND:
        if crowd.next_us >= due:
            side = coin.randrange(2) if side < 0 else 1 - side
            mid2 = matcher.best(0) + matcher.best(1)
            matcher.place(OURS, side, 0, lots)
            rows = matcher.fills()
            purse.take(rows)
            spread_paid += sum(abs(2 * row[5] - mid2) * row[6] for row in rows) / 2
            side = side if purse.lots else -1
            due = crowd.next_us + hold_us
        crowd.step(crowd.next_us)
    return -purse.worth(matcher), spread_paid, purse.traded


def test_a_zero_edge_taker_loses_the_spread_and_the_fee():
    free = [take_at_random(seed, 0) for seed in range(1, 9)]
    loss, spread = sum(row[0] for row in free), sum(row[1] for row in free)
    assert spread > 0
    assert 0.3 * spread < loss < 2.5 * spread
    fee_e6 = rates_e6("kraken", "BTC/USD")[1]
    paid = [take_at_random(seed, fee_e6) for seed in range(1, 9)]
    fees = sum(row[2] for row in paid) * fee_e6 / 1_000_000
    assert sum(row[0] for row in paid) == pytest.approx(loss + fees)


def first_entry_us(seed, latency_us=6_000, cooldown_us=250_000):
    """When a momentum buyer with an IOC a fifth of a basis point above the ask has his fill."""
    crowd = market(seed)
    matcher = crowd.matcher
    momentum = Momentum(window_us=1_000_000, threshold_e6=200_000)
    arrives, limit, ready = 0, 0, 0
    while crowd.next_us < 8 * SECOND:
        now = crowd.next_us
        if arrives and now >= arrives:
            matcher.place(OURS, 0, limit, 100_000, 1)
            if matcher.fill_count:
                return now
            arrives = 0
        batch = crowd.step(now)
        for row in batch.fills:
            momentum.on_trade(row[4], row[6], now)
        bid, ask = matcher.best(0), matcher.best(1)
        direction = momentum.on_top(bid, matcher.lots_at(0, bid), ask, matcher.lots_at(1, ask), now)
        if direction == UP and not arrives and now >= ready:
            arrives, limit, ready = now + latency_us, int(ask * 1.00002), now + cooldown_us
    return 99 * SECOND


def test_a_momentum_buyer_enters_within_five_seconds_on_every_seed():
    entries = [first_entry_us(seed) for seed in range(100)]
    assert max(entries) <= 5 * SECOND
    assert mean(entries) < 2 * SECOND
