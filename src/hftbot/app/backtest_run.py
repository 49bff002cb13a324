"""One run of a backtest: the live rooms, a strategy, recorded markets and one set of models."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from fastcore.sim import model_codes as kinds
from fastcore.sim import replay_codes as codes
from fastcore.sim.fees import traded_value
from fastcore.sim.replay import Replay
from hftbot.app.backtest_models import FeeChoice, LatencyChoice, QueueChoice
from hftbot.app.strategies import build_strategy
from hftbot.backtest.memory_journal import MemoryJournal
from hftbot.backtest.result import (
    Assumptions,
    BacktestResult,
    Samples,
    SimAsset,
    record_feed_latency,
)
from hftbot.backtest.world import BacktestWorld, ReplayClock
from hftbot.config.schema import Settings
from hftbot.live.world import World
from hftbot.words.events import E10
from hftbot.words.instrument import Instrument
from hftbot.words.ports import Strategy

RUN = 1
NOTES_MAX = 200
EXCHANGES = {"no-partial": codes.NO_PARTIAL_FILL, "partial": codes.PARTIAL_FILL,
             "l3-fifo": codes.L3_FIFO}
EXCHANGE_TEXTS = {
    "no-partial": "no partial fills: an order that is reached fills whole",
    "partial": "partial fills: an order fills by what trades at its price; takers walk the book",
    "l3-fifo": "ours stand in the recorded orders' own queues and fill whole; no queue is guessed"}
CONTRACTS = {"linear": kinds.LINEAR, "inverse": kinds.INVERSE, "binary": kinds.BINARY}
Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Market:
    """One market of a run: its data (backtest.event_rows.EventRows), its grid, its models.

    A lot of ``grid`` holds the contract's size, see backtest.market.lot_of; one of the data not.
    """

    rows: Any
    grid: Instrument
    fees: FeeChoice
    latency: LatencyChoice

    @property
    def steps(self) -> tuple[float, float]:
        """Price and size step of the data."""
        return float(self.rows.tick_size), float(self.rows.lot_size)


@dataclass(frozen=True, slots=True)
class Plan:
    """What all runs of one backtest share."""

    settings: Settings
    markets: tuple[Market, ...]
    exchange: str = "no-partial"
    contract: str = "linear"
    contract_size: float = 1.0
    notes: tuple[str, ...] = ()


class RunNotes:
    """The Notes port of a run: keeps warnings, with the time of the data, up to a number."""

    def __init__(self, clock: ReplayClock) -> None:
        self.kept: list[str] = []
        self.warned = 0
        self._clock = clock

    def info(self, text: str) -> None:
        """Not kept: it is of use while it happens, and nobody is watching."""

    def warn(self, text: str) -> None:
        """Kept, while there is room."""
        self.warned += 1
        if len(self.kept) < NOTES_MAX:
            self.kept.append(f"at {self._clock.mono_ns() / 1e9:.6f} s: {text}")

    error = warn


def adjusted(settings: Settings, symbols: list[str]) -> Settings:
    """The settings of a live run as a backtest needs them.

    Books are deep, because recorded data say nothing of levels that a venue would cut off, and
    Kraken's own counter is off unless a tier is named: ``auto`` is what a venue tells.
    """
    tier = "off" if settings.kraken_tier == "auto" else settings.kraken_tier
    return replace(settings, symbols=tuple(symbols), book_depth="1000", kraken_tier=tier)


def run(plan: Plan, name: str, queue: QueueChoice, progress: Progress,
        strategy: Strategy | None = None,
        wrap: Callable[[Any], Any] | None = None) -> BacktestResult:
    """Replay the plan's markets once with this queue model. Raises HftbotError.

    ``strategy`` None: the one that the settings name, made anew. ``wrap`` may put something
    between the replay and the rooms that use it.
    """
    replay: Any = Replay()
    assets = [_add(replay, plan, market, queue) for market in plan.markets]
    if wrap is not None:
        replay = wrap(replay)
    clock = ReplayClock(replay)
    notes = RunNotes(clock)
    journal = MemoryJournal()
    try:
        rooms = World(plan.settings, [market.grid for market in plan.markets], clock, notes,
                      journal.journal, RUN)
        strategy = strategy or build_strategy(plan.settings)
        rooms.add_strategy(strategy)
        result = _result(plan, name, queue, strategy.name)
        for market in plan.markets:
            record_feed_latency(result.feed_latency, market.rows.buffer)
        world = BacktestWorld(rooms, replay, assets, _fee_e10(plan), result, journal)
        world.on_timer = _follow(plan, name, progress)
        cpu_s, wall_s = time.process_time(), time.perf_counter()
        world.run()
        result.cpu_s = time.process_time() - cpu_s
        result.wall_s = time.perf_counter() - wall_s
    finally:
        journal.close()
    progress(name, 1.0)
    try:
        result.figures = strategy.statistics()
    except Exception as error:
        result.notes.append(f"statistics of {strategy.name} raised {type(error).__name__}: {error}")
    result.notes += notes.kept
    if notes.warned > NOTES_MAX:
        result.notes.append(f"{notes.warned - NOTES_MAX} more warnings are not kept")
    if rooms.engine.mute:
        result.ended = f"every strategy is disabled: {', '.join(rooms.engine.disabled)}"
    return result


def _add(replay: Any, plan: Plan, market: Market, queue: QueueChoice) -> int:
    return int(replay.add(
        market.rows.buffer, *market.steps, market.latency.make(),
        market.fees.model, queue=queue.kind, power=queue.power,
        exchange=EXCHANGES[plan.exchange], contract=CONTRACTS[plan.contract],
        contract_size=plan.contract_size))


def _fee_e10(plan: Plan) -> Callable[[int, int, int, bool], int]:
    """What an execution costs, in 1e-10 quote units: the same doubles as the replay's own."""
    contract, size = CONTRACTS[plan.contract], plan.contract_size
    steps = [(*market.steps, market.fees.model) for market in plan.markets]

    def fee_e10(index: int, ticks: int, lots: int, maker: bool) -> int:
        tick_size, lot_size, model = steps[index]
        price, quantity = ticks * tick_size, lots * lot_size
        fee = model.fee(price, quantity, traded_value(contract, size, price, quantity), maker)
        return round(fee * (price if contract == kinds.INVERSE else 1.0) * E10)

    return fee_e10


def _follow(plan: Plan, name: str, progress: Progress) -> Callable[[int], None]:
    first_ns = min(market.rows.first_ns for market in plan.markets)
    span_ns = max(1, max(market.rows.last_ns for market in plan.markets) - first_ns)
    return lambda now_ns: progress(name, (now_ns - first_ns) / span_ns)


def _result(plan: Plan, name: str, queue: QueueChoice, strategy: str) -> BacktestResult:
    latencies = sorted({market.latency.text for market in plan.markets})
    fees = sorted({market.fees.text for market in plan.markets})
    chosen = [market.latency for market in plan.markets]
    return BacktestResult(
        strategy=strategy,
        assets=tuple(asset_of(market, plan) for market in plan.markets),
        assumptions=Assumptions(
            name=name, queue=queue.text, exchange=EXCHANGE_TEXTS[plan.exchange],
            order_latency="; ".join(latencies), fees="; ".join(fees),
            in_core=any(latency.in_core for latency in chosen),
            seed=next((latency.seed for latency in chosen if latency.seed is not None), None),
            notes=("our orders change nothing in the recorded market",
                   "a GTD order ends by a cancel that we send", *plan.notes)),
        settings=plan.settings.texts(), samples=Samples(len(plan.markets)))


def asset_of(market: Market, plan: Plan) -> SimAsset:
    """The market as reports see it: on the grid of its data."""
    grid, rows = market.grid, market.rows
    tick_size, lot_size = market.steps
    return SimAsset(
        symbol=grid.symbol, base=grid.base, quote=grid.quote, tick_size=tick_size,
        lot_size=lot_size, contract=plan.contract, contract_size=plan.contract_size,
        data=tuple(path.name for path in rows.paths), rows=rows.rows, first_ns=rows.first_ns,
        last_ns=rows.last_ns)
