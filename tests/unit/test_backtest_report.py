"""The report's figures, each held against a slow and plain way to the same number."""

from __future__ import annotations

import itertools
import json
import math
import statistics as plain_statistics
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastcore.probe.histogram import Histogram
from hftbot.backtest import report as backtest_report
from hftbot.backtest.curves import thinned
from hftbot.backtest.report import (
    YEAR_S,
    Report,
    drawdowns,
    durations,
    inventory,
    risk_of,
    statistics,
    step_changes,
)
from hftbot.backtest.report_text import (
    IN_CORE,
    duration,
    figures,
    money,
    report_json,
    report_text,
    spoken,
)
from hftbot.backtest.result import BacktestResult, Samples, SimFill
from made_up_run import BEGIN_NS, MadeUpRun, asset, assumptions, three

S = 1_000_000_000
MONEY = st.floats(-1e6, 1e6, allow_nan=False)


@pytest.fixture(scope="module")
def runs() -> list[BacktestResult]:
    """Two minutes and a half under three fill models."""
    return three(steps=1500)


@pytest.fixture(scope="module")
def reports(runs: list[BacktestResult]) -> list[Report]:
    return [statistics(run) for run in runs]


@given(st.lists(MONEY, max_size=40))
def test_drawdown_is_the_worst_pair(equity: list[float]) -> None:
    worst = max((early - late for place, early in enumerate(equity) for late in equity[place:]),
                default=0.0)
    assert max(drawdowns(equity), default=0.0) == pytest.approx(worst)


@given(st.lists(st.tuples(st.integers(1, 3 * S), st.integers(-5, 5)), min_size=1, max_size=40))
def test_time_under_water_by_looking_back_from_each_sample(rows: list[tuple[int, int]]) -> None:
    times_ns = list(itertools.accumulate(gap_ns for gap_ns, _ in rows))
    equity = [float(worth) for _, worth in rows]
    waits = []
    for place, now_ns in enumerate(times_ns):
        peaks = [at for at in range(place + 1) if equity[at] == max(equity[:at + 1])]
        waits.append(now_ns - times_ns[peaks[-1]])
    assert risk_of(times_ns, equity).under_water_s == pytest.approx(max(waits) / S)


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=200))
def test_durations_are_those_of_the_sorted_list(values: list[int]) -> None:
    histogram = Histogram(1 << 47)
    for value in values:
        histogram.record(value)
    found, ranked = durations(histogram), sorted(values)
    assert (found.count, found.max_ns) == (len(values), pytest.approx(ranked[-1], rel=1e-3))
    assert found.mean_ns == pytest.approx(plain_statistics.fmean(values), rel=1e-3, abs=1)
    for percent, value in ((50, found.p50_ns), (90, found.p90_ns), (99, found.p99_ns)):
        rank = -(-percent * len(ranked) // 100)
        assert value == pytest.approx(ranked[rank - 1], rel=1e-3, abs=1)
    assert len(found.cumulative) == 100
    assert [share for _, share in found.cumulative] == [step / 100 for step in range(1, 101)]
    assert [ns for ns, _ in found.cumulative] == sorted(ns for ns, _ in found.cumulative)


@given(st.lists(st.tuples(st.integers(1, 3 * S), MONEY), min_size=1, max_size=40),
       st.sampled_from([1, 2, 5]))
def test_steps_end_at_the_last_sample_before_their_end(rows: list[tuple[int, float]],
                                                       step_s: int) -> None:
    times_ns, now_ns = [], 0
    for gap_ns, _ in rows:
        now_ns += gap_ns
        times_ns.append(now_ns)
    equity = [worth for _, worth in rows]
    edges = [times_ns[0] + place * step_s * S
             for place in range((times_ns[-1] - times_ns[0]) // (step_s * S) + 1)]
    at_edges = [[worth for at, worth in zip(times_ns, equity, strict=True) if at <= edge][-1]
                for edge in edges]
    wanted = [late - early for early, late in itertools.pairwise(at_edges)]
    assert step_changes(times_ns, equity, step_s) == wanted


@given(st.lists(st.floats(-100, 100, allow_nan=False), min_size=3, max_size=60))
def test_sharpe_and_sortino_by_the_textbook(changes: list[float]) -> None:
    times_ns = [place * S for place in range(len(changes) + 1)]
    equity = [0.0]
    for change in changes:
        equity.append(equity[-1] + change)
    risk = risk_of(times_ns, equity)
    assert (risk.step_s, risk.steps) == (1, len(changes))
    mean, deviation = plain_statistics.fmean(changes), plain_statistics.stdev(changes)
    downside = math.sqrt(plain_statistics.fmean([min(change, 0) ** 2 for change in changes]))
    if deviation > 1e-3:
        assert risk.sharpe == pytest.approx(mean / deviation * math.sqrt(YEAR_S), abs=1e-3)
        assert risk.t_value == pytest.approx(mean / deviation * math.sqrt(len(changes)), abs=1e-6)
    if downside > 1e-3:
        assert risk.sortino == pytest.approx(mean / downside * math.sqrt(YEAR_S), abs=1e-3)


def test_risk_takes_the_coarsest_step_that_gives_thirty() -> None:
    times_ns = [place * S for place in range(3601)]
    assert [(risk_of(times_ns[:end], times_ns[:end]).step_s) for end in (3601, 1801, 1800, 301, 300)
            ] == [60, 60, 10, 10, 1]
    still = risk_of(times_ns, [5.0] * len(times_ns))
    assert math.isnan(still.sharpe)
    assert math.isnan(still.sortino)
    assert (still.drawdown_max, still.under_water_s) == (0.0, 0.0)
    none = risk_of([], [])
    assert none.steps == none.drawdown_max == none.under_water_s == 0


def test_under_water_counts_from_the_last_peak() -> None:
    times_ns = [0, S, 2 * S, 5 * S, 6 * S]
    assert risk_of(times_ns, [1.0, 3.0, 2.0, 2.5, 3.0]).under_water_s == 4.0
    assert risk_of(times_ns, [3.0, 2.0, 2.0, 2.5, 2.9]).under_water_s == 6.0


FILLS = st.lists(st.tuples(st.integers(0, 1), st.integers(1, 9), st.integers(1, 50)), max_size=25)


def small(fills: list[tuple[int, int, int]]) -> BacktestResult:
    """A run of 70 s with fills at whole seconds of it."""
    result = BacktestResult(strategy="x", assets=(asset(),), assumptions=assumptions(),
                            begin_ns=0, end_ns=70 * S)
    for order_id, (side, lots, second) in enumerate(sorted(fills, key=lambda row: row[2])):
        result.add_fill(SimFill(0, order_id, side, 1000, lots, True, 0.0, second * S, second * S))
    return result


@given(FILLS)
def test_inventory_by_looking_at_every_second(fills: list[tuple[int, int, int]]) -> None:
    result = small(fills)
    held = [sum(lots if side == 0 else -lots for side, lots, at in fills if at <= second)
            for second in range(70)]
    row = inventory(result, 0)
    assert row.end == pytest.approx(held[-1] * 0.001)
    assert row.mean_absolute == pytest.approx(sum(map(abs, held)) / 70 * 0.001)
    assert row.held_share == pytest.approx(sum(lots != 0 for lots in held) / 70)
    assert row.long_max >= max(0, *held) * 0.001 - 1e-12
    assert row.short_max <= min(0, *held) * 0.001 + 1e-12


def test_profit_fees_and_turnover_are_the_fills_own(runs: list[BacktestResult],
                                                    reports: list[Report]) -> None:
    for run, report in zip(runs, reports, strict=True):
        cash = fees = turnover = 0.0
        held = 0
        for fill in run.fills:
            amount = fill.ticks * 0.1 * fill.lots * 0.001
            cash -= amount if fill.side == 0 else -amount
            held += fill.lots if fill.side == 0 else -fill.lots
            fees += fill.fee
            turnover += amount
        account = report.accounts[0]
        worth = cash + held * 0.001 * run.samples.mids[0][-1]
        assert account.profit == pytest.approx(worth - fees, abs=1e-6)
        assert account.profit_before_fees == pytest.approx(worth, abs=1e-6)
        assert account.fees == pytest.approx(fees)
        assert account.turnover == pytest.approx(turnover)
        assert account.profit_bps == pytest.approx((worth - fees) / turnover * 1e4, abs=1e-6)
        assert report.fills == account.fills == len(run.fills)
        assert account.equity[-1][1] == pytest.approx(account.profit, rel=1e-6)


def test_orders_add_up(reports: list[Report]) -> None:
    for report in reports:
        orders = report.orders
        assert sum(orders.outcomes.values()) + orders.open_at_end == orders.sent
        assert orders.executed == orders.outcomes["filled"]
        assert orders.fill_rate == orders.executed / orders.sent
        assert orders.maker_fills + orders.taker_fills == report.fills
        assert orders.queue_wait.count == orders.maker_fills
        assert orders.round_trip.p50_ns == pytest.approx(10_000_000, rel=0.2)
        judged = sum(row.count for row in orders.calibration)
        assert judged == orders.sent - orders.outcomes["rejected"]
        assert 0 < orders.brier < 0.5


@given(st.lists(MONEY, min_size=1, max_size=300), st.integers(10, 40))
def test_a_thinned_curve_keeps_its_ends_and_extremes(column: list[float], points: int) -> None:
    series = thinned([place * S for place in range(len(column))], column, 0, points)
    assert len(series) <= max(points + 4, 10)
    values = [value for _, value in series]
    assert (max(values), min(values)) == pytest.approx((max(column), min(column)), rel=1e-6)
    assert (values[0], values[-1]) == pytest.approx((column[0], column[-1]), rel=1e-6)
    assert [at for at, _ in series] == sorted({at for at, _ in series})


def test_an_empty_run_has_a_report() -> None:
    """No sample, no fill, no order: dashes and zeros, no error."""
    result = BacktestResult(strategy="idle", assets=(asset(),), assumptions=assumptions())
    report = statistics(result)
    text = report_text([report])
    assert "profit, USDT" in text
    assert "fill rate below" not in text
    assert report.fills == 0
    json.dumps(report_json([report], curves=True), allow_nan=False)


def test_accounts_are_kept_apart_by_currency() -> None:
    """A linear and an inverse contract do not add up to one number."""
    linear, inverse = MadeUpRun(1, 50).result, asset("ETH/USDT", "inverse")
    both = BacktestResult(strategy="two", assets=(linear.assets[0], inverse),
                          assumptions=assumptions(), samples=Samples(2, S), begin_ns=BEGIN_NS,
                          end_ns=BEGIN_NS + 10 * S)
    for second in range(10):
        both.samples.add(BEGIN_NS + second * S, [(100.0, 0, second * 1.0, 0.25 * second, 0.0),
                                                 (100.0, 0, second * -2.0, 0.0, 0.0)])
    report = statistics(both)
    assert [(account.currency, account.profit, account.profit_before_fees)
            for account in report.accounts] == [("USDT", 6.75, 9.0), ("ETH", 18.0, 18.0)]
    text = report_text([report])
    names = [name for name, _ in figures(report)]
    assert len(set(names)) == len(names)
    for name in ("profit, USDT", "profit, ETH", "longest under water (ETH)"):
        assert name in text


def test_text_shows_models_side_by_side(reports: list[Report]) -> None:
    text = report_text(reports)
    head = next(line for line in text.splitlines() if "optimistic" in line)
    assert head.split() == ["optimistic", "calibrated", "pessimistic"]
    row = next(line for line in text.splitlines() if line.startswith("fills "))
    assert row.split()[1:] == [f"{report.fills:,}" for report in reports]
    # What all three assume is said once.
    assert text.count("maker -0.005 %, taker 0.07 %") == 1
    assert "fill rate below 80 %: try another queue model" in text
    assert "annualised figures say little" in text
    assert IN_CORE not in text


def test_a_profit_without_network_says_so_beside_it() -> None:
    report = statistics(MadeUpRun(3, 60, in_core=True).result)
    text = report_text([report])
    row = next(line for line in text.splitlines() if line.startswith("profit, "))
    assert IN_CORE in row
    assert report_json([report])["models"]["calibrated"]["latency_note"] == IN_CORE


def test_json_holds_every_model_and_no_nan(reports: list[Report]) -> None:
    whole = json.loads(json.dumps(report_json(reports), allow_nan=False))
    assert whole["chosen"] == "calibrated"
    assert whole["synthetic"] is True
    assert list(whole["models"]) == ["optimistic", "calibrated", "pessimistic"]
    model = whole["models"]["calibrated"]
    assert model["accounts"][0]["profit"] == reports[1].accounts[0].profit
    assert model["orders"]["outcomes"] == reports[1].orders.outcomes
    assert model["assumptions"][0] == {"name": "queue", "text": "power-prob, power 3"}
    assert "equity" not in model["accounts"][0]
    drawn = report_json(reports, curves=True)["models"]["calibrated"]
    assert drawn["accounts"][0]["equity"][0] == [0.0, 0.0]
    assert len(drawn["fill_list"]) == reports[1].fills


def test_the_same_result_gives_the_same_report(runs: list[BacktestResult]) -> None:
    first, second = (json.dumps(report_json([statistics(runs[0])], curves=True))
                     for _ in range(2))
    assert first == second
    again = json.dumps(report_json([statistics(three(steps=1500)[0])], curves=True))
    assert again == first


def test_what_the_strategy_says_is_told() -> None:
    run = MadeUpRun(1, 40).result
    run.figures = {"placed": 3, "moved": 0, "edge": 1.25, "hints": ["quote closer", ""],
                   "symbols": {"BTC/USDT": {"spread": 2, "last": ""}}, "size": Decimal("1.5")}
    report = statistics(run)
    rows = [("placed", "3"), ("edge", "1.25"), ("hints", "quote closer"),
            ("symbols BTC/USDT spread", "2"), ("size", "1.5")]
    assert spoken(report.figures) == rows
    text = report_text([report])
    assert "what the strategy says\n  placed: 3\n" in text
    told = json.loads(json.dumps(report_json([report])))["models"]["calibrated"]["figures"]
    assert told["symbols"] == {"BTC/USDT": {"spread": 2, "last": ""}}
    assert told["size"] == "1.5"
    assert "what the strategy says" not in report_text([statistics(MadeUpRun(1, 40).result)])


def test_a_run_without_orders_says_where_to_look() -> None:
    run = MadeUpRun(1, 40).result
    assert not any("no order was sent" in note for note in statistics(run).notes)
    run.orders.sent_count = 0
    assert any("pays for one lot (0.001 BTC)" in note for note in statistics(run).notes)


def test_coarse_samples_are_admitted() -> None:
    result = MadeUpRun(1, 40).result
    result.samples.rows.interval_ns = 4 * S
    assert any("sampled every 4 s" in note for note in statistics(result).notes)


def test_models_stand_from_optimistic_to_pessimistic(reports: list[Report]) -> None:
    shuffled = [reports[1], reports[0], reports[2]]
    assert report_text(shuffled) == report_text(reports)
    assert list(report_json(shuffled)["models"]) == ["optimistic", "calibrated", "pessimistic"]


def test_plain_words_for_numbers() -> None:
    assert [money(value) for value in (0.0, -0.0, 1234567.891, 0.123456789, -12.5, math.nan)] == [
        "0", "0", "1,234,567.89", "0.12346", "-12.5", "-"]
    assert money(2.0, "EUR") == "2 EUR"
    assert [duration(ns) for ns in (0, 999, 1_500, 2_500_000, 3 * S, 5_000 * S)] == [
        "0 ns", "999 ns", "1.5 us", "2.5 ms", "3 s", "5,000 s"]
    assert backtest_report.plain((math.inf, {"a": math.nan})) == [None, {"a": None}]
