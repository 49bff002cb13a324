"""Momentum against itself written out: weighted sums over the whole history, in exact fractions."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from math import sqrt

from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.counts import examples
from hftbot.signal.momentum import Momentum

WINDOW_US, IMBALANCE_US, FLOW_US = 1_000_000, 10_000, 200_000


def averaged(values, times, window_us):
    """Time-weighted mean where each value stood until the next time; the newest counts nothing."""
    shares = [Fraction(1)]
    for earlier, later in pairwise(times):
        kept = Fraction(window_us, window_us + later - earlier)
        shares = [share * kept for share in shares]
        shares.append(1 - kept)
    # The first value is also where the mean began.
    held = [values[0], *values[:-1]]
    return sum((share * value for share, value in zip(shares, held, strict=True)), Fraction(0))


def naive_drift(mids2, spreads, times):
    means = [averaged(mids2[:n], times[:n], WINDOW_US) for n in range(1, len(mids2) + 1)]
    variance = Fraction(0)
    for n in range(1, len(mids2)):
        weight = Fraction(times[n] - times[n - 1], times[n] - times[n - 1] + WINDOW_US)
        variance += weight * ((mids2[n - 1] - means[n - 1]) ** 2 - variance)
    unit = float(mids2[-1] - means[-1]) / (sqrt(variance) + spreads[-1])
    return unit / (1 + abs(unit))


def naive_flow(trades, now_us):
    typical, sums = 0.0, [0.0, 0.0]
    for position, (side, lots, _) in enumerate(trades):
        typical = lots if position == 0 else typical + (lots - typical) / 16
        kept = 1.0
        stamps = [at for _, _, at in trades[position:]] + [now_us]
        for earlier, later in pairwise(stamps):
            kept *= FLOW_US / (FLOW_US + later - earlier)
        sums[side] += lots * kept
    volume = sum(sums) + typical
    return (sums[0] - sums[1]) / volume if volume else 0.0


TOPS = st.lists(st.tuples(st.integers(599_000, 601_000), st.integers(1, 10**9),
                          st.integers(1, 30), st.integers(1, 10**9),
                          st.integers(1, 3_000_000)), min_size=1, max_size=25)


@settings(max_examples=examples(60), deadline=None)
@given(tops=TOPS)
def test_drift_and_imbalance_equal_the_sums_written_out(tops):
    signal = Momentum(window_us=WINDOW_US, imbalance_us=IMBALANCE_US, flow_us=FLOW_US)
    now_us, times, mids2, spreads, sizes = 0, [], [], [], []
    for bid, bid_lots, spread, ask_lots, wait_us in tops:
        now_us += wait_us
        times.append(now_us)
        mids2.append(Fraction(2 * bid + spread))
        spreads.append(spread)
        sizes.append(Fraction(bid_lots - ask_lots, bid_lots + ask_lots))
        signal.on_top(bid, bid_lots, bid + spread, ask_lots, now_us)
    assert abs(signal.imbalance - float(averaged(sizes, times, IMBALANCE_US))) < 1e-9
    assert abs(signal.drift - naive_drift(mids2, spreads, times)) < 1e-6


@settings(max_examples=examples(60), deadline=None)
@given(trades=st.lists(st.tuples(st.integers(0, 1), st.integers(1, 10**9),
                                 st.integers(0, 2_000_000)), max_size=25),
       wait_us=st.integers(0, 2_000_000))
def test_flow_equals_the_sums_written_out(trades, wait_us):
    signal = Momentum(window_us=WINDOW_US, imbalance_us=IMBALANCE_US, flow_us=FLOW_US)
    now_us, stamped = 1, []
    for side, lots, pause_us in trades:
        now_us += pause_us
        stamped.append((side, lots, now_us))
        signal.on_trade(side, lots, now_us)
    signal.on_top(1, 1, 2, 1, now_us + wait_us)
    assert abs(signal.flow - naive_flow(stamped, now_us + wait_us)) < 1e-9
