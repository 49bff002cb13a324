"""What a backtest came to: profit, risk, orders, fills, inventory, latency.

``statistics`` makes a Report from a BacktestResult; text, JSON and the tearsheet show it. Money is
floats in an account's currency, durations are seconds or nanoseconds as named, sizes base units.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from fastcore.probe.histogram import Histogram
from hftbot.backtest.curves import Series, stepped, thinned, tidy
from hftbot.backtest.markouts import MarkoutRow, rows_of
from hftbot.backtest.result import (
    OUTCOMES,
    BacktestResult,
    CalibrationBin,
    OrderTally,
    SimAsset,
    SimFill,
)

STEPS_S = (60, 10, 1)
STEPS_MIN = 30
YEAR_S = 365 * 86_400
FILLS_SHOWN = 1_500
PERCENTILES = (50.0, 90.0, 99.0)
LOW_FILL_RATE = 0.8
ADVICE = ("try another queue model (risk-averse), quote closer to the market, increase the order "
          "size, check the queue position logic; a maker that requotes cancels most of its orders "
          "and stays far below 80 % in good health")


@dataclass(frozen=True, slots=True)
class Durations:
    """A distribution of durations in nanoseconds. ``cumulative`` is (ns, share below) points."""

    count: int
    mean_ns: float
    p50_ns: int
    p90_ns: int
    p99_ns: int
    max_ns: int
    cumulative: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class Risk:
    """Figures of the equity curve, cut into steps of ``step_s``.

    Sharpe and Sortino are annualised over 365 days and are NaN if nothing moved. ``t_value`` is
    the mean step over its standard error: below 2 the profit may well be luck.
    """

    step_s: int
    steps: int
    sharpe: float
    sortino: float
    t_value: float
    drawdown_max: float
    under_water_s: float


@dataclass(frozen=True, slots=True)
class Inventory:
    """What was held of one asset, weighted by time; sizes in base units."""

    symbol: str
    end: float
    long_max: float
    short_max: float
    mean_absolute: float
    held_share: float


@dataclass(frozen=True, slots=True)
class Account:
    """Money in one currency, over all assets that settle in it.

    ``profit`` is after fees; ``turnover`` the traded value; ``profit_bps`` profit over turnover.
    """

    currency: str
    profit: float
    profit_before_fees: float
    fees: float
    turnover: float
    profit_bps: float
    fills: int
    risk: Risk
    markouts: tuple[MarkoutRow, ...]
    equity: Series
    before_fees: Series
    drawdown: Series


@dataclass(frozen=True, slots=True)
class Orders:
    """What became of the orders.

    ``fill_rate`` is the share of orders sent that had an execution, ``lots_rate`` executed lots
    over lots sent. ``queue_wait`` covers only orders that did fill as maker: those that waited in
    vain are not in it. ``brier`` is the mean squared miss of the predicted fill probabilities,
    ``brier_of_mean`` what guessing the share of filled orders every time would have had.
    """

    sent: int
    cancels: int
    modifies: int
    outcomes: dict[str, int]
    open_at_end: int
    executed: int
    fill_rate: float
    lots_rate: float
    maker_fills: int
    taker_fills: int
    queue_wait: Durations
    entry: Durations
    response: Durations
    round_trip: Durations
    calibration: tuple[CalibrationBin, ...]
    brier: float
    brier_of_mean: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One run under one fill model, ready to be shown."""

    name: str
    strategy: str
    settings: dict[str, str]
    assets: tuple[SimAsset, ...]
    assumptions: tuple[tuple[str, str], ...]
    in_core: bool
    begin_ns: int
    end_ns: int
    span_s: float
    ended: str
    rows: int
    wakes: int
    cpu_s: float
    wall_s: float
    sample_s: float
    accounts: tuple[Account, ...]
    orders: Orders
    feed_latency: Durations
    inventory: tuple[Inventory, ...]
    denied: dict[str, int]
    refused: dict[str, int]
    notes: tuple[str, ...]
    figures: dict[str, Any]
    prices: tuple[Series, ...]
    positions: tuple[Series, ...]
    fills_shown: tuple[tuple[tuple[float, float, int], ...], ...]
    fill_list: tuple[SimFill, ...]

    @property
    def fills(self) -> int:
        """Executions over all assets."""
        return sum(account.fills for account in self.accounts)

    @property
    def low_fill_rate(self) -> bool:
        """True if fewer orders filled than the fill rate's advice starts at."""
        return self.orders.sent > 0 and self.orders.fill_rate < LOW_FILL_RATE


def statistics(result: BacktestResult) -> Report:
    """All figures of a run. Reads the result only; the same result gives the same report."""
    samples = result.samples
    times_ns = samples.times_ns
    begin_ns = times_ns[0] if times_ns else result.begin_ns
    currencies = list(dict.fromkeys(asset.money for asset in result.assets))
    mids = [stepped(column) for column in samples.mids]
    sizes = [asset.lot_size for asset in result.assets]
    return Report(
        name=result.assumptions.name, strategy=result.strategy,
        settings={name: str(value) for name, value in result.settings.items()},
        assets=result.assets, assumptions=tuple(result.assumptions.lines()),
        in_core=result.assumptions.in_core, begin_ns=result.begin_ns, end_ns=result.end_ns,
        span_s=(result.end_ns - result.begin_ns) / 1e9, ended=result.ended,
        rows=sum(asset.rows for asset in result.assets), wakes=result.wakes,
        cpu_s=result.cpu_s, wall_s=result.wall_s, sample_s=samples.interval_ns / 1e9,
        accounts=tuple(_account(result, currency, mids) for currency in currencies),
        orders=_orders(result.orders, result.fills),
        feed_latency=durations(result.feed_latency),
        inventory=tuple(inventory(result, index) for index in range(len(result.assets))),
        denied=dict(result.denied), refused=dict(result.refused), notes=tuple(_notes(result)),
        figures=dict(result.figures),
        prices=tuple(thinned(times_ns, column, begin_ns) for column in mids),
        positions=tuple(thinned(times_ns, [lots * size for lots in column], begin_ns)
                        for column, size in zip(samples.positions, sizes, strict=True)),
        fills_shown=tuple(_shown(result, index, begin_ns)
                          for index in range(len(result.assets))),
        fill_list=tuple(result.fills))


def _account(result: BacktestResult, currency: str, mids: list[list[float]]) -> Account:
    members = [index for index, asset in enumerate(result.assets) if asset.money == currency]
    times_ns, fees_paid = result.samples.times_ns, result.samples.fees
    equity = equity_of(result, members, mids)
    paid = [sum(fees_paid[index][row] for index in members) for row in range(len(times_ns))]
    before = [worth + fee for worth, fee in zip(equity, paid, strict=True)]
    fills = [fill for fill in result.fills if fill.asset in members]
    fees = math.fsum(fill.fee for fill in fills)
    turnover = math.fsum(result.assets[fill.asset].amount(fill.ticks, fill.lots)
                         for fill in fills)
    profit = equity[-1] - equity[0] if equity else 0.0
    begin_ns = times_ns[0] if times_ns else 0
    return Account(
        currency, profit, profit + (paid[-1] - paid[0] if paid else 0.0), fees, turnover,
        profit / turnover * 10_000 if turnover else 0.0, len(fills),
        risk_of(times_ns, equity),
        rows_of(result.samples.markouts[index] for index in members),
        thinned(times_ns, equity, begin_ns), thinned(times_ns, before, begin_ns),
        thinned(times_ns, [-fall for fall in drawdowns(equity)], begin_ns))


def equity_of(result: BacktestResult, members: Sequence[int],
              mids: list[list[float]]) -> list[float]:
    """Equity of these assets together, one number a sample."""
    samples = result.samples
    balances, fees, positions = samples.balances, samples.fees, samples.positions
    total = [0.0] * len(samples)
    for index in members:
        worth = result.assets[index].equity
        rows = zip(balances[index], fees[index], positions[index], mids[index], strict=True)
        for row, (balance, fee, position, mid) in enumerate(rows):
            total[row] += worth(balance, fee, position, mid)
    return total


def drawdowns(equity: Iterable[float]) -> list[float]:
    """How far the equity is below its highest so far; never negative."""
    falls, peak = [], -math.inf
    for worth in equity:
        peak = max(peak, worth)
        falls.append(peak - worth)
    return falls


def step_changes(times_ns: Sequence[int], equity: Sequence[float], step_s: int) -> list[float]:
    """Changes of equity over whole steps since the first sample.

    The equity at a step's end is the last one sampled at or before it.
    """
    changes: list[float] = []
    if len(equity) < 2:
        return changes
    step_ns = step_s * 1_000_000_000
    edge_ns = times_ns[0] + step_ns
    last = before = equity[0]
    for now_ns, worth in zip(times_ns, equity, strict=True):
        while now_ns > edge_ns:
            changes.append(last - before)
            before = last
            edge_ns += step_ns
        last = worth
    if times_ns[-1] == edge_ns:
        changes.append(last - before)
    return changes


def risk_of(times_ns: Sequence[int], equity: Sequence[float]) -> Risk:
    """Risk figures of an equity curve, in the coarsest step that gives thirty of them."""
    step_s, changes = STEPS_S[-1], []
    for step_s in STEPS_S:
        changes = step_changes(times_ns, equity, step_s)
        if len(changes) >= STEPS_MIN:
            break
    falls = drawdowns(equity)
    count = len(changes)
    sharpe = sortino = t_value = math.nan
    if count >= 2:
        mean = math.fsum(changes) / count
        deviation = math.sqrt(math.fsum((change - mean) ** 2 for change in changes) / (count - 1))
        downside = math.sqrt(math.fsum(min(change, 0.0) ** 2 for change in changes) / count)
        yearly = math.sqrt(YEAR_S / step_s)
        if deviation > 0:
            sharpe = mean / deviation * yearly
            t_value = mean / deviation * math.sqrt(count)
        if downside > 0:
            sortino = mean / downside * yearly
    return Risk(step_s, count, sharpe, sortino, t_value, max(falls, default=0.0),
                _under_water_s(times_ns, falls))


def _under_water_s(times_ns: Sequence[int], falls: Sequence[float]) -> float:
    longest = 0
    since_ns = times_ns[0] if times_ns else 0
    for now_ns, fall in zip(times_ns, falls, strict=True):
        if fall <= 0:
            since_ns = now_ns
        longest = max(longest, now_ns - since_ns)
    return longest / 1e9


def inventory(result: BacktestResult, index: int) -> Inventory:
    """What was held of one asset from the run's begin to its end, by its fills."""
    asset = result.assets[index]
    held = long_max = short_max = 0
    area = holding_ns = 0
    since_ns = result.begin_ns
    for fill in sorted((fill for fill in result.fills if fill.asset == index),
                       key=lambda fill: fill.exch_ns):
        area += abs(held) * (fill.exch_ns - since_ns)
        holding_ns += fill.exch_ns - since_ns if held else 0
        since_ns = fill.exch_ns
        held += fill.lots if fill.side == 0 else -fill.lots
        long_max, short_max = max(long_max, held), min(short_max, held)
    last_ns = max(result.end_ns, since_ns)
    area += abs(held) * (last_ns - since_ns)
    holding_ns += last_ns - since_ns if held else 0
    span_ns = max(last_ns - result.begin_ns, 1)
    size = asset.lot_size
    return Inventory(asset.symbol, held * size, long_max * size, short_max * size,
                     area / span_ns * size, holding_ns / span_ns)


def durations(histogram: Histogram) -> Durations:
    """Percentiles of a histogram of nanoseconds; zeros if it is empty."""
    if not histogram.count:
        return Durations(0, 0.0, 0, 0, 0, 0, ())
    middle, high, highest = (histogram.value_at_percentile(p) for p in PERCENTILES)
    points = tuple((histogram.value_at_percentile(float(share)), share / 100)
                   for share in range(1, 101))
    return Durations(histogram.count, histogram.mean(), middle, high, highest, histogram.max,
                     points)


def _orders(tally: OrderTally, fills: Sequence[SimFill]) -> Orders:
    maker = sum(fill.maker for fill in fills)
    predicted = sum(row.count for row in tally.calibration)
    hits = sum(row.filled for row in tally.calibration) / max(predicted, 1)
    squared = math.fsum(row.squared for row in tally.calibration)
    return Orders(
        tally.sent_count, tally.cancels, tally.modifies,
        {name: tally.outcomes[name] for name in OUTCOMES}, len(tally.live), tally.executed,
        tally.executed / tally.sent_count if tally.sent_count else 0.0,
        tally.filled_lots / tally.sent_lots if tally.sent_lots else 0.0,
        maker, len(fills) - maker, durations(tally.queue_wait), durations(tally.entry),
        durations(tally.response), durations(tally.round_trip),
        tuple(tally.calibration) if predicted else (),
        squared / predicted if predicted else math.nan,
        hits * (1.0 - hits) if predicted else math.nan)


def _shown(result: BacktestResult, index: int,
           begin_ns: int) -> tuple[tuple[float, float, int], ...]:
    fills = [fill for fill in result.fills if fill.asset == index]
    every = max(1, -(-len(fills) // FILLS_SHOWN))
    tick = result.assets[index].tick_size
    return tuple((tidy((fill.exch_ns - begin_ns) / 1e9), tidy(fill.ticks * tick), fill.side)
                 for fill in fills[::every])


def _notes(result: BacktestResult) -> list[str]:
    notes = list(result.notes)
    span_s = (result.end_ns - result.begin_ns) / 1e9
    if result.samples.interval_ns > 1_000_000_000:
        notes.append(f"the account was sampled every {result.samples.interval_ns / 1e9:.3g} s: "
                     "drawdown is no finer")
    if not result.orders.sent_count and result.end_ns > result.begin_ns:
        lots = ", ".join(f"{asset.lot_size:g} {asset.base}" for asset in result.assets)
        notes.append("no order was sent: look at the strategy's own figures, at what the guard "
                     f"denied, and whether ORDER_SIZE_USD pays for one lot ({lots})")
    if 0 < span_s < 86_400:
        notes.append(f"{span_s:.0f} s of data: annualised figures say little")
    return notes


def plain(value: Any) -> Any:
    """A Report or a part of it as JSON knows it; NaN and infinities become null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    fields = getattr(value, "__dataclass_fields__", None)
    if fields is None:
        return value if value is None or isinstance(value, int | str) else str(value)
    return {name: plain(getattr(value, name)) for name in fields}
