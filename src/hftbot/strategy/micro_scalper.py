"""The micro-scalper: enters with the momentum, takes small profits, never stays long.

Entries and exits are IOC limits at the touch plus a small allowance. Per instrument there is one
position, at most one entry and at most one exit in flight. Positions are left alone when the run
stops; the next run takes them over.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from hftbot.errors import ConfigError
from hftbot.signal.momentum import Momentum
from hftbot.strategy.order_size import fee_check, least_lots, order_lots, value_limit
from hftbot.strategy.position_cycler import ClosedTrade, ExitReason, ExitRules, PositionCycler
from hftbot.words.events import OrderDone, OrderDoubt, OrderFilled, OrderRejected
from hftbot.words.instrument import Instrument
from hftbot.words.market import BookTrust, Side, Trade
from hftbot.words.order import Tif
from hftbot.words.ports import Book, Desk, Strategy
from hftbot.words.verdict import Verdict, explain

__all__ = ["MicroScalper", "fee_check", "order_lots"]

_NO_ORDER = -1
_TICKS_MAX = 1 << 62
_E6 = 1_000_000
_LOST_AFTER_US = 5_000_000
_REFUSED_PAUSE_US = 1_000_000
_RETRY_DOUBLINGS_MAX = 2
_TOO_LARGE = Verdict.DENY_ORDER_VALUE | Verdict.DENY_ORDER_LOTS


class _Market:
    """What the scalper knows of one instrument."""

    __slots__ = ("adopted", "ask", "bid", "cost_min", "cycler", "entry_doubt", "entry_id",
                 "exit_id", "exit_lots_max", "exit_reason", "failures", "instrument", "known",
                 "momentum", "next_entry_us", "next_exit_us", "refused", "sent_us")

    def __init__(self, instrument: Instrument, momentum: Momentum, rules: ExitRules) -> None:
        self.instrument = instrument
        self.momentum = momentum
        self.cycler = PositionCycler(rules, instrument.taker_fee_e6)
        self.cost_min = value_limit(instrument, instrument.cost_min, up=True)
        self.bid = self.ask = 0
        self.entry_id = self.exit_id = _NO_ORDER
        self.entry_doubt = False
        self.exit_reason = ExitReason.NONE
        self.exit_lots_max = 0
        self.failures = 0
        self.next_entry_us = self.next_exit_us = self.sent_us = 0
        self.adopted = 0
        self.known = False
        self.refused = ""

    def sellable(self) -> bool:
        """Whether the venue takes an order that closes what is held; less is dust."""
        lots = abs(self.cycler.lots)
        return lots >= self.instrument.lots_min and lots * self.bid >= self.cost_min

    def quiet(self) -> bool:
        """No order of ours can still trade."""
        return self.entry_id == _NO_ORDER and self.exit_id == _NO_ORDER


class MicroScalper(Strategy):
    """IOC entries on momentum; exits by target, stop, small profit after a while, or age.

    Ratios ``_e6`` are millionths, times ``_us`` microseconds, ``order_size_usd`` is in the quote
    currency of each instrument. Profit target and smallest profit are net of the account's taker
    fees (``Instrument.taker_fee_e6``); the stop is a move of the price. ``entry_allowance_e6`` and
    ``exit_allowance_e6`` say how far beyond the touch an order may trade, ``spread_max_e6`` from
    which spread on nothing is entered. ``cooldown_us`` is the least time between two entries in
    one instrument, ``exit_retry_us`` between two attempts to leave. ``ttl_us`` goes with every
    intent. ``momentum`` holds keyword arguments of signal.momentum.Momentum. Short entries need
    ``allow_short``: a spot account can only sell what it holds.

    Raises ConfigError for impossible parameters, and in on_start for a target that cannot pay its
    fees and for an order size below the venue's minimum, if the book is known by then. Later such
    an order is not sent: ``statistics()['refused']`` says why.
    """

    name = "micro_scalper"

    def __init__(self, *, order_size_usd: Decimal = Decimal(100), max_positions: int = 10,
                 cooldown_us: int = 250_000, profit_target_e6: int = 2_000,
                 stop_loss_e6: int = 1_000, min_profit_e6: int = 1_000,
                 min_hold_us: int = 30_000_000, max_hold_us: int = 300_000_000,
                 entry_allowance_e6: int = 20, exit_allowance_e6: int = 500,
                 exit_retry_us: int = 250_000, spread_max_e6: int | None = None,
                 ttl_us: int = 500_000, allow_short: bool = False,
                 momentum: Mapping[str, Any] | None = None) -> None:
        self.rules = ExitRules(profit_target_e6, stop_loss_e6, min_profit_e6, min_hold_us,
                               max_hold_us)
        if order_size_usd <= 0 or max_positions < 1 or exit_retry_us < 1:
            raise ConfigError("micro_scalper: order_size_usd, max_positions and exit_retry_us "
                              "must be positive")
        if min(cooldown_us, entry_allowance_e6, exit_allowance_e6, ttl_us) < 0:
            raise ConfigError("micro_scalper: cooldown_us, ttl_us and allowances must not be "
                              "negative")
        self.order_size = order_size_usd
        self.max_positions = max_positions
        self.cooldown_us = cooldown_us
        self.entry_allowance_e6 = entry_allowance_e6
        self.exit_allowance_e6 = exit_allowance_e6
        self.exit_retry_us = exit_retry_us
        self.spread_max_e6 = stop_loss_e6 // 2 if spread_max_e6 is None else spread_max_e6
        self.ttl_us = ttl_us
        self.allow_short = allow_short
        self._momentum = dict(momentum or {})
        self._new_momentum()
        self._markets: dict[int, _Market] = {}
        # Lots that each order in flight may still trade; at 0 nothing more can happen to it.
        self._open_lots: dict[int, int] = {}
        self._orders: dict[int, _Market] = {}
        self._early: set[int] = set()
        self._placing = False
        self._stopped = False
        self._counts = dict.fromkeys(
            ("entries", "exits", "denied_entries", "denied_exits", "rejected", "unfilled_entries",
             "unfilled_exits", "doubts", "lost_orders", "wide_spreads", "settled_lots"), 0)
        self._exits_by = dict.fromkeys(ExitReason, 0)
        self._trades = self._wins = 0
        self._held_sum_us = self._held_max_us = 0
        self._held_min_us = -1
        self._gross = 0.0
        self._last_denial = ""

    def _new_momentum(self) -> Momentum:
        try:
            return Momentum(**self._momentum)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"micro_scalper: momentum: {error}") from error

    # -- the strategy API

    def on_start(self, desk: Desk) -> None:
        """Take over what is held, and refuse what cannot pay."""
        self.desk = desk
        self._stopped = False
        self._markets.clear()
        self._orders.clear()
        self._open_lots.clear()
        for instrument in desk.instruments():
            fee_check(instrument, self.rules.profit_target_e6)
            if self.order_size < instrument.cost_min:
                raise ConfigError(f"ORDER_SIZE_USD: {self.order_size} is below the smallest value "
                                  f"of {instrument.cost_min} {instrument.quote} on "
                                  f"{instrument.symbol}")
            market = _Market(instrument, self._new_momentum(), self.rules)
            market.adopted = desk.position_lots(instrument.index)
            market.cycler.adopt(market.adopted, desk.position_cost(instrument.index),
                                desk.position_opened_us(instrument.index))
            market.known = bool(market.adopted) and market.cycler.priced
            if not market.adopted and self._look(market, desk.book(instrument.index)):
                order_lots(instrument, market.ask, self.order_size)
            self._markets[instrument.index] = market

    def on_book(self, book: Book) -> None:
        """Feed the signal, then leave or enter."""
        market = self._markets.get(book.instrument)
        if market is None or not self._look(market, book):
            return
        now_us = self.desk.now_us()
        direction = market.momentum.on_top(market.bid, book.best_bid_lots(), market.ask,
                                           book.best_ask_lots(), now_us)
        if self._stopped:
            return
        if market.cycler.lots and market.exit_id == _NO_ORDER and market.sellable():
            self._consider_exit(market, now_us)
        elif direction and now_us >= market.next_entry_us and market.quiet():
            self._consider_entry(market, direction, now_us)

    def on_trade(self, trade: Trade) -> None:
        """Feed the signal."""
        market = self._markets.get(trade.instrument)
        if market is not None:
            market.momentum.on_trade(trade.side, trade.lots, self.desk.now_us())

    def on_order(self, event: Any) -> None:
        """An order is over, or in doubt: it then keeps its place until that is resolved."""
        if isinstance(event, OrderDone):
            self._over(event.client_id, rejected=False)
        elif isinstance(event, OrderRejected):
            self._over(event.client_id, rejected=True)
        elif isinstance(event, OrderDoubt):
            self._counts["doubts"] += 1
            market = self._orders.get(event.client_id)
            if market is not None and market.entry_id == event.client_id:
                market.entry_doubt = True

    def on_fill(self, fill: OrderFilled) -> None:
        """Move the position; a closed one is a trade."""
        market = self._markets.get(fill.instrument)
        if market is None:
            return
        now_us = self.desk.now_us()
        cycler = market.cycler
        was_dust = not market.sellable()
        closed = cycler.fill(fill.side, fill.ticks, fill.lots, now_us)
        if was_dust and cycler.lots:
            # What was too small to sell does not make the new position old.
            cycler.opened_us = now_us
        if closed is not None:
            self._count_trade(market, closed)
        left = self._open_lots.get(fill.client_id)
        if left is not None:
            self._open_lots[fill.client_id] = left - fill.lots
            if left <= fill.lots:
                # Filled to the last lot: its end need not be waited for.
                self._over(fill.client_id, rejected=False)

    def on_timer(self, now_us: int) -> None:
        """Positions age although the book stands still."""
        for market in self._markets.values():
            if not market.quiet():
                self._forget_lost(market, now_us)
            if self._stopped or not market.cycler.lots or market.exit_id != _NO_ORDER:
                continue
            if self._look(market, self.desk.book(market.instrument.index)) and market.sellable():
                self._consider_exit(market, now_us)

    def on_stop(self) -> None:
        """Positions stay; the next run takes them over."""
        self._stopped = True

    # -- deciding

    def _look(self, market: _Market, book: Book) -> bool:
        bid, ask = book.best_bid(), book.best_ask()
        if book.trust != BookTrust.TRUSTED or not 0 < bid < ask < _TICKS_MAX:
            return False
        market.bid = bid
        market.ask = ask
        return True

    def _consider_exit(self, market: _Market, now_us: int) -> None:
        reason = market.cycler.decide(market.bid, market.ask, now_us)
        if reason == ExitReason.NONE or now_us < market.next_exit_us:
            return
        if market.entry_id != _NO_ORDER and not market.entry_doubt:
            return
        self._settle(market, now_us)
        held = market.cycler.lots
        if held == 0 or not market.sellable():
            return
        lots = self._exit_lots(market, abs(held))
        if held > 0:
            side, allowance = Side.SELL, market.bid * self.exit_allowance_e6 // _E6
            ticks = max(1, market.bid - allowance)
        else:
            side, allowance = Side.BUY, market.ask * self.exit_allowance_e6 // _E6
            ticks = market.ask + allowance
        market.exit_reason = reason
        market.next_exit_us = now_us + self._retry_us(market)
        client_id = self._place(market, side, ticks, lots, f"exit {reason.name.lower()}", now_us)
        if client_id >= 0:
            self._counts["exits"] += 1
            if client_id in self._orders:
                market.exit_id = client_id
            return
        market.failures += 1
        self._counts["denied_exits"] += 1
        if -client_id & _TOO_LARGE:
            # A position larger than one order may be leaves in slices.
            market.exit_lots_max = max(lots // 2, least_lots(market.instrument, ticks))

    def _consider_entry(self, market: _Market, direction: int, now_us: int) -> None:
        if direction < 0 and not self.allow_short:
            return
        if (market.ask - market.bid) * _E6 >= self.spread_max_e6 * market.bid:
            self._counts["wide_spreads"] += 1
            return
        self._settle(market, now_us)
        held = market.cycler.lots
        if held and (market.sellable() or (held > 0) != (direction > 0)):
            return
        if self._occupied() >= self.max_positions:
            return
        if direction > 0:
            side, ticks = Side.BUY, market.ask + market.ask * self.entry_allowance_e6 // _E6
        else:
            side = Side.SELL
            ticks = max(1, market.bid - market.bid * self.entry_allowance_e6 // _E6)
        try:
            lots = order_lots(market.instrument, ticks, self.order_size)
        except ConfigError as error:
            market.refused = str(error)
            market.next_entry_us = now_us + max(self.cooldown_us, _REFUSED_PAUSE_US)
            return
        market.refused = ""
        market.next_entry_us = now_us + self.cooldown_us
        strength_e3 = int(market.momentum.strength * 1000)
        client_id = self._place(market, side, ticks, lots, f"momentum {strength_e3}", now_us)
        if client_id < 0:
            self._counts["denied_entries"] += 1
            return
        self._counts["entries"] += 1
        if client_id in self._orders:
            market.entry_id = client_id
            market.entry_doubt = False

    def _occupied(self) -> int:
        return sum(1 for market in self._markets.values()
                   if market.entry_id != _NO_ORDER or (market.cycler.lots and market.sellable()))

    def _exit_lots(self, market: _Market, held: int) -> int:
        most = market.exit_lots_max
        if most == 0 or held <= most:
            return held
        rest = held - most
        least = least_lots(market.instrument, market.bid)
        # Leave nothing behind that is too small to sell.
        return most if rest >= least or most <= 2 * least else most - least

    def _retry_us(self, market: _Market) -> int:
        return self.exit_retry_us << min(market.failures, _RETRY_DOUBLINGS_MAX)

    # -- orders

    def _place(self, market: _Market, side: int, ticks: int, lots: int, reason: str,
               now_us: int) -> int:
        """Place an IOC; an answer that comes before the call returns is not lost."""
        self._placing = True
        self._early.clear()
        try:
            client_id = self.desk.place(market.instrument.index, side, ticks, lots, Tif.IOC,
                                        ttl_us=self.ttl_us, reason=reason)
        finally:
            self._placing = False
        if client_id < 0:
            self._last_denial = explain(client_id)
        elif client_id not in self._early:
            self._orders[client_id] = market
            self._open_lots[client_id] = lots
            market.sent_us = now_us
        return client_id

    def _over(self, client_id: int, *, rejected: bool) -> None:
        if rejected:
            self._counts["rejected"] += 1
        market = self._orders.pop(client_id, None)
        self._open_lots.pop(client_id, None)
        if market is None:
            if self._placing:
                self._early.add(client_id)
        elif client_id == market.entry_id:
            market.entry_id = _NO_ORDER
            market.entry_doubt = False
            if market.cycler.lots == 0:
                self._counts["unfilled_entries"] += 1
        elif client_id == market.exit_id:
            market.exit_id = _NO_ORDER
            if market.cycler.lots:
                market.failures += 1
                self._counts["unfilled_exits"] += 1

    def _forget_lost(self, market: _Market, now_us: int) -> None:
        """Free an order that the desk no longer has, should its end not have been told."""
        if now_us - market.sent_us < _LOST_AFTER_US:
            return
        known = {order.client_id for order in self.desk.open_orders()}
        for client_id in (market.entry_id, market.exit_id):
            if client_id != _NO_ORDER and client_id not in known:
                self._counts["lost_orders"] += 1
                self._over(client_id, rejected=False)

    def _settle(self, market: _Market, now_us: int) -> None:
        """The desk's position is the truth: it also knows fills that were not told to us."""
        held = self.desk.position_lots(market.instrument.index)
        if held != market.cycler.lots:
            self._counts["settled_lots"] += abs(market.cycler.settle(held, market.bid, market.ask,
                                                                     now_us))

    # -- statistics

    def _count_trade(self, market: _Market, closed: ClosedTrade) -> None:
        self._exits_by[market.exit_reason] += 1
        self._trades += 1
        self._wins += closed.profit2 > 0
        self._held_sum_us += closed.held_us
        self._held_max_us = max(self._held_max_us, closed.held_us)
        self._held_min_us = (closed.held_us if self._held_min_us < 0
                             else min(self._held_min_us, closed.held_us))
        self._gross += market.instrument.worth(closed.profit2) / 2
        market.failures = 0
        market.exit_lots_max = 0
        market.exit_reason = ExitReason.NONE
        market.next_exit_us = 0

    def statistics(self) -> dict[str, Any]:
        """Counters of orders, trades by exit reason, and holding times in microseconds.

        ``gross`` is the sum of the closed trades before fees, in quote units; adopted positions
        count from their cost if the desk knows it, else from the first mid that was seen
        (``adopted`` names them and says which).
        """
        counted: dict[str, Any] = {"trades": self._trades, "wins": self._wins,
                                   "gross": self._gross}
        for reason, count in self._exits_by.items():
            name = "other" if reason == ExitReason.NONE else reason.name.lower()
            counted[f"exit_{name}"] = count
        counted["held_min_us"] = max(0, self._held_min_us)
        counted["held_max_us"] = self._held_max_us
        counted["held_mean_us"] = self._held_sum_us // self._trades if self._trades else 0
        counted.update(self._counts)
        counted["open_positions"] = sum(1 for m in self._markets.values() if m.cycler.lots)
        counted["adopted"] = "; ".join(
            f"{m.instrument.symbol}: {m.instrument.qty_text(m.adopted)} {m.instrument.base} "
            + ("adopted at its cost" if m.known else
               "adopted, entry price unknown, taken as the first mid seen")
            for m in self._markets.values() if m.adopted)
        counted["refused"] = "; ".join(m.refused for m in self._markets.values() if m.refused)
        counted["last_denial"] = self._last_denial
        return counted
