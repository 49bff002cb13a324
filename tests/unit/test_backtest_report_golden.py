"""The report on a real recording says what hftbacktest's own account of the run says."""

from __future__ import annotations

import pytest

import fastcore
import golden_grid
from hftbot.backtest.report import Report, statistics
from hftbot.backtest.tearsheet import tearsheet

pytestmark = [
    pytest.mark.skipif(not golden_grid.ORACLE.exists(), reason="no golden fills in ../shared"),
    pytest.mark.skipif(not fastcore.compiled, reason="492,000 rows, interpreted"),
]


@pytest.fixture(scope="module")
def report() -> Report:
    pytest.importorskip("numpy")
    return statistics(golden_grid.run("power-prob", "calibrated"))


def test_profit_fees_turnover_and_position_are_hftbacktests(report: Report) -> None:
    golden = golden_grid.golden("powerprob3")
    account = report.accounts[0]
    assert account.profit == pytest.approx(golden["equity_end"], abs=1e-6)
    assert account.profit_before_fees == pytest.approx(golden["equity_end"] + golden["fee"],
                                                       abs=1e-6)
    assert account.fees == pytest.approx(golden["fee"], abs=1e-6)
    assert account.turnover == pytest.approx(golden["trading_value"], abs=1e-3)
    assert (report.fills, report.wakes) == (golden["num_trades"], golden["steps"])
    assert report.inventory[0].end == pytest.approx(golden["position"])
    assert report.inventory[0].long_max <= 0.3


def test_orders_waits_and_latencies_fit_the_run(report: Report) -> None:
    orders = report.orders
    assert sum(orders.outcomes.values()) + orders.open_at_end == orders.sent
    assert orders.outcomes["filled"] == orders.executed == report.fills
    assert orders.queue_wait.count == orders.maker_fills == report.fills
    for row, latency_ns in ((orders.entry, 5_000_000), (orders.response, 5_000_000),
                            (orders.round_trip, 10_000_000)):
        assert (row.p50_ns, row.max_ns) == (pytest.approx(latency_ns, rel=1e-3),) * 2
    assert 4_000_000 < report.feed_latency.p50_ns < 6_000_000
    # Predictions from earlier orders alone must not be worse than the mean, known afterwards.
    assert orders.brier < orders.brier_of_mean


def test_fills_are_followed_to_each_horizon(report: Report) -> None:
    rows = report.accounts[0].markouts
    assert [row.horizon_s for row in rows] == [0, 1, 5, 30, 60]
    assert rows[0].count == report.fills
    counts = [row.count for row in rows]
    assert counts == sorted(counts, reverse=True)
    # The grid earns half a spread and is picked off within the second.
    assert rows[0].bps_mean > 0 > rows[1].bps_mean


def test_the_page_is_small_and_holds_the_last_fill(report: Report) -> None:
    page = tearsheet([report])
    assert len(page) < 400_000
    assert f"<td>{report.fill_list[-1].order_id}</td>" in page
