"""What a backtest leaves behind: orders folded into counts, samples that stay bounded."""

from __future__ import annotations

import math
import random
import statistics
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastcore.probe.histogram import Histogram
from hftbot.backtest.fill_chance import FillChance, place_of
from hftbot.backtest.markouts import HORIZONS_S, rows_of
from hftbot.backtest.result import (
    CANCELED,
    EXPIRED,
    FILLED,
    INVERSE,
    OUTCOMES,
    PARTLY,
    REJECTED,
    OrderTally,
    Samples,
    SimAsset,
    SimFill,
    record_feed_latency,
)

MS = 1_000_000
S = 1_000_000_000


def fill(order_id: int, lots: int, exch_ns: int, maker: bool = True) -> SimFill:
    return SimFill(0, order_id, 0, 100, lots, maker, 0.0, exch_ns, exch_ns + MS)


def test_an_order_is_followed_from_sending_to_its_last_lot() -> None:
    tally = OrderTally()
    tally.sent(0, 1, 5, 100 * MS, 3)
    assert (tally.sent_count, len(tally.live)) == (1, 1)
    tally.answered(0, 1, 103 * MS, 105 * MS)
    tally.filled(fill(1, 2, 110 * MS))
    tally.filled(fill(1, 3, 120 * MS))
    tally.ended(0, 1, FILLED)
    assert not tally.live
    assert tally.outcomes == {**dict.fromkeys(OUTCOMES, 0), FILLED: 1}
    assert (tally.executed, tally.filled_lots, tally.sent_lots) == (1, 5, 5)
    assert [tally.entry.count, tally.response.count, tally.round_trip.count] == [1, 1, 1]
    assert tally.entry.max == pytest.approx(3 * MS, rel=1e-3)
    assert tally.response.max == pytest.approx(2 * MS, rel=1e-3)
    assert tally.round_trip.max == pytest.approx(5 * MS, rel=1e-3)
    # The wait ends with the first execution.
    assert tally.queue_wait.count == 1
    assert tally.queue_wait.max == pytest.approx(7 * MS, rel=1e-3)
    row = tally.calibration[4]
    assert (row.count, row.filled, row.canceled) == (1, 1, 0)
    first = 0.1 + 0.9 * math.exp(-1)
    assert row.predicted == pytest.approx(first)
    assert row.squared == pytest.approx((1 - first) ** 2)


@pytest.mark.parametrize("outcome", [CANCELED, EXPIRED])
def test_what_filled_in_part_and_then_went_counts_as_partly(outcome: str) -> None:
    tally = OrderTally()
    tally.sent(0, 1, 5, 0)
    tally.answered(0, 1, MS, 2 * MS)
    tally.filled(fill(1, 2, 3 * MS))
    tally.ended(0, 1, outcome)
    assert (tally.outcomes[PARTLY], tally.outcomes[outcome]) == (1, 0)


def test_takers_do_not_wait_in_a_queue() -> None:
    tally = OrderTally()
    tally.sent(0, 1, 1, 0)
    tally.answered(0, 1, MS, 2 * MS)
    tally.filled(fill(1, 1, MS, maker=False))
    assert tally.queue_wait.count == 0
    assert tally.executed == 1


def test_requests_on_a_live_order_are_timed_and_counted() -> None:
    tally = OrderTally()
    tally.sent(0, 1, 5, 0)
    tally.answered(0, 1, 1 * MS, 2 * MS)
    tally.filled(fill(1, 2, 3 * MS))
    tally.asked(0, 1, 10 * MS, lots=7)
    tally.answered(0, 1, 14 * MS, 15 * MS)
    tally.asked(0, 1, 20 * MS)
    tally.answered(0, 1, 21 * MS, 22 * MS)
    tally.answered(0, 1, 99 * MS, 99 * MS)  # nothing was asked
    tally.ended(0, 1, CANCELED)
    assert (tally.modifies, tally.cancels, tally.sent_lots) == (1, 1, 9)
    assert tally.entry.count == 3
    assert tally.entry.max == pytest.approx(4 * MS, rel=1e-3)


def test_refused_orders_say_nothing_about_the_prediction() -> None:
    tally = OrderTally()
    tally.sent(0, 1, 5, 0, 10)
    tally.answered(0, 1, 1, 2)
    tally.ended(0, 1, REJECTED)
    tally.sent(0, 2, 5, 0)  # does not mean to rest
    tally.answered(0, 2, 1, 2)
    tally.ended(0, 2, CANCELED)
    tally.sent(0, 3, 5, 0, 10)  # never reached the exchange
    tally.ended(0, 3, CANCELED)
    assert not any(row.count for row in tally.calibration)
    assert (tally.outcomes[REJECTED], tally.outcomes[CANCELED]) == (1, 2)


def test_a_modified_order_is_predicted_anew() -> None:
    """Its first prediction was taken back; the second one is judged when the order ends."""
    tally = OrderTally()
    tally.sent(0, 1, 5, 0, 5)
    tally.answered(0, 1, 1, 2)
    tally.asked(0, 1, 10, 5, 400, 1)
    assert sum(row.count for row in tally.calibration) == 1
    assert sum(row.canceled for row in tally.calibration) == 1
    tally.answered(0, 1, 11, 12)
    tally.filled(fill(1, 5, 20))
    tally.ended(0, 1, FILLED)
    assert sum(row.count for row in tally.calibration) == 2
    assert sum(row.filled for row in tally.calibration) == 1
    assert tally.sent_lots == 5
    tally.sent(0, 2, 5, 0, 5)
    tally.answered(0, 2, 1, 2)
    tally.asked(0, 2, 10, 5)  # to a place where it will not rest
    tally.ended(0, 2, FILLED)
    assert sum(row.count for row in tally.calibration) == 3
    assert sum(row.filled for row in tally.calibration) == 1


def test_an_unknown_order_is_left_alone() -> None:
    tally = OrderTally()
    tally.asked(0, 9, 0)
    tally.answered(0, 9, 1, 2)
    tally.filled(fill(9, 1, 5))
    tally.ended(0, 9, FILLED)
    assert sum(tally.outcomes.values()) == tally.entry.count == tally.executed == 0
    assert tally.filled_lots == 1


ENDS = {"fill": FILLED, "cancel": CANCELED, "expire": EXPIRED}


@given(st.lists(st.tuples(st.integers(0, 200), st.integers(-3, 30), st.sampled_from(list(ENDS))),
                max_size=60))
def test_calibration_is_what_a_list_of_all_orders_says(
        orders: list[tuple[int, int, str]]) -> None:
    tally, chance, said = OrderTally(), FillChance(), []
    for order_id, (front, distance, end) in enumerate(orders):
        tally.sent(0, order_id, 1, 0, front, distance)
        tally.answered(0, order_id, 1, 2)
        said.append(chance.predict(place_of(distance), front + 1))
        chance.learn(place_of(distance), front + 1, said[-1], end == "fill")
        tally.ended(0, order_id, ENDS[end])
    for place, row in enumerate(tally.calibration):
        mine = [(probability, end) for probability, (_, _, end) in zip(said, orders, strict=True)
                if min(int(probability * 10), 9) == place]
        assert row.count == len(mine)
        assert row.predicted == pytest.approx(sum(probability for probability, _ in mine))
        assert row.filled == sum(end == "fill" for _, end in mine)
        assert row.canceled == sum(end == "cancel" for _, end in mine)
        assert row.squared == pytest.approx(sum((probability - (end == "fill")) ** 2
                                                for probability, end in mine))


@given(st.integers(0, 1000), st.integers(1, 1000), st.integers(1, 1000),
       st.lists(st.booleans(), max_size=50))
def test_a_longer_queue_never_fills_more_likely(first: int, front: int, more: int,
                                                came: list[bool]) -> None:
    chance = FillChance()
    for filled in came:
        chance.learn(1, first + 1, chance.predict(1, first + 1), filled)
    near, far = chance.predict(1, front), chance.predict(1, front + more)
    assert 0.0 <= far <= near <= 1.0


@pytest.mark.parametrize("through", [0.0, 0.3])
def test_predictions_learn_what_comes_at_each_distance(through: float) -> None:
    """Volume at our price is exponential: mean 50 at the touch, 5 farther off; or it is swept."""
    rng, chance = random.Random(4), FillChance()
    for _ in range(30_000):
        place, mean = rng.choice([(1, 50.0), (3, 5.0)])
        reach = rng.randrange(1, 60)
        filled = rng.random() < through or rng.expovariate(1 / mean) > reach
        chance.learn(place, reach, chance.predict(place, reach), filled)
    for reach in (5, 20, 40):
        for place, mean in ((1, 50.0), (3, 5.0)):
            wanted = through + (1 - through) * math.exp(-reach / mean)
            assert chance.predict(place, reach) == pytest.approx(wanted, abs=0.1)


def test_distances_are_told_apart_near_the_best_price() -> None:
    assert [place_of(ticks) for ticks in (-9, -1, 0, 1, 2, 3, 4, 5, 8, 9, 16, 17, 999)] == [
        0, 0, 1, 2, 3, 4, 4, 5, 5, 6, 6, 7, 7]


@given(st.lists(st.integers(1, 25), min_size=1, max_size=300), st.integers(4, 40))
def test_samples_stay_bounded_regular_and_end_with_the_last(gaps: list[int],
                                                            rows_max: int) -> None:
    """Whenever rows are added, one of each interval is kept, and the last one of all."""
    samples = Samples(1, 10, rows_max)
    now_ns = 0
    for gap in gaps:
        samples.add(now_ns, [(float(now_ns), now_ns, 1.0, 2.0, 3.0)])
        times = list(samples.times_ns)
        assert len(samples) < rows_max
        assert (times[0], times[-1]) == (0, now_ns)
        assert times == sorted(set(times))
        starts = [at // samples.interval_ns for at in times[:-1]]
        assert starts == sorted(set(starts))
        assert samples.rows.due_ns > now_ns
        now_ns += gap
    for column in (samples.mids, samples.positions):
        assert list(column[0]) == list(samples.times_ns)
    assert {len(column[0]) for column in (samples.balances, samples.fees, samples.values)} == {
        len(samples)}


def test_samples_asked_for_when_due_are_all_kept() -> None:
    samples = Samples(1, 10)
    for now_ns in range(0, 1000, 3):
        if now_ns >= samples.rows.due_ns:
            samples.add(now_ns, [(1.0, 0, 0.0, 0.0, 0.0)])
    assert len(samples) == 100
    assert [at // 10 for at in samples.times_ns] == list(range(100))


def test_a_second_sample_of_the_same_moment_replaces_the_first() -> None:
    samples = Samples(2, 10)
    samples.add(5, [(1.0, 1, 0.0, 0.0, 0.0), (2.0, 0, 0.0, 0.0, 0.0)])
    samples.add(5, [(3.0, 2, 0.0, 0.0, 0.0), (math.nan, 0, 0.0, 0.0, 0.0)])
    assert len(samples) == 1
    assert (samples.mids[0][0], samples.positions[0][0]) == (3.0, 2)
    samples.add(6, [(4.0, 2, 0.0, 0.0, 0.0)] * 2)
    samples.add(15, [(5.0, 2, 0.0, 0.0, 0.0)] * 2)
    assert list(samples.times_ns) == [5, 15]
    with pytest.raises(ValueError, match="comes after 15 ns"):
        samples.add(14, [])


def test_a_fill_makes_samples_due_at_its_horizons() -> None:
    """The rows in between are not kept: the market is looked at, no more."""
    samples, one = Samples(1, 100 * S), asset("linear")
    samples.add(0, [(50.0, 0, 0.0, 0.0, 0.0)])
    assert samples.rows.due_ns == 100 * S
    samples.follow(SimFill(0, 1, 1, 200, 5, True, 0.0, 0, 2 * S), one)
    due = []
    while samples.rows.due_ns < 100 * S:
        due.append(samples.rows.due_ns // S)
        samples.add(samples.rows.due_ns, [(99.0, 0, 0.0, 0.0, 0.0)])
    assert due == [2, 3, 7, 32, 62]
    assert list(samples.times_ns) == [0, 62 * S]
    assert [row.count for row in rows_of(samples.markouts)] == [1] * len(HORIZONS_S)
    assert rows_of(samples.markouts)[0].bps_mean == pytest.approx(100.0)


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(1, 9), st.integers(0, 50)), max_size=20),
       st.lists(st.one_of(st.just(math.nan), st.floats(90, 110)), min_size=50, max_size=75),
       st.sampled_from(["linear", INVERSE]))
def test_markouts_by_searching_each_fill(rows: list[tuple[int, int, int]], mids: list[float],
                                         contract: str) -> None:
    one = asset(contract)
    fills = [SimFill(0, number, side, 200, lots, True, 0.0, second * S, second * S)
             for number, (side, lots, second) in enumerate(sorted(rows, key=lambda row: row[2]))]
    samples, left = Samples(1, S), list(fills)
    for second, mid in enumerate(mids):
        while left and left[0].seen_ns <= second * S:
            samples.follow(left.pop(0), one)
        samples.add(second * S, [(mid, 0, 0.0, 0.0, 0.0)])
    for row in rows_of(samples.markouts):
        moves, gains = [], []
        for fill in fills:
            after = [mid for second, mid in enumerate(mids) if mid == mid
                     and second * S >= fill.seen_ns + row.horizon_s * S][:1]
            for mid in after:
                sign = 1 if fill.side == 0 else -1
                moves.append(sign * (mid - 100.0) / 100.0 * 1e4)
                held = sign * fill.lots
                cash = -sign * one.amount(fill.ticks, fill.lots)
                gains.append(one.equity(cash, 0.0, held, mid))
        assert row.count == len(moves)
        if moves:
            assert row.bps_mean == pytest.approx(statistics.fmean(moves), abs=1e-9)
            assert row.money_mean == pytest.approx(statistics.fmean(gains), abs=1e-9)
        if len(moves) > 1:
            assert row.bps_error == pytest.approx(
                statistics.stdev(moves) / math.sqrt(len(moves)), abs=1e-3)


def asset(contract: str) -> SimAsset:
    return SimAsset(symbol="A/B", base="A", quote="B", tick_size=0.5, lot_size=0.1,
                    contract=contract, contract_size=10.0)


def test_a_rise_earns_the_same_in_either_way_of_counting() -> None:
    """Bought at 100, looked at when it is 125."""
    for contract, money, gained in (("linear", "B", 125.0), (INVERSE, "A", 0.01)):
        one = asset(contract)
        balance = -one.amount(200, 5)  # as the kernel counts in either kind
        assert one.money == money
        assert one.equity(balance, 0.0, 5, 100.0) == pytest.approx(0.0)
        assert one.equity(balance, 0.25, 5, 125.0) == pytest.approx(gained - 0.25)
        assert one.equity(balance, 0.0, 0, math.nan) == pytest.approx(
            -balance if contract == INVERSE else balance)


@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(-5, 10**9), st.booleans()),
                max_size=30))
def test_feed_latency_is_of_rows_that_both_sides_see(
        rows: list[tuple[int, int, bool]]) -> None:
    both, local = 1 << 31 | 1 << 30 | 1, 1 << 30 | 1
    data = b"".join(struct.pack("<8q", both if seen else local, at, at + took, 0, 0, 0, 0, 0)
                    for at, took, seen in rows)
    histogram = Histogram(1 << 47)
    record_feed_latency(histogram, data)
    wanted = [max(took, 0) for _, took, seen in rows if seen]
    assert histogram.count == len(wanted)
    if wanted:
        assert histogram.max == pytest.approx(max(wanted), rel=1e-3)
        assert histogram.min == pytest.approx(min(wanted), rel=1e-3)


def test_feed_latency_looks_at_twenty_thousand_rows_or_few_more() -> None:
    row = struct.pack("<8q", 1 << 31 | 1 << 30 | 1, 5, 12, 0, 0, 0, 0, 0)
    histogram = Histogram(1 << 47)
    record_feed_latency(histogram, bytearray(row * 50_000))
    assert 20_000 <= histogram.count <= 25_000
    assert histogram.max == 7


LIVES = st.lists(st.tuples(
    st.integers(1, 9),  # lots
    st.lists(st.tuples(st.integers(1, 50), st.booleans()), max_size=4),  # (ms after, maker)
    st.sampled_from([CANCELED, EXPIRED, None])), max_size=20)


@given(LIVES)
def test_orders_are_counted_as_a_list_of_all_lives_says(
        lives: list[tuple[int, list[tuple[int, bool]], str | None]]) -> None:
    """Each order is accepted 2 ms after it left, then trades one lot at a time, then ends."""
    tally = OrderTally()
    waits, ends, executed, lots_done = [], [], 0, 0
    for order_id, (lots, trades, end) in enumerate(lives):
        start_ns = order_id * 1000 * MS
        done = sorted(trades)[:lots]
        tally.sent(0, order_id, lots, start_ns)
        tally.answered(0, order_id, start_ns + 2 * MS, start_ns + 3 * MS)
        for after, maker in done:
            tally.filled(fill(order_id, 1, start_ns + (2 + after) * MS, maker))
        if len(done) == lots:
            tally.ended(0, order_id, FILLED)
            ends.append(FILLED)
        elif end is not None:
            tally.ended(0, order_id, end)
            ends.append(PARTLY if done else end)
        waits += [after * MS for after, maker in done[:1] if maker]
        executed += bool(done)
        lots_done += len(done)
    assert tally.outcomes == {name: ends.count(name) for name in OUTCOMES}
    assert len(tally.live) == len(lives) - len(ends)
    assert (tally.executed, tally.filled_lots) == (executed, lots_done)
    assert tally.sent_lots == sum(lots for lots, _, _ in lives)
    assert tally.queue_wait.count == len(waits)
    if waits:
        assert tally.queue_wait.mean() == pytest.approx(statistics.fmean(waits), rel=1e-3)
        assert tally.queue_wait.max == pytest.approx(max(waits), rel=1e-3)
