"""The report on a real recording says what hftbacktest's own account of the run says."""

from __future__ import annotations

import pytest

import fastcore
import golden_grid
from hftbot.backtest.report import Report, statistics
from hftbot.backtest.tearsheet import tearsheet

numpy = pytest.importorskip("numpy")
pytestmark = [
    pytest.mark.skipif(not golden_grid.ORACLE.exists(), reason="no golden fills in ../shared"),
    pytest.mark.skipif(not fastcore.compiled, reason="492,000 rows, interpreted"),
]


@pytest.fixture(scope="module")
def report() -> Report:
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


def plain_mids(begin_ns: int, end_ns: int) -> list[float]:
    """The mid seen here every 10 ms, from two dictionaries of levels and nothing of ours."""
    rows = numpy.load(golden_grid.ORACLE / "btcusdt.npz")["data"]
    rows = rows[(rows["ev"] >> 30 & 1) == 1]
    levels: tuple[dict[int, float], dict[int, float]] = ({}, {})
    best = [0, 0]
    mids = []
    columns = (rows[name].tolist() for name in ("ev", "local_ts", "px", "qty"))
    for ev, local_ns, price, size in zip(*columns, strict=True):
        while begin_ns < local_ns and begin_ns <= end_ns:
            mids.append((best[0] - best[1]) * golden_grid.TICK / 2)
            begin_ns += golden_grid.WAKE_NS
        if ev & 0xFF not in (1, 3, 4):
            continue
        # Keys of asks are negative ticks, so that the greatest is the best on either side.
        side = 0 if ev >> 29 & 1 else 1
        key = round(price / golden_grid.TICK) * (1 - 2 * side)
        mine, other = levels[side], levels[1 - side]
        if ev & 0xFF == 3:
            levels[side].clear() if key == 0 else [mine.pop(k) for k in [*mine] if k >= key]
            best[side] = max(mine, default=0)
            continue
        mine[key] = size
        if size == 0:
            del mine[key]
            best[side] = max(mine, default=0) if key == best[side] else best[side]
        elif key > best[side] or not best[side]:
            best[side] = key
            if best[1 - side] and -key <= best[1 - side]:
                for crossed in [k for k in other if k >= -key]:
                    del other[crossed]
                best[1 - side] = max(other, default=0)
    while begin_ns <= end_ns:
        mids.append((best[0] - best[1]) * golden_grid.TICK / 2)
        begin_ns += golden_grid.WAKE_NS
    return mids


def test_risk_and_markouts_are_those_of_a_plain_count(report: Report) -> None:
    """Account, Sharpe, drawdown and markouts once more, from the fill list and the raw rows."""
    begin_ns, step_ns = report.begin_ns, golden_grid.WAKE_NS
    mids = plain_mids(begin_ns, report.end_ns)
    cash = position = 0.0
    equity, fills = [], list(report.fill_list)
    moves: dict[int, list[float]] = {seconds: [] for seconds in (0, 1, 5, 30, 60)}
    for place, mid in enumerate(mids):
        while fills and fills[0].seen_ns <= begin_ns + place * step_ns:
            fill = fills.pop(0)
            sign, price = 1 - 2 * fill.side, fill.ticks * golden_grid.TICK
            size = fill.lots * golden_grid.LOT
            cash -= sign * price * size * (1 + sign * golden_grid.MAKER)
            position += sign * size
            seen = -(-(fill.seen_ns - begin_ns) // step_ns)
            for seconds, found in moves.items():
                if seen + seconds * 100 < len(mids):
                    after = mids[seen + seconds * 100]
                    found.append(sign * (after - price) / price * 1e4)
        equity.append(cash + position * mid)
    (account,) = report.accounts
    assert account.profit == pytest.approx(equity[-1], abs=1e-6)
    assert account.risk.drawdown_max == pytest.approx(
        float((numpy.maximum.accumulate(equity) - equity).max()), abs=1e-6)
    changes = numpy.diff(equity[::100 * account.risk.step_s])
    assert account.risk.steps == len(changes)
    assert account.risk.sharpe == pytest.approx(
        changes.mean() / changes.std(ddof=1) * (365 * 86_400 / account.risk.step_s)**0.5)
    for row in account.markouts:
        found = moves[row.horizon_s]
        assert row.count == len(found)
        assert row.bps_mean == pytest.approx(numpy.mean(found), abs=1e-6)
        assert row.bps_error == pytest.approx(numpy.std(found, ddof=1) / len(found)**0.5, rel=1e-6)
