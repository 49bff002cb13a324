"""Long streams of random commands through the compiled rooms, their twins and the naive ones.

What hypothesis does with short streams, done with long ones: state builds up over thousands of
commands. Every stream is named by its seed and its length.
"""

from __future__ import annotations

import random
from typing import Any

import pytest

from fastcore.sim import codes
from fuzz.counts import long_count
from hftbot.engine.ledger import Ledger
from hftbot.words.events import OrderFilled
from hftbot.words.market import Side
from kraken_frames import BTC
from naive.test_histogram import PERCENTILES, NaiveHistogram
from naive.test_matcher import MATCHERS, REPLAYS, NaiveMatcher, NaiveReplay, check_same, one
from naive.test_position import NaivePosition, seen
from twins import both

BOOKS = both("fastcore.market.book")
HASHES = both("fastcore.market.snapshot")
POSITIONS = both("fastcore.money.position")
HISTOGRAMS = both("fastcore.probe.histogram")
HASH_EVERY = 1_000
DEPTH = 30


class QuickBook:
    """Two dictionaries; only what is asked is sorted."""

    def __init__(self) -> None:
        self.sides: tuple[dict[int, int], dict[int, int]] = ({}, {})

    def best(self, side: int) -> tuple[int, int]:
        """Ticks and lots of the touch, or zeros."""
        levels = self.sides[side]
        if not levels:
            return 0, 0
        ticks = min(levels) if side else max(levels)
        return ticks, levels[ticks]

    def update(self, side: int, ticks: int, lots: int) -> int:
        """2 if the best price changed, 1 if only its lots did."""
        before = self.best(side)
        if lots:
            self.sides[side][ticks] = lots
        else:
            self.sides[side].pop(ticks, None)
        after = self.best(side)
        return 2 if after[0] != before[0] else int(after != before)

    def truncate(self) -> None:
        """Keep the best levels only."""
        for side, levels in enumerate(self.sides):
            for ticks in sorted(levels, reverse=side == 0)[DEPTH:]:
                del levels[ticks]

    def levels(self, side: int) -> list[tuple[int, int]]:
        """Best first."""
        return sorted(self.sides[side].items(), reverse=side == 0)


def book_stream(seed: int, count: int, books: list[Any], naive: Any) -> None:
    """A market that wanders: updates around a price, deletions, cuts to depth, far prices."""
    rng = random.Random(seed)
    middle = 100_000
    for number in range(count):
        middle += rng.choice((-1, 0, 0, 0, 1)) if number % 50 else rng.randrange(-3_000, 3_001)
        middle = max(200, middle)
        side = rng.randrange(2)
        ticks = middle + rng.randrange(1, 40) * (1 if side else -1)
        lots = rng.choice((0, 0, 1, 7, 10**9, 1 << 62))
        expected = naive.update(side, ticks, lots)
        for book in books:
            found = book.update(side, ticks, lots)
            assert found == expected, f"seed {seed}, operation {number}: {found}, not {expected}"
        if number % 7 == 0:
            for each in (naive, *books):
                each.truncate()
        if number % HASH_EVERY == HASH_EVERY - 1:
            state = HASHES[0].hash_levels(naive.levels(0), naive.levels(1))
            for book in books:
                assert book.state_hash() == state, f"seed {seed}, operation {number}"
                assert book.dropped == 0


def new_books() -> list[Any]:
    """Compiled and interpreted."""
    return [room.OrderBook(depth=DEPTH, width=4096) for room in BOOKS]


def test_the_book_keeps_its_state_over_many_updates() -> None:
    book_stream(1, 20_000, new_books(), QuickBook())


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_the_book_keeps_its_state_over_a_million_updates() -> None:
    book_stream(2, long_count(1_000_000), new_books(), QuickBook())


class Forgetful(QuickBook):
    """Canary: loses one deletion of a level in fifty."""

    deletions = 0

    def update(self, side: int, ticks: int, lots: int) -> int:
        lost = not lots and ticks in self.sides[side]
        self.deletions += lost
        return 0 if lost and self.deletions % 50 == 0 else super().update(side, ticks, lots)


# --- matchers -----------------------------------------------------------------------------------

def matcher_stream(seed: int, count: int, make: Any = NaiveMatcher) -> None:
    """Orders of three owners around a price, amends, cancels, expiries."""
    rng = random.Random(seed)
    sides = [(room.Matcher(512, 256), make(), {}, {}) for room in MATCHERS]
    now_us = 1
    for number in range(count):
        now_us += rng.randrange(2)
        command = matcher_command(rng, sides[0][1], now_us)
        for matcher, naive, ids, names in sides:
            try:
                one(matcher, naive, command, ids, names)
                if number % 5 == 0:
                    check_same(matcher, naive, names)
            except AssertionError as error:
                raise AssertionError(f"seed {seed}, command {number} {command}: {error}"
                                     ) from error
        assert len({matcher.state_hash() for matcher, *_ in sides}) == 1, f"{seed}, {number}"


def matcher_command(rng: random.Random, naive: Any, now_us: int) -> tuple[Any, ...]:
    """The next request; a book that grows long is thinned out."""
    open_orders = [order.name for order in naive.orders]
    if len(open_orders) > 40 or (open_orders and rng.randrange(5) == 0):
        return "cancel", rng.choice(open_orders)
    what = rng.randrange(10)
    if what == 0:
        return "expire", now_us
    if what == 1:
        return "cancel", rng.randrange(naive.names + 3)
    if what == 2 and open_orders:
        return ("amend", rng.choice(open_orders), rng.randrange(95, 106), rng.randrange(1, 10),
                rng.randrange(2), rng.randrange(3), rng.choice((0, 0, 1, 4)))
    side = rng.randrange(2)
    if what < 7:
        ticks = rng.randrange(101, 107) if side else rng.randrange(95, 101)
    else:
        ticks = rng.choice((0, *range(97, 104)))
    return ("place", rng.randrange(3), side, ticks, rng.randrange(21), rng.randrange(4),
            int(rng.randrange(4) == 0), rng.randrange(3), now_us + rng.randrange(1, 60),
            rng.choice((0, 0, 1, 2, 5)))


def test_the_matcher_keeps_its_state_over_many_commands() -> None:
    matcher_stream(1, 2_000)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_the_matcher_keeps_its_state_over_a_hundred_thousand_commands() -> None:
    matcher_stream(2, long_count(100_000))


def replay_stream(seed: int, count: int) -> None:
    """A recorded book and our orders in its queues."""
    rng = random.Random(seed)
    rooms = [room.ReplayMatcher(512, 256) for room in REPLAYS]
    naive = NaiveReplay()
    for number in range(count):
        side = rng.randrange(2)
        what = rng.randrange(10)
        if what < 6:
            ticks = rng.randrange(101, 108) if side else rng.randrange(94, 101)
            row: tuple[Any, ...] = ("depth", side, ticks, rng.choice((0, 0, 1, 9, 30)))
        elif what < 8 or len(naive.orders) > 30:
            row = ("trade", side, rng.randrange(97, 105), rng.randrange(1, 30))
        else:
            ticks = rng.choice((0, *range(96, 106)))
            row = ("place", side, ticks, rng.randrange(1, 10),
                   codes.IOC if not ticks else rng.choice((codes.GTC, codes.IOC, codes.FOK)),
                   rng.choice((0, 0, 1, 3)))
        name = 0
        for room in rooms:
            name = (room.place(0, *row[1:5], 0, 0, 0, row[5]) if row[0] == "place"
                    else getattr(room, row[0])(*row[1:]))
        if row[0] == "place":
            naive.place(name, *row[1:])
        else:
            getattr(naive, row[0])(*row[1:])
        told = f"seed {seed}, command {number} {row}"
        for room in rooms:
            assert [(f[0] or f[2], f[5], f[6]) for f in room.fills()] == naive.fills, told
            assert room.open_orders == len(naive.orders), told
            if number % 50 == 0:
                for order in naive.orders:
                    assert room.leaves_of(order.name) == order.lots, told
                    assert room.ahead_of(order.name) == order.rank, told
        assert len({room.state_hash() for room in rooms}) == 1, told


def test_the_queue_model_keeps_its_state_over_many_commands() -> None:
    replay_stream(1, 2_000)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_the_queue_model_keeps_its_state_over_a_hundred_thousand_commands() -> None:
    replay_stream(2, long_count(100_000))


# --- money --------------------------------------------------------------------------------------

def ledger_stream(seed: int, count: int, make: Any = Ledger) -> None:
    """Fills, many of them told again, through ledger and position; fees in both signs."""
    rng = random.Random(seed)
    positions = [room.Position(0) for room in POSITIONS]
    naive = NaivePosition()
    ledger = make([BTC], positions[:1])
    known: list[tuple[str, int, int, int, int]] = []
    fees = fills = 0
    for number in range(count):
        if known and rng.randrange(3) == 0:
            fill = rng.choice(known[-2_000:])
        else:
            side = int(naive.lots > 0) if abs(naive.lots) > 10**12 else rng.randrange(2)
            fill = (f"F{number}", side, rng.randrange(1, 10**6), rng.randrange(1, 10**9),
                    rng.randrange(-10**6, 10**7))
        told = f"seed {seed}, fill {number} {fill}"
        again = fill in known[-2_000:]
        assert ledger.seen(fill[0]) == again, told
        if not again:
            known.append(fill)
            _name, side, ticks, lots, fee = fill
            expected = naive.apply(side, ticks, lots, fee)
            assert [each.apply(side, ticks, lots, fee) for each in positions] == [
                expected] * len(positions), told
            fees, fills = fees + fee, fills + 1
            ledger.book(OrderFilled(number, "V", fill[0], 0, Side(side), ticks, lots, fee, False,
                                    number), number)
        for position in positions:
            assert seen(position) == (naive.lots, naive.cost, naive.cash, naive.realised,
                                      naive.fees, naive.traded), told
        assert (ledger.fees_e10, ledger.fills, ledger.position_lots(0)) == (
            fees, fills, naive.lots), told
    assert len({position.state_hash() for position in positions}) == 1


def test_the_ledger_keeps_its_state_over_many_fills() -> None:
    ledger_stream(1, 3_000)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_the_ledger_keeps_its_state_over_a_hundred_thousand_fills() -> None:
    ledger_stream(2, long_count(100_000))


class Twice(Ledger):
    """Canary: forgets one fill in a hundred."""

    def seen(self, fill_id: str) -> bool:
        known = super().seen(fill_id)
        if int(fill_id[1:]) % 100 == 0:
            self._seen.pop(fill_id, None)
        return known


def histogram_stream(seed: int, count: int) -> None:
    """Latencies, with outliers beyond both ends, checked now and then."""
    rng = random.Random(seed)
    highest = 3_600_000_000_000
    rooms = [room.Histogram(highest, 3) for room in HISTOGRAMS]
    naive = NaiveHistogram(highest, 3, 1)
    for number in range(1, count + 1):
        value = int(rng.lognormvariate(8, 2)) if rng.randrange(100) else rng.choice(
            (-1, 0, 1, highest, highest + 1, rng.randrange(highest)))
        naive.record(value)
        for room in rooms:
            room.record(value)
        if number % 10_000 and number != count:
            continue
        for room in rooms:
            told = f"seed {seed}, value {number}"
            assert (room.count, room.clamped) == (number, naive.clamped), told
            for percentile in PERCENTILES:
                assert room.value_at_percentile(percentile) == naive.percentile(percentile), (
                    f"{told}, percentile {percentile}")


def test_the_histogram_keeps_its_state_over_many_values() -> None:
    histogram_stream(1, 10_000)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_the_histogram_keeps_its_state_over_a_hundred_thousand_values() -> None:
    histogram_stream(2, long_count(100_000))


class Late(NaiveMatcher):
    """Canary: one order in a hundred goes to the end of its queue."""

    def settle(self, name: int, *rest: Any) -> Any:
        if name % 100 == 0:
            self.ranks += 1_000
        found = super().settle(name, *rest)
        if name % 100 == 0:
            self.ranks -= 1_000
        return found


@pytest.mark.parametrize("run", [
    lambda: book_stream(3, 20_000, new_books(), Forgetful()),
    lambda: matcher_stream(3, 20_000, Late), lambda: ledger_stream(3, 5_000, Twice)],
    ids=["book", "matcher", "ledger"])
def test_the_canaries_are_caught(run: Any) -> None:
    with pytest.raises(AssertionError, match="seed 3"):
        run()
