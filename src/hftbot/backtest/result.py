"""What a backtest leaves behind: its fills, what became of its orders, samples of its account.

The world writes a BacktestResult while it runs, reports read it afterwards. Only the fill list
grows with the run; orders are folded into counts and histograms as they end, and samples get
coarser instead of more. Times are the simulated clock's, in nanoseconds; nothing here reads a
clock.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fastcore.probe.histogram import Histogram
from fastcore.sim import model_codes
from fastcore.sim.account_rows import BALANCE, FEE, MID, POSITION, VALUE, AccountRows
from fastcore.sim.fees import equity, traded_value
from hftbot.backtest.fill_chance import FillChance, place_of
from hftbot.backtest.markouts import Markouts

LINEAR, INVERSE, BINARY = "linear", "inverse", "binary"
"""Contracts, as an asset says which one it is."""
KINDS = {LINEAR: model_codes.LINEAR, INVERSE: model_codes.INVERSE, BINARY: model_codes.BINARY}

SAMPLE_INTERVAL_NS = 10_000_000
SAMPLES_MAX = 1 << 15
WAIT_MAX_NS = 1 << 47
"""The longest wait told apart: 39 hours."""
CALIBRATION_BINS = 10
FEED_ROWS = 20_000
ROW_WORDS = 8
BOTH_SIDES = 1 << 31 | 1 << 30
"""Flags of a row: processed at the exchange, processed by us."""

FILLED, PARTLY, CANCELED, EXPIRED, REJECTED = "filled", "partly", "canceled", "expired", "rejected"
OUTCOMES = (FILLED, PARTLY, CANCELED, EXPIRED, REJECTED)
"""How an order ends: all of it filled; some of it filled and the rest gone; nothing filled because
we cancelled it, because it could not rest, or because it was refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SimAsset:
    """One instrument of the run and the data behind it.

    ``tick_size`` and ``lot_size`` in quote and base units; ``data`` the files' names in the order
    they were read; ``first_ns`` and ``last_ns`` the local stamps of the first and last row.
    """

    symbol: str
    base: str
    quote: str
    tick_size: float
    lot_size: float
    contract: str = LINEAR
    contract_size: float = 1.0
    data: tuple[str, ...] = ()
    rows: int = 0
    first_ns: int = 0
    last_ns: int = 0

    def equity(self, balance: float, fee: float, position_lots: float, mid: float) -> float:
        """What the account is worth at ``mid``, fees paid: quote units, base units if inverse.

        Without a position the mid does not matter and may be NaN.
        """
        price = mid if position_lots else 1.0
        return float(equity(KINDS[self.contract], self.contract_size,
                            position_lots * self.lot_size, balance, fee, price))

    def amount(self, ticks: int, lots: int) -> float:
        """Traded value of ``lots`` at ``ticks``, unsigned: quote units, base units if inverse."""
        return float(traded_value(KINDS[self.contract], self.contract_size,
                                  ticks * self.tick_size, lots * self.lot_size))

    def in_money(self, quote: float, ticks: int) -> float:
        """Quote units at a price in the asset's money: base units if inverse."""
        return quote / (ticks * self.tick_size) if self.contract == INVERSE else quote

    @property
    def money(self) -> str:
        """The currency that profit is counted in."""
        return self.base if self.contract == INVERSE else self.quote


@dataclass(frozen=True, slots=True)
class SimFill:
    """One execution. ``fee`` in the asset's money, negative for a rebate; side 0 buy, 1 sell.

    ``exch_ns`` when it happened at the exchange, ``seen_ns`` when the strategy could know.
    """

    asset: int
    order_id: int
    side: int
    ticks: int
    lots: int
    maker: bool
    fee: float
    exch_ns: int
    seen_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumptions:
    """What the run took for true: each one line of text for people.

    ``name`` says which of several models side by side this is. ``in_core`` is True if the order
    latency holds no network: a profit made with it cannot be had, and reports say so beside it.
    """

    name: str
    queue: str
    exchange: str
    order_latency: str
    fees: str
    feed_latency: str = "as recorded in the data"
    in_core: bool = False
    seed: int | None = None
    notes: tuple[str, ...] = ()

    def lines(self) -> list[tuple[str, str]]:
        """(name, text) rows, for printing."""
        rows = [("queue", self.queue), ("exchange", self.exchange),
                ("order latency", self.order_latency), ("feed latency", self.feed_latency),
                ("fees", self.fees)]
        if self.in_core:
            rows.append(("network", "in-core latency only, no network"))
        if self.seed is not None:
            rows.append(("seed", str(self.seed)))
        return rows + [("note", note) for note in self.notes]


@dataclass(slots=True)
class CalibrationBin:
    """Orders whose predicted fill probability fell into one tenth.

    ``predicted`` is the sum of the predictions, ``squared`` of (prediction - outcome)²; ``filled``
    counts orders that filled whole, ``canceled`` those that we took back unfilled.
    """

    count: int = 0
    predicted: float = 0.0
    filled: int = 0
    canceled: int = 0
    squared: float = 0.0


class LiveOrder:
    """An order of the run that has not ended."""

    __slots__ = ("acked_ns", "asked_ns", "filled_lots", "first_fill_ns", "lots", "place",
                 "probability", "reach_lots")

    def __init__(self, lots: int, now_ns: int) -> None:
        self.lots = lots
        self.asked_ns = now_ns
        self.place = -1
        self.reach_lots = 0
        self.probability = 0.0
        self.acked_ns = -1
        self.first_fill_ns = -1
        self.filled_lots = 0


class OrderTally:
    """Follows each order from sending to its end and keeps sums.

    Histograms are of nanoseconds: ``entry`` from sending a request to the exchange having it,
    ``response`` from there to our knowing, ``round_trip`` both; ``queue_wait`` from the exchange's
    acceptance of an order to its first execution as maker. An order is known by its asset and id;
    an id that the tally does not know, or no longer, is left alone.
    """

    def __init__(self) -> None:
        self.sent_count = 0
        self.sent_lots = 0
        self.filled_lots = 0
        self.cancels = 0
        self.modifies = 0
        self.outcomes = dict.fromkeys(OUTCOMES, 0)
        self.executed = 0  # orders with one execution at least, ended or not
        self.entry = Histogram(WAIT_MAX_NS)
        self.response = Histogram(WAIT_MAX_NS)
        self.round_trip = Histogram(WAIT_MAX_NS)
        self.queue_wait = Histogram(WAIT_MAX_NS)
        self.calibration = [CalibrationBin() for _ in range(CALIBRATION_BINS)]
        self.live: dict[tuple[int, int], LiveOrder] = {}
        self._chances: dict[int, FillChance] = {}

    def sent(self, asset: int, order_id: int, lots: int, now_ns: int, front_lots: int = -1,
             distance_ticks: int = 0) -> None:
        """A new order leaves.

        For one that shall rest, ``front_lots`` is what the local book shows at its price and side
        now, and ``distance_ticks`` how far it stands behind the best price of its side: then its
        fill probability is predicted and later compared with what came.
        """
        self.sent_count += 1
        self.sent_lots += lots
        order = self.live[asset, order_id] = LiveOrder(lots, now_ns)
        self._predict(asset, order, lots, front_lots, distance_ticks)

    def asked(self, asset: int, order_id: int, now_ns: int, lots: int = 0,
              front_lots: int = -1, distance_ticks: int = 0) -> None:
        """A cancel leaves, or with ``lots``, which shall be open afterwards, a modify.

        The prediction of a modified order ends here, taken back; what stands before its new place
        makes a new one, see ``sent``.
        """
        order = self.live.get((asset, order_id))
        if lots:
            self.modifies += 1
        else:
            self.cancels += 1
        if order is not None:
            order.asked_ns = now_ns
            if lots:
                self.sent_lots += lots - (order.lots - order.filled_lots)
                order.lots = order.filled_lots + lots
                self._judge(asset, order, PARTLY if order.filled_lots else CANCELED)
                self._predict(asset, order, lots, front_lots, distance_ticks)

    def answered(self, asset: int, order_id: int, exch_ns: int, seen_ns: int) -> None:
        """The answer to the order's last request is seen; the first one is its acceptance."""
        order = self.live.get((asset, order_id))
        if order is None or order.asked_ns < 0:
            return
        self.entry.record(exch_ns - order.asked_ns)
        self.response.record(seen_ns - exch_ns)
        self.round_trip.record(seen_ns - order.asked_ns)
        order.asked_ns = -1
        if order.acked_ns < 0:
            order.acked_ns = exch_ns

    def filled(self, fill: SimFill) -> None:
        """One execution of an order; its last lot does not end it, ``ended`` does."""
        self.filled_lots += fill.lots
        order = self.live.get((fill.asset, fill.order_id))
        if order is None:
            return
        order.filled_lots += fill.lots
        if order.first_fill_ns < 0:
            order.first_fill_ns = fill.exch_ns
            self.executed += 1
            if fill.maker and order.acked_ns >= 0:
                self.queue_wait.record(fill.exch_ns - order.acked_ns)

    def ended(self, asset: int, order_id: int, outcome: str) -> None:
        """The order is gone: FILLED, CANCELED, EXPIRED or REJECTED.

        One that was cancelled or expired after an execution counts as PARTLY.
        """
        order = self.live.pop((asset, order_id), None)
        if order is None:
            return
        if order.filled_lots and outcome != FILLED:
            outcome = PARTLY
        self.outcomes[outcome] += 1
        self._judge(asset, order, outcome)

    def _predict(self, asset: int, order: LiveOrder, lots: int, front_lots: int,
                 distance_ticks: int) -> None:
        order.place = -1
        if front_lots >= 0:
            order.place = place_of(distance_ticks)
            order.reach_lots = front_lots + lots
            order.probability = self._chance(asset).predict(order.place, order.reach_lots)

    def _judge(self, asset: int, order: LiveOrder, outcome: str) -> None:
        """Compare the order's prediction with what came, and learn from it."""
        if order.place >= 0 and order.acked_ns >= 0 and outcome != REJECTED:
            self._calibrate(order.probability, outcome)
            self._chance(asset).learn(order.place, order.reach_lots, order.probability,
                                      outcome == FILLED)

    def _chance(self, asset: int) -> FillChance:
        known = self._chances.get(asset)
        if known is None:
            known = self._chances[asset] = FillChance()
        return known

    def _calibrate(self, probability: float, outcome: str) -> None:
        hit = outcome == FILLED
        row = self.calibration[min(int(probability * CALIBRATION_BINS), CALIBRATION_BINS - 1)]
        row.count += 1
        row.predicted += probability
        row.filled += hit
        row.canceled += outcome == CANCELED
        row.squared += (probability - hit) ** 2


class Samples:
    """The account over time: one row a moment, columns for each asset.

    ``rows.due_ns`` is when ``add`` wants to be called next, for a row or for the market after a
    fill; see fastcore.sim.account_rows for which rows stay.
    Columns are arrays, made when they are asked for, one for each asset: ``mids`` (NaN without a
    market), ``positions`` in lots, ``balances``, ``fees`` and ``values`` (traded so far) in the
    asset's money, as the kernel counts them: the balance does not hold the fee.
    """

    def __init__(self, assets: int = 1, interval_ns: int = SAMPLE_INTERVAL_NS,
                 rows_max: int = SAMPLES_MAX) -> None:
        self.rows = AccountRows(assets, interval_ns, rows_max)
        self.markouts = [Markouts() for _ in range(assets)]

    def __len__(self) -> int:
        return len(self.rows)

    def add(self, now_ns: int, row: list[tuple[float, int, float, float, float]]) -> None:
        """One moment: for each asset (mid, position in lots, balance, fee, traded value).

        It may come before it is due; the end of a run should be added. A second row of the same
        moment replaces the first. Raises ValueError for a moment before the last one.
        """
        if self.rows.add(now_ns, row):
            for markouts, (mid, *_) in zip(self.markouts, row, strict=True):
                markouts.on_mid(mid, now_ns)
            self._watch()

    def follow(self, fill: SimFill, asset: SimAsset) -> None:
        """Look at the market after this fill, at each horizon."""
        size = fill.lots * asset.lot_size * asset.contract_size
        self.markouts[fill.asset].follow(fill.seen_ns, fill.ticks * asset.tick_size, fill.side,
                                         -size if asset.contract == INVERSE else size)
        self._watch()

    def _watch(self) -> None:
        self.rows.watch(min(markouts.due_ns for markouts in self.markouts))

    @property
    def interval_ns(self) -> int:
        """Between two rows; it doubles when there are too many."""
        return int(self.rows.interval_ns)

    @property
    def times_ns(self) -> array[int]:
        """The moments."""
        return self.rows.moments()

    @property
    def mids(self) -> list[array[float]]:
        """Prices by asset."""
        return self._columns(MID)

    @property
    def positions(self) -> list[array[int]]:
        """Lots held by asset."""
        return self._columns(POSITION)

    @property
    def balances(self) -> list[array[float]]:
        """Cash by asset, without fees."""
        return self._columns(BALANCE)

    @property
    def fees(self) -> list[array[float]]:
        """Fees so far by asset."""
        return self._columns(FEE)

    @property
    def values(self) -> list[array[float]]:
        """Traded value so far by asset."""
        return self._columns(VALUE)

    def _columns(self, name: int) -> list[array[Any]]:
        return [self.rows.column(asset, name) for asset in range(len(self.markouts))]


def record_feed_latency(histogram: Histogram, buffer: Any) -> None:
    """Count how long events of the data took to reach us: local minus exchange stamp, in ns.

    ``buffer`` is plain bytes of 64-byte rows. Evenly spaced rows are taken, 20,000 at most, of
    those that stand for both exchange and us.
    """
    words = memoryview(buffer).cast("B").cast("q")
    rows = len(words) // ROW_WORDS
    for row in range(0, rows, max(1, rows // FEED_ROWS)):
        at = row * ROW_WORDS
        if words[at] & BOTH_SIDES == BOTH_SIDES:
            histogram.record(max(words[at + 2] - words[at + 1], 0))


@dataclass(slots=True, kw_only=True)
class BacktestResult:
    """Everything that a report is made of.

    ``begin_ns`` and ``end_ns`` of the simulated clock; ``wakes`` how often the strategy was woken;
    ``cpu_s`` and ``wall_s`` what the run cost, 0 if nobody measured; ``ended`` why it stopped.
    ``figures`` is what the strategy says of itself, by its ``statistics``.
    ``feed_latency`` is of the data, see ``record_feed_latency``; empty if nobody looked.
    ``denied`` counts refusals of the guard by name, ``refused`` those of the exchange.
    """

    strategy: str
    assets: tuple[SimAsset, ...]
    assumptions: Assumptions
    settings: Mapping[str, Any] = field(default_factory=dict)
    fills: list[SimFill] = field(default_factory=list)
    orders: OrderTally = field(default_factory=OrderTally)
    samples: Samples = field(default_factory=Samples)
    feed_latency: Histogram = field(default_factory=lambda: Histogram(WAIT_MAX_NS))
    begin_ns: int = 0
    end_ns: int = 0
    wakes: int = 0
    cpu_s: float = 0.0
    wall_s: float = 0.0
    ended: str = "end of data"
    denied: dict[str, int] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    figures: Mapping[str, Any] = field(default_factory=dict)

    def add_fill(self, fill: SimFill) -> None:
        """One execution, in the order in which they are seen."""
        self.fills.append(fill)
        self.orders.filled(fill)
        self.samples.follow(fill, self.assets[fill.asset])
