"""The spread maker: quotes on both sides of the fair price and leans them against its inventory.

Each side is a grid of post-only orders. The model (``strategy.quote_model``) says how far they
stand from the fair price, from the volatility and the takers that were seen; for every order of
inventory all quotes move a little, so that what is held is sold sooner than more of it is bought.
A quote that stands too far in is moved at once, by amend or by cancel and new order, whichever
costs the venue's limits less; one too far out only after it has rested for a while. Positions
stay when the run stops; the next run takes them over.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from hftbot.errors import ConfigError
from hftbot.signal.arrivals import Arrivals
from hftbot.strategy.maker_market import NOTHING, MakerMarket, Quote, Wanted
from hftbot.strategy.order_size import order_lots, percent
from hftbot.strategy.quote_model import QuoteModel
from hftbot.words.events import (
    CancelRejected,
    OrderAcked,
    OrderAmended,
    OrderDone,
    OrderDoubt,
    OrderFilled,
    OrderRejected,
)
from hftbot.words.instrument import Instrument
from hftbot.words.market import BookTrust, Side, Trade
from hftbot.words.order import OrderState, Tif
from hftbot.words.ports import Book, Desk, Strategy
from hftbot.words.verdict import Verdict, explain

_TICKS_MAX = 1 << 62
_E6_PER_BPS = 100.0
_PAUSE_US = 250_000
_RATE_PAUSE_US = 1_000_000
_CHECK_US = 5_000_000
# The venue tells a fill first and what it did to the balance a moment later: an order that sells
# what was just bought is denied until then.
_SETTLE_US = 10_000
# Nothing is asked on a book that stood still for longer: what comes first after a pause may be
# a fill, and the price of before the pause is no guide then.
_STILL_US = 2_000_000
_TOO_OFTEN = Verdict.DENY_MESSAGE_RATE | Verdict.DENY_VENUE_RATE
_COUNTED = ("placed", "moved", "cancelled", "denied", "rate_denials", "rejected", "doubts",
            "lost_orders", "buys", "sells", "taker_fills")


class SpreadMaker(Strategy):
    """An inventory-skewed maker (Avellaneda-Stoikov, or Gueant-Lehalle-Fernandez-Tapia).

    ``model`` is one of quote_model's, ``risk`` its aversion per bps and order, ``horizon_s`` only
    for avellaneda. ``levels`` quotes of ``order_usd`` a side stand ``level_gap_e6`` apart, the
    innermost at least the maker fee and ``edge_e6`` from where the model leans, at most
    ``half_spread_max_e6``. Quotes off by more than ``move_e6`` are moved, outward ones after
    ``rest_us``. The position stays within ``inventory_usd`` and leans towards ``target_usd``;
    below zero it only goes with ``short``. ``arrivals_per_s`` and ``arrival_depth_bps`` describe
    the takers until some were seen, with ``measure`` False for ever; ``memory_us`` is the half
    life of what was seen. Ratios ``_e6`` are millionths, times ``_us`` microseconds.

    Raises ConfigError for impossible parameters, and in on_start for fees that the widest spread
    cannot pay and for quotes below the venue's minimum, if the book is known by then. Later such
    quotes are not sent: ``statistics()['refused']`` says why.
    """

    name = "spread_maker"
    wakes = "top"

    def __init__(self, *, order_usd: Decimal = Decimal(50), model: str = "glft",
                 risk: float = 0.05, horizon_s: float = 5.0, levels: int = 2,
                 level_gap_e6: int = 100, edge_e6: int = 70, half_spread_max_e6: int = 5_000,
                 move_e6: int = 150, rest_us: int = 3_000_000,
                 inventory_usd: Decimal = Decimal(500), target_usd: Decimal = Decimal(0),
                 short: bool = False, measure: bool = True, arrivals_per_s: float = 1.0,
                 arrival_depth_bps: float = 1.0, memory_us: int = 60_000_000) -> None:
        if min(levels, level_gap_e6, memory_us) < 1 or min(edge_e6, move_e6, rest_us) < 0:
            raise ConfigError("spread_maker: levels, level_gap_e6 and memory_us must be positive, "
                              "edge_e6, move_e6 and rest_us not negative")
        if not 0 < order_usd <= inventory_usd or not 0 <= target_usd <= inventory_usd:
            raise ConfigError(
                f"MAKER_INVENTORY_USD: {inventory_usd} must hold one quote of ORDER_SIZE_USD "
                f"{order_usd} and the target MAKER_TARGET_USD {target_usd}")
        self.sizes = (order_usd, inventory_usd, target_usd)
        self.model = QuoteModel(model, risk, horizon_s, 0.0, half_spread_max_e6 / _E6_PER_BPS)
        self.levels = levels
        self.gap_bps = level_gap_e6 / _E6_PER_BPS
        self.edge_e6 = edge_e6
        self.move_e6 = move_e6
        self.rest_us = rest_us
        self.short = short
        self.memory_us = memory_us
        self._takers = (arrivals_per_s, arrival_depth_bps, memory_us, measure)
        self._new_arrivals()
        self._markets: dict[int, MakerMarket] = {}
        self._quotes: dict[int, tuple[MakerMarket, Quote]] = {}
        self._early: set[int] = set()
        self._placing = self._stopped = False
        self._checked_us = 0
        self._counts = dict.fromkeys(_COUNTED, 0)
        self._edge = self._fees = 0.0
        self._last_denial = ""

    def _new_arrivals(self) -> Arrivals:
        try:
            return Arrivals(*self._takers)
        except ValueError as error:
            raise ConfigError(f"spread_maker: takers: {error}") from error

    # -- the strategy API

    def on_start(self, desk: Desk) -> None:
        """Take over what is held, and refuse what cannot pay."""
        self.desk = desk
        self._stopped = False
        self._markets.clear()
        self._quotes.clear()
        for instrument in desk.instruments():
            order_usd = self.sizes[0]
            if order_usd < instrument.cost_min:
                raise ConfigError(f"ORDER_SIZE_USD: {order_usd} is below the smallest value of "
                                  f"{instrument.cost_min} {instrument.quote} on "
                                  f"{instrument.symbol}")
            market = MakerMarket(instrument, self._model(instrument), self._new_arrivals(),
                                 self.memory_us, self.levels, self.sizes, self.short)
            market.held = desk.position_lots(instrument.index)
            if self._look(market, desk.book(instrument.index), desk.now_us()):
                order_lots(instrument, market.ask, order_usd)
            self._markets[instrument.index] = market

    def _model(self, instrument: Instrument) -> QuoteModel:
        """The model of a market, its least half spread above what a fill costs there."""
        least_e6 = max(0, instrument.maker_fee_e6) + self.edge_e6
        model = self.model
        if least_e6 > model.most_bps * _E6_PER_BPS:
            raise ConfigError(
                f"MAKER_HALF_SPREAD_MAX_BPS: on {instrument.symbol} a fill costs the maker fee of "
                f"{percent(instrument.maker_fee_e6)}, and with MAKER_EDGE_BPS a quote must stand "
                f"{percent(least_e6)} away, more than the widest half spread of "
                f"{model.most_bps:g} bps allows. Raise it above {least_e6 / _E6_PER_BPS:g}, or "
                "use an account with lower fees (simulated: --fees free)")
        return QuoteModel(model.kind, model.risk, model.horizon_s, least_e6 / _E6_PER_BPS,
                          model.most_bps)

    def on_book(self, book: Book) -> None:
        """Follow the fair price."""
        market = self._markets.get(book.instrument)
        if market is not None and self._look(market, book, self.desk.now_us()):
            self._quote(market)

    def on_trade(self, trade: Trade) -> None:
        """Learn how often and how deep takers trade."""
        market = self._markets.get(trade.instrument)
        if market is not None:
            market.on_trade(trade.side, trade.ticks, trade.ts_us, self.desk.now_us())

    def on_order(self, event: Any) -> None:
        """An order of ours was accepted, refused, moved, is over or unknown."""
        found = self._quotes.get(event.client_id)
        if found is None:
            if self._placing and isinstance(event, (OrderDone, OrderRejected)):
                self._early.add(event.client_id)
            return
        market, quote = found
        if isinstance(event, OrderAcked):
            quote.acked = quote.acked or event.live
            quote.doubt = False
        elif isinstance(event, OrderAmended):
            quote.ticks, quote.lots, quote.moving = event.ticks, event.lots, False
        elif isinstance(event, CancelRejected):
            self._reread(quote)
        elif isinstance(event, OrderDoubt):
            self._counts["doubts"] += 1
            quote.doubt = True
        elif isinstance(event, (OrderDone, OrderRejected)):
            refused = (isinstance(event, OrderRejected)
                       or event.state == OrderState.REJECTED)
            self._counts["rejected"] += refused
            self._over(market, quote, _PAUSE_US if refused else 0)

    def on_fill(self, fill: OrderFilled) -> None:
        """Inventory changed: all quotes lean anew."""
        market = self._markets.get(fill.instrument)
        if market is None:
            return
        bought = fill.side == Side.BUY
        self._counts["buys" if bought else "sells"] += 1
        self._counts["taker_fills"] += not fill.maker
        self._fees += fill.fee_e10 / 1e10
        away = market.fair - fill.ticks if bought else fill.ticks - market.fair
        self._edge += away * market.instrument.worth(fill.lots)
        market.held = self.desk.position_lots(fill.instrument)
        if bought and not self.short:
            market.hold_sales(self.desk.now_us() + _SETTLE_US)
        found = self._quotes.get(fill.client_id)
        if found is not None:
            quote = found[1]
            quote.filled += fill.lots
            if quote.open_lots <= 0:
                self._quotes.pop(fill.client_id)
                quote.clear()
        if not self._placing and market.fair > 0.0:
            self._quote(market)

    def on_timer(self, now_us: int) -> None:
        """Quotes are mended although the book stands still, and taken back if it is not trusted."""
        check = now_us - self._checked_us >= _CHECK_US
        if check:
            self._checked_us = now_us
            self._forget_lost()
        for market in self._markets.values():
            book = self.desk.book(market.instrument.index)
            if book.trust != BookTrust.TRUSTED:
                for quote in (*market.quotes[0], *market.quotes[1]):
                    self._withdraw(quote, now_us)
                continue
            self._look(market, book, now_us)
            if market.fair > 0.0:
                self._quote(market)

    def on_stop(self) -> None:
        """The position stays; the session takes the quotes back."""
        self._stopped = True

    # -- quoting

    def _look(self, market: MakerMarket, book: Book, now_us: int) -> bool:
        bid, ask = book.best_bid(), book.best_ask()
        if book.trust != BookTrust.TRUSTED or not 0 < bid < ask < _TICKS_MAX:
            return False
        return market.look(bid, book.best_bid_lots(), ask, book.best_ask_lots(), book.ts_us,
                           now_us)

    def _quote(self, market: MakerMarket) -> None:
        """Bring the grid to where the model wants it, the side that lowers inventory first."""
        now_us = self.desk.now_us()
        if self._stopped or market.order_lots() < 1 or now_us - market.changed_us > _STILL_US:
            return
        market.held = self.desk.position_lots(market.instrument.index)
        tolerance = max(1, int(market.fair * self.move_e6 / 1e6))
        wanted = market.wanted(self.gap_bps)
        sides = (Side.BUY, Side.SELL) if market.leaning() < 0.0 else (Side.SELL, Side.BUY)
        for side in sides:
            for quote, wish in zip(market.quotes[side], wanted[side], strict=True):
                if quote.free:
                    self._place(market, quote, market.within_room(quote, wish), now_us)
                else:
                    self._mend(market, quote, wish, tolerance, now_us)

    def _place(self, market: MakerMarket, quote: Quote, wish: Wanted, now_us: int) -> None:
        if wish is NOTHING or now_us < quote.retry_us:
            return
        self._placing = True
        self._early.clear()
        try:
            client_id = self.desk.place(
                market.instrument.index, quote.side, wish.ticks, wish.lots, Tif.GTC,
                post_only=True, reason=f"quote {quote.level} lean {market.leaning():.2f}")
        finally:
            self._placing = False
        if client_id < 0:
            self._denied(quote, client_id, now_us)
            return
        self._counts["placed"] += 1
        if client_id not in self._early:
            quote.taken(client_id, wish.ticks, wish.lots, now_us)
            self._quotes[client_id] = (market, quote)

    def _mend(self, market: MakerMarket, quote: Quote, wish: Wanted, tolerance: int,
              now_us: int) -> None:
        """Leave a working quote where it is, move it, or take it back."""
        if not quote.settled or now_us < quote.retry_us:
            return
        if wish is NOTHING:
            self._withdraw(quote, now_us)
            return
        out = wish.ticks - quote.ticks if quote.side == Side.SELL else quote.ticks - wish.ticks
        exposed = out > tolerance
        too_large = quote.open_lots > wish.lots + wish.lots // 20
        rested = now_us - quote.since_us >= self.rest_us
        if exposed or too_large or (rested and out < -tolerance):
            wish = market.within_room(quote, wish)
            if wish is not NOTHING:
                self._move(quote, wish, exposed or too_large, now_us)
            elif exposed:
                self._withdraw(quote, now_us)

    def _move(self, quote: Quote, wish: Wanted, urgent: bool, now_us: int) -> None:
        """Ask for the quote's new place; one that must not stay and cannot move is taken back."""
        old = quote.client_id
        lots = quote.filled + wish.lots
        self._placing = True
        self._early.clear()
        try:
            client_id = self.desk.replace(old, wish.ticks, lots)
        finally:
            self._placing = False
        if client_id < 0:
            self._denied(quote, client_id, now_us)
            if urgent:
                quote.retry_us = 0
                self._withdraw(quote, now_us)
            return
        self._counts["moved"] += 1
        if client_id == old:
            quote.ticks, quote.moving, quote.since_us = wish.ticks, True, now_us
            # One that is made smaller may still trade whole until the venue has answered.
            quote.lots = max(quote.lots, lots)
            return
        found = self._quotes.pop(old, None)
        if found is None or client_id in self._early:
            quote.clear()
            return
        quote.taken(client_id, wish.ticks, wish.lots, now_us)
        self._quotes[client_id] = found

    def _withdraw(self, quote: Quote, now_us: int) -> None:
        """Take a quote back, unless that is on its way."""
        if quote.free or quote.leaving or quote.doubt or now_us < quote.retry_us:
            return
        if self.desk.cancel(quote.client_id) == 0:
            self._counts["cancelled"] += 1
            quote.leaving = True
        else:
            quote.retry_us = now_us + _PAUSE_US

    def _denied(self, quote: Quote, verdict: int, now_us: int) -> None:
        too_often = bool(-verdict & _TOO_OFTEN)
        self._counts["denied"] += 1
        self._counts["rate_denials"] += too_often
        self._last_denial = explain(verdict)
        quote.retry_us = now_us + (_RATE_PAUSE_US if too_often else _PAUSE_US)

    def _over(self, market: MakerMarket, quote: Quote, pause_us: int) -> None:
        """Nothing more can happen to the order of a place."""
        self._quotes.pop(quote.client_id, None)
        quote.clear()
        if pause_us:
            quote.retry_us = self.desk.now_us() + pause_us
        market.held = self.desk.position_lots(market.instrument.index)

    def _reread(self, quote: Quote) -> None:
        """An amend or a cancel was refused: the order is what the desk says it is."""
        quote.moving = quote.leaving = False
        for order in self.desk.open_orders():
            if order.client_id == quote.client_id:
                quote.ticks, quote.lots = order.ticks, order.lots
        quote.retry_us = self.desk.now_us() + _PAUSE_US

    def _forget_lost(self) -> None:
        """Free the places of orders that the desk no longer has; ask again what got lost."""
        known = {order.client_id: order for order in self.desk.open_orders()}
        for client_id, (market, quote) in list(self._quotes.items()):
            order = known.get(client_id)
            if order is None:
                self._counts["lost_orders"] += 1
                self._over(market, quote, 0)
            elif quote.moving or quote.leaving:
                quote.moving = quote.leaving = False
                quote.ticks, quote.lots = order.ticks, order.lots

    # -- statistics

    def statistics(self) -> dict[str, Any]:
        """Figures of quotes, fills and the model; money in quote units.

        ``edge`` is what fills were better than the fair price of that moment, before fees;
        whether it was kept is the run's profit.
        """
        now_us = self.desk.now_us() if self._markets else 0
        told: dict[str, Any] = dict(self._counts)
        told.update(edge=round(self._edge, 10), fees=round(self._fees, 10),
                    last_denial=self._last_denial, working=len(self._quotes),
                    refused="; ".join(self._refusals()))
        told["symbols"] = {one.instrument.symbol: one.figures(now_us)
                           for one in self._markets.values()}
        told["hints"] = self._hints()
        return told

    def _refusals(self) -> Iterator[str]:
        """Why a market gets no quotes, whatever its price does."""
        for market in self._markets.values():
            if market.ask:
                try:
                    order_lots(market.instrument, market.ask, self.sizes[0])
                except ConfigError as error:
                    yield str(error)

    def _hints(self) -> list[str]:
        """What the figures suggest, each with its evidence."""
        counts, found = self._counts, []
        asked = counts["placed"] + counts["moved"]
        if counts["rate_denials"] > max(10, asked // 4):
            found.append(f"{counts['rate_denials']} quotes were held back by the limits on "
                         "messages and transactions: raise MAKER_MOVE_BPS or MAKER_REST_MS, or "
                         "lower MAKER_LEVELS")
        if counts["rejected"] > max(10, asked // 4):
            found.append(f"{counts['rejected']} of {asked} quotes would have traded at once when "
                         "they arrived: raise MAKER_EDGE_BPS or move closer to the venue")
        return found
