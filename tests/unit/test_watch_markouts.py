"""Markouts: what the mid did after our fills."""

from __future__ import annotations

import pytest

from hftbot.watch.markouts import HORIZONS_S, Markouts

S = 1_000_000


def by_horizon(markouts: Markouts) -> dict[int, tuple[int, float, float]]:
    return {row.horizon_s: (row.count, row.bps_mean, row.quote_mean)
            for row in markouts.results()}


def test_a_buy_earns_when_the_mid_rises_and_a_sell_when_it_falls() -> None:
    for side, sign in ((0, 1), (1, -1)):
        markouts = Markouts()
        markouts.add_fill(0, side, 100.0, 2.0, 99.0, 10 * S)
        markouts.on_mid(0, 101.0, 11 * S)
        rows = by_horizon(markouts)
        assert rows[0] == pytest.approx((1, sign * -100.0, sign * -2.0))
        assert rows[1] == pytest.approx((1, sign * 100.0, sign * 2.0))
        assert rows[5] == (0, 0.0, 0.0)


def test_the_first_mid_at_or_after_the_horizon_counts() -> None:
    markouts = Markouts()
    markouts.add_fill(0, 0, 100.0, 1.0, 100.0, 0)
    markouts.on_mid(0, 150.0, S - 1)
    assert by_horizon(markouts)[1][0] == 0
    markouts.on_mid(0, 101.0, S)
    markouts.on_mid(0, 102.0, S + 1)
    assert by_horizon(markouts)[1] == pytest.approx((1, 100.0, 1.0))
    markouts.on_mid(0, 103.0, 60 * S)
    rows = by_horizon(markouts)
    assert [rows[horizon][0] for horizon in (0, *HORIZONS_S)] == [1, 1, 1, 1, 1]
    assert rows[60] == pytest.approx((1, 300.0, 3.0))


def test_means_are_over_fills() -> None:
    markouts = Markouts((1,))
    markouts.add_fill(0, 0, 100.0, 1.0, 0.0, 0)
    markouts.add_fill(0, 0, 200.0, 3.0, 0.0, S // 2)
    markouts.on_mid(0, 101.0, S)
    markouts.on_mid(0, 202.0, 2 * S)
    rows = by_horizon(markouts)
    assert rows[0][0] == 0
    assert rows[1] == pytest.approx((2, 100.0, (1.0 + 6.0) / 2))


def test_instruments_do_not_mix() -> None:
    markouts = Markouts((1,))
    markouts.add_fill(0, 0, 100.0, 1.0, 100.0, 0)
    markouts.add_fill(1, 0, 10.0, 1.0, 10.0, 0)
    markouts.on_mid(1, 11.0, 5 * S)
    assert by_horizon(markouts)[1] == pytest.approx((1, 1_000.0, 1.0))
    markouts.on_mid(2, 11.0, 5 * S)
    markouts.on_mid(0, 0.0, 5 * S)
    assert by_horizon(markouts)[1][0] == 1


def test_nonsense_is_no_fill() -> None:
    markouts = Markouts()
    markouts.add_fill(0, 0, 0.0, 1.0, 1.0, 0)
    markouts.add_fill(0, 0, 1.0, 0.0, 1.0, 0)
    markouts.on_mid(0, 1.0, 100 * S)
    assert all(row.count == 0 for row in markouts.results())
