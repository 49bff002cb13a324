"""What a backtest leaves behind: orders folded into counts, samples that stay bounded."""

from __future__ import annotations

import itertools
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hftbot.backtest.fill_chance import FillChance, place_of
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
)

MS = 1_000_000


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
    row = tally.calibration[3]
    assert (row.count, row.filled, row.canceled) == (1, 1, 0)
    assert row.predicted == pytest.approx(math.exp(-1))
    assert row.squared == pytest.approx((1 - math.exp(-1)) ** 2)


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
        chance.learn(place_of(distance), said[-1], end == "fill")
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
        chance.learn(1, chance.predict(1, first + 1), filled)
    near, far = chance.predict(1, front), chance.predict(1, front + more)
    assert 0.0 <= far <= near <= 1.0


def test_predictions_learn_what_comes_at_each_distance() -> None:
    """Volume at our price is exponential with mean 50 at the touch, 5 farther off."""
    rng, chance = random.Random(4), FillChance()
    for _ in range(20_000):
        place, mean = rng.choice([(1, 50.0), (3, 5.0)])
        reach = rng.randrange(1, 60)
        chance.learn(place, chance.predict(place, reach), rng.expovariate(1 / mean) > reach)
    for reach in (5, 20, 40):
        assert chance.predict(1, reach) == pytest.approx(math.exp(-reach / 50), abs=0.1)
        assert chance.predict(3, reach) == pytest.approx(math.exp(-reach / 5), abs=0.1)


def test_distances_are_told_apart_near_the_best_price() -> None:
    assert [place_of(ticks) for ticks in (-9, -1, 0, 1, 2, 3, 4, 5, 8, 9, 16, 17, 999)] == [
        0, 0, 1, 2, 3, 4, 4, 5, 5, 6, 6, 7, 7]


@given(st.integers(1, 400), st.integers(4, 40))
def test_samples_stay_bounded_and_keep_the_first_row(count: int, rows_max: int) -> None:
    samples = Samples(1, 10, rows_max)
    taken = 0
    for now_ns in range(0, count * 5, 5):
        if now_ns >= samples.due_ns:
            samples.add(now_ns, [(float(now_ns), now_ns, 0.0, 0.0, 0.0)])
            taken += 1
        assert len(samples) < rows_max
    assert taken >= len(samples) > 0
    times = list(samples.times_ns)
    assert times[0] == 0
    assert times == list(samples.positions[0]) == list(samples.mids[0])
    assert all(after - before == samples.interval_ns
               for before, after in itertools.pairwise(times)) or len(times) < 2
    assert times[-1] + samples.interval_ns >= count * 5 - 5 - samples.interval_ns


def test_a_second_sample_of_the_same_moment_replaces_the_first() -> None:
    samples = Samples(2, 10)
    samples.add(5, [(1.0, 1, 0.0, 0.0, 0.0), (2.0, 0, 0.0, 0.0, 0.0)])
    samples.add(5, [(3.0, 2, 0.0, 0.0, 0.0), (math.nan, 0, 0.0, 0.0, 0.0)])
    assert len(samples) == 1
    assert (samples.mids[0][0], samples.positions[0][0]) == (3.0, 2)
    with pytest.raises(ValueError, match="comes after 5 ns"):
        samples.add(4, [])


def asset(contract: str) -> SimAsset:
    return SimAsset(symbol="A/B", base="A", quote="B", tick_size=0.5, lot_size=0.1,
                    contract=contract, contract_size=10.0)


def test_equity_and_gain_agree_in_both_kinds_of_contract() -> None:
    """Bought at 100, worth more at 125, by the same amount either way of counting."""
    for contract, money in (("linear", "B"), (INVERSE, "A")):
        one = asset(contract)
        bought = SimFill(0, 1, 0, 200, 5, True, 0.0, 0, 0)
        amount = one.amount(200, 5)
        balance = -amount  # as the kernel counts in either kind
        assert one.money == money
        assert one.equity(balance, 0.0, 5, 100.0) == pytest.approx(0.0)
        gained = one.equity(balance, 0.25, 5, 125.0) + 0.25
        assert gained == pytest.approx(one.gain(bought, 125.0))
        assert gained == pytest.approx(0.01 if contract == INVERSE else 125.0)
        assert one.equity(balance, 0.0, 0, math.nan) == pytest.approx(
            -balance if contract == INVERSE else balance)
