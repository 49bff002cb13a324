"""What the spread maker knows of one instrument: fair price, model, wanted and working quotes."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from fastcore.market.fair import EwmaVolatility
from hftbot.signal.arrivals import Arrivals
from hftbot.strategy.order_size import value_limit
from hftbot.strategy.quote_model import QuoteModel, Widths
from hftbot.words.instrument import Instrument
from hftbot.words.market import Side

NO_ORDER = -1
# The mid moves back and forth between neighbouring ticks all the time: a longer look tells the
# volatility of the price from that of the touch.
SAMPLE_US = 250_000
_BPS = 1e4


class Wanted(NamedTuple):
    """Where one quote should stand, and how large it may be; 0 lots: not at all."""

    ticks: int
    lots: int


NOTHING = Wanted(0, 0)


class Quote:
    """One place in the grid and the order that fills it. Lots are the whole order's.

    ``acked``: the venue shows it; ``moving`` and ``leaving``: an amend or a cancel is on its way;
    ``doubt``: nobody knows what became of it. Nothing is asked before ``retry_us``.
    """

    __slots__ = ("acked", "client_id", "doubt", "filled", "leaving", "level", "lots", "moving",
                 "retry_us", "side", "since_us", "ticks")

    def __init__(self, side: int, level: int) -> None:
        self.side = side
        self.level = level
        self.retry_us = 0
        self.clear()

    def clear(self) -> None:
        """No order fills this place."""
        self.client_id = NO_ORDER
        self.ticks = self.lots = self.filled = self.since_us = 0
        self.acked = self.moving = self.leaving = self.doubt = False

    def taken(self, client_id: int, ticks: int, lots: int, now_us: int) -> None:
        """An order went out for this place."""
        self.clear()
        self.client_id, self.ticks, self.lots, self.since_us = client_id, ticks, lots, now_us

    @property
    def free(self) -> bool:
        """Whether an order may be placed here."""
        return self.client_id == NO_ORDER

    @property
    def open_lots(self) -> int:
        """What its order may still trade."""
        return self.lots - self.filled

    @property
    def settled(self) -> bool:
        """Whether the venue has answered all that was asked about it."""
        return self.acked and not (self.moving or self.leaving or self.doubt)


class MakerMarket:
    """One instrument's fair price in float ticks, model widths, and grid of quotes.

    ``held`` is the position in lots, as the strategy last read it from its desk.
    """

    __slots__ = (
        "_cost_least",
        "_stamp_us",
        "arrivals",
        "ask",
        "ask_lots",
        "bid",
        "bid_lots",
        "changed_us",
        "fair",
        "first_us",
        "held",
        "instrument",
        "inventory_limit",
        "model",
        "order_limit",
        "quotes",
        "sampled_us",
        "short",
        "target_limit",
        "volatility",
        "widths",
    )

    def __init__(self, instrument: Instrument, model: QuoteModel, arrivals: Arrivals,
                 memory_us: int, levels: int, sizes: tuple[Decimal, Decimal, Decimal],
                 short: bool) -> None:
        self.instrument = instrument
        self.model = model
        self.arrivals = arrivals
        self.volatility = EwmaVolatility(memory_us)
        self.quotes = tuple(tuple(Quote(side, level) for level in range(levels))
                            for side in (Side.BUY, Side.SELL))
        # Values as ticks times lots: of one order, of the largest position, of the target.
        self.order_limit, self.inventory_limit, self.target_limit = (
            value_limit(instrument, value) for value in sizes)
        self._cost_least = value_limit(instrument, instrument.cost_min, up=True)
        self.short = short
        self.bid = self.ask = self.bid_lots = self.ask_lots = 0
        self.held = 0
        self.fair = 0.0
        self.first_us = self.sampled_us = self.changed_us = 0
        self._stamp_us = -1
        self.widths = Widths(model.least_bps, 0.0)

    def look(self, bid: int, bid_lots: int, ask: int, ask_lots: int, stamp_us: int,
             now_us: int) -> bool:
        """Take a touch; True if it is another one than before.

        ``stamp_us`` is the venue's of the book; ``changed_us`` is when it was first seen.
        """
        if stamp_us != self._stamp_us:
            self._stamp_us, self.changed_us = stamp_us, now_us
        moved = (bid, bid_lots, ask, ask_lots) != (self.bid, self.bid_lots, self.ask,
                                                   self.ask_lots)
        if moved:
            self.bid, self.bid_lots, self.ask, self.ask_lots = bid, bid_lots, ask, ask_lots
            self.fair = (bid * ask_lots + ask * bid_lots) / (bid_lots + ask_lots)
        if self.first_us == 0:
            self.first_us = now_us
        if now_us - self.sampled_us >= SAMPLE_US:
            self.sampled_us = now_us
            self.volatility.update(0.5 * (bid + ask), now_us)
            self.arrivals.forget(now_us)
            self.widths = self.model.widths(self.volatility_bps(), self.arrivals.rate_per_s,
                                            self.arrivals.decay_per_bps)
        return moved

    def volatility_bps(self) -> float:
        """Volatility per square-root second, in bps of the price."""
        per_root: float = self.volatility.per_sqrt_s()
        return _BPS * per_root

    def on_trade(self, side: int, ticks: int, stamp_us: int, now_us: int) -> None:
        """A taker traded at a price."""
        if self.fair > 0.0:
            away = ticks - self.fair if side == Side.BUY else self.fair - ticks
            self.arrivals.on_trade(side, _BPS * away / self.fair, stamp_us, now_us)

    def order_lots(self) -> int:
        """The size of one quote."""
        return self.order_limit // self.bid

    def least_lots(self, ticks: int) -> int:
        """The fewest lots that the venue takes at this price: by size and by value."""
        return max(self.instrument.lots_min, 1, -(-self._cost_least // ticks))

    def leaning(self) -> float:
        """The inventory in orders, counted from the target."""
        each = max(1, self.order_lots())
        return (self.held - self.target_limit // self.bid) / each

    def wanted(self, gap_bps: float) -> tuple[list[Wanted], list[Wanted]]:
        """Where the quotes of both sides should stand now, innermost first."""
        unit = self.fair / _BPS
        half, skew = self.widths
        middle = self.fair - unit * skew * self.leaning()
        bids, asks = [], []
        buyable, sellable = self.room(Side.BUY), self.room(Side.SELL)
        for level in range(len(self.quotes[0])):
            away = unit * (half + level * gap_bps)
            bid = min(int(middle - away), self.ask - 1)
            ask = int(middle + away)
            ask = max(ask + (ask < middle + away), self.bid + 1)
            lots = self._lots(bid, buyable, whole=False)
            bids.append(Wanted(bid, lots) if lots else NOTHING)
            buyable -= lots
            lots = self._lots(ask, sellable, whole=not self.short)
            asks.append(Wanted(ask, lots) if lots else NOTHING)
            sellable -= lots
        return bids, asks

    def room(self, side: int) -> int:
        """How many lots all quotes of a side together may trade."""
        limit = self.inventory_limit // self.bid
        if side == Side.BUY:
            return limit - self.held
        return self.held + (limit if self.short else 0)

    def within_room(self, quote: Quote, wish: Wanted) -> Wanted:
        """What of a wish its place may ask for beside what the others of its side still may trade.

        An order that is only being taken back, or made smaller, still counts.
        """
        if wish is NOTHING:
            return NOTHING
        others = sum(one.open_lots for one in self.quotes[quote.side] if one is not quote)
        lots = min(wish.lots, self.room(quote.side) - others)
        if lots == wish.lots:
            return wish
        return Wanted(wish.ticks, lots) if lots >= self.least_lots(wish.ticks) \
            else NOTHING

    def hold_sales(self, until_us: int) -> None:
        """Offer nothing more before this moment; what is offered already stays."""
        for quote in self.quotes[Side.SELL]:
            if quote.free:
                quote.retry_us = max(quote.retry_us, until_us)

    def _lots(self, ticks: int, room: int, *, whole: bool) -> int:
        """The size of a quote that finds so much room; 0 if the venue takes no order so small.

        ``whole``: what would be left over and too small for an order goes with this one.
        """
        if ticks < 1 or room < 1:
            return 0
        least = self.least_lots(ticks)
        lots = min(self.order_lots(), room)
        if whole and room - lots < least:
            lots = room
        return lots if lots >= least else 0

    def figures(self, now_us: int) -> dict[str, float | int | str]:
        """What the model sees and holds, for people."""
        grid = self.instrument
        return {"inventory": f"{grid.qty_text(self.held)} {grid.base}",
                "half_spread_bps": round(self.widths.half_bps, 4),
                "skew_bps": round(self.widths.skew_bps, 4),
                "volatility_bps": round(self.volatility_bps(), 4),
                "arrivals_per_s": round(self.arrivals.rate_per_s, 4),
                "arrival_depth_bps": round(self.arrivals.depth_bps, 4),
                "takers_seen": self.arrivals.seen,
                "watched_s": round((now_us - self.first_us) / 1e6, 1) if self.first_us else 0.0}
