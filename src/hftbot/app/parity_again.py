"""The strategy of a recorded run once more, deciding for itself on the recorded market."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from fastcore.sim.latency import OrderLatency
from hftbot.app import backtest_models as models
from hftbot.app import backtest_run
from hftbot.backtest.decisions import Agreement, Decision, agreement
from hftbot.backtest.market import instrument_of
from hftbot.backtest.parity import Account, Worth
from hftbot.backtest.session_orders import SessionOrder
from hftbot.config.schema import Settings
from hftbot.words.instrument import Instrument

if TYPE_CHECKING:
    from hftbot.backtest.event_rows import EventRows

WITHIN_NS, WITHIN_E6 = 100_000_000, 100


class OrderLog:
    """Stands before a Replay and notes each order that is submitted."""

    def __init__(self, replay: Any) -> None:
        self.sent: list[Decision] = []
        self._replay = replay

    def submit(self, asset: int, order_id: int, side: int, ticks: int, lots: int,
               *how: Any) -> int:
        """See fastcore.sim.replay.Replay.submit."""
        self.sent.append(Decision(self._replay.now_ns, side, ticks, lots))
        return int(self._replay.submit(asset, order_id, side, ticks, lots, *how))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._replay, name)


@dataclass(frozen=True, slots=True)
class Again:
    """What the strategy did when it decided for itself; ``fees`` what it would have paid."""

    account: Account
    orders: int
    agreement: Agreement
    fees: float
    ended: str
    assumed: str


def decide_again(settings: Settings, orders: Sequence[SessionOrder], rows: EventRows,
                 grid: Instrument, latency: Callable[[], OrderLatency],
                 queue: models.QueueChoice, exchange: str, mid2: int) -> Again:
    """Backtest the strategy of these settings on the recorded market. Raises HftbotError."""
    fees = models.fee_choice(settings.fees, grid.symbol)
    market = backtest_run.Market(
        rows, instrument_of(0, grid.symbol, rows.tick_size, rows.lot_size, *fees.rates_e6), fees,
        models.LatencyChoice(latency, "the run's own"))
    told = backtest_run.adjusted(settings, [market.grid.symbol])
    if settings.kraken_tier == "auto" and settings.venue == "sim":
        # What the embedded exchange tells an account whose tier nobody named.
        told = replace(told, kraken_tier="intermediate")
    plan = backtest_run.Plan(told, (market,), exchange)
    logs: list[OrderLog] = []

    def listened(replay: Any) -> OrderLog:
        logs.append(OrderLog(replay))
        return logs[0]

    result = backtest_run.run(plan, "again", queue, lambda name, part: None, wrap=listened)
    sent = logs[0].sent
    ours = [Decision(order.sent_ns, order.side, order.requests[0].ticks, order.requests[0].lots)
            for order in orders]
    return Again(
        Worth(grid, mid2).account((fill.side, (fill,)) for fill in result.fills), len(sent),
        agreement(ours, sent, WITHIN_NS, WITHIN_E6), sum(fill.fee for fill in result.fills),
        result.ended, result.assumptions.exchange)
