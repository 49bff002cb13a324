"""The micro-scalper: enters with the momentum, takes small profits, never stays long.

Signals wait in a queue and the strongest enters first, while fewer than three entries and five
orders are in flight. Entries are IOC limits a little beyond the touch, or post-only orders at it;
exits are IOC limits. Per instrument there is one position, at most one entry and one exit in
flight. Positions are left alone when the run stops; the next run takes them over.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from hftbot.errors import ConfigError
from hftbot.signal.momentum import Momentum
from hftbot.strategy.execution import NO_ORDER, Execution, Executions, backoff_us
from hftbot.strategy.order_size import (
    OrderTemplate,
    SizeRule,
    fee_check,
    least_lots,
    order_lots,
    worth_e10,
)
from hftbot.strategy.position_cycler import ClosedTrade, ExitReason, ExitRules
from hftbot.strategy.scalper_market import ScalperMarket
from hftbot.strategy.scalper_statistics import ScalperStatistics
from hftbot.strategy.signal_queue import Signal, SignalQueue
from hftbot.strategy.trade_pace import TradePace
from hftbot.words.events import OrderDone, OrderDoubt, OrderFilled, OrderRejected
from hftbot.words.market import BookTrust, Side, Trade
from hftbot.words.ports import Book, Desk, Strategy
from hftbot.words.verdict import Verdict

__all__ = ["MicroScalper", "fee_check", "order_lots"]

_TICKS_MAX = 1 << 62
_E6 = 1_000_000
_LOST_AFTER_US = 5_000_000
_REFUSED_PAUSE_US = 1_000_000
_RETRY_DOUBLINGS_MAX = 2
_TOO_LARGE = Verdict.DENY_ORDER_VALUE | Verdict.DENY_ORDER_LOTS
_TOO_OFTEN = Verdict.DENY_MESSAGE_RATE | Verdict.DENY_VENUE_RATE
_COUNTED = ("entries", "exits", "denied_entries", "denied_exits", "rejected", "unfilled_entries",
            "unfilled_exits", "doubts", "lost_orders", "wide_spreads", "turned_signals",
            "paced_signals", "rate_denials", "settled_lots")


class MicroScalper(Strategy):
    """Entries on momentum; exits by target, stops, small profit after a while, or age.

    Ratios ``_e6`` are millionths, times ``_us`` microseconds. ``size`` says how large an entry is
    (``order_size_usd`` is short for a fixed size). Profit target, smallest profit and the start
    of the trailing stop are net of the account's fees (``Instrument``); the stops are moves of
    the price. ``entry_allowance_e6`` and ``exit_allowance_e6`` say how far beyond the touch an
    order may trade, ``spread_max_e6`` from which spread on nothing is entered. ``cooldown_us`` is
    the least time between two entries in one instrument; with ``rapid_fire`` an entry may follow
    an exit at once. ``exit_retry_us`` is the pause between two attempts to leave. An entry is
    tried again up to ``entry_retries`` times, with growing pauses, if the venue proved that
    nothing of it traded, while the signal lasts and within ``execution_deadline_us`` of it. With
    ``post_only`` entries rest at the touch for ``entry_rest_us`` at most. ``target_day`` is how
    many positions a day may open, 0 any number. ``ttl_us`` goes with every intent; ``momentum``
    holds keyword arguments of signal.momentum.Momentum. Short entries need ``allow_short``: a
    spot account can only sell what it holds.

    Raises ConfigError for impossible parameters, and in on_start for a target that cannot pay its
    fees and for an order size below the venue's minimum, if the book is known by then. Later such
    an order is not sent: ``statistics()['refused']`` says why.
    """

    name = "micro_scalper"

    def __init__(self, *, order_size_usd: Decimal = Decimal(100), size: SizeRule | None = None,
                 max_positions: int = 10, cooldown_us: int = 250_000, rapid_fire: bool = False,
                 target_day: int = 0, rules: ExitRules | None = None,
                 entry_allowance_e6: int = 20, exit_allowance_e6: int = 500,
                 exit_retry_us: int = 250_000, spread_max_e6: int | None = None,
                 entries_in_flight: int = 3, orders_in_flight: int = 5, entry_retries: int = 3,
                 execution_deadline_us: int = 500_000, post_only: bool = False,
                 entry_rest_us: int = 5_000_000, ttl_us: int = 500_000, allow_short: bool = False,
                 momentum: Mapping[str, Any] | None = None) -> None:
        self.rules = rules or ExitRules()
        if min(max_positions, exit_retry_us, execution_deadline_us, entry_rest_us) < 1:
            raise ConfigError("micro_scalper: max_positions, exit_retry_us, execution_deadline_us "
                              "and entry_rest_us must be positive")
        if not 1 <= entries_in_flight <= orders_in_flight:
            raise ConfigError("micro_scalper: entries_in_flight must lie within 1 and "
                              "orders_in_flight")
        if min(cooldown_us, entry_allowance_e6, exit_allowance_e6, ttl_us, entry_retries) < 0:
            raise ConfigError("micro_scalper: cooldown_us, ttl_us, entry_retries and allowances "
                              "must not be negative")
        self.size = size or SizeRule(order_usd=order_size_usd)
        self.max_positions = max_positions
        self.cooldown_us = cooldown_us
        self.rapid_fire = rapid_fire
        self.entry_allowance_e6 = entry_allowance_e6
        self.exit_allowance_e6 = exit_allowance_e6
        self.exit_retry_us = exit_retry_us
        self.spread_max_e6 = (self.rules.stop_loss_e6 // 2 if spread_max_e6 is None
                              else spread_max_e6)
        self.entry_retries = entry_retries
        self.post_only = post_only
        self.entry_rest_us = entry_rest_us
        self.ttl_us = ttl_us
        self.allow_short = allow_short
        self._momentum = dict(momentum or {})
        self._new_momentum()
        self._markets: dict[int, ScalperMarket] = {}
        self.queue = SignalQueue()
        self.pace = TradePace(target_day)
        self.flight = Executions(entries_in_flight, orders_in_flight, execution_deadline_us)
        self.figures = ScalperStatistics(())
        self._counts = dict.fromkeys(_COUNTED, 0)
        self._stopped = False

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
        self.flight.clear()
        self.figures = ScalperStatistics([one.symbol for one in desk.instruments()])
        self.figures.begin(desk.now_us())
        value, how = self.size.value(0, 0)
        for instrument in desk.instruments():
            fee_check(instrument, self.rules.profit_target_e6, self.post_only)
            if value < instrument.cost_min:
                raise ConfigError(f"{how}: {value} is below the smallest value "
                                  f"of {instrument.cost_min} {instrument.quote} on "
                                  f"{instrument.symbol}")
            market = ScalperMarket(instrument, self._new_momentum(), self.rules, OrderTemplate(
                instrument, self.entry_allowance_e6, self.exit_allowance_e6, self.post_only))
            market.adopted = desk.position_lots(instrument.index)
            market.cycler.adopt(market.adopted, desk.position_cost(instrument.index),
                                desk.position_opened_us(instrument.index))
            market.counted = bool(market.adopted)
            market.known = market.counted and market.cycler.priced
            if not market.adopted and self._look(market):
                order_lots(instrument, market.ask, value, how)
            self._markets[instrument.index] = market

    def on_book(self, book: Book) -> None:
        """Feed the signal, then leave or enter."""
        market = self._markets.get(book.instrument)
        if market is None or not self._look(market):
            return
        now_us = self.desk.now_us()
        direction = market.momentum.on_top(market.bid, book.best_bid_lots(), market.ask,
                                           book.best_ask_lots(), now_us)
        if self._stopped:
            return
        if market.exit is None and market.holds():
            self._consider_exit(market, now_us)
        if market.entry is not None:
            self._follow_entry(market.entry, now_us)
        elif direction:
            self._hear(market, direction, now_us)

    def on_trade(self, trade: Trade) -> None:
        """Feed the signal."""
        market = self._markets.get(trade.instrument)
        if market is not None:
            market.momentum.on_trade(trade.side, trade.lots, self.desk.now_us())

    def on_order(self, event: Any) -> None:
        """An order is over, or in doubt: it then keeps its place until that is resolved."""
        if isinstance(event, OrderDone):
            self._over(event.client_id, again=event.filled_lots == 0)
        elif isinstance(event, OrderRejected):
            self._counts["rejected"] += 1
            self._over(event.client_id, again=event.again)
        elif isinstance(event, OrderDoubt):
            self._counts["doubts"] += 1
            execution = self.flight.find(event.client_id)
            if execution is not None:
                execution.doubt = True

    def on_fill(self, fill: OrderFilled) -> None:
        """Move the position; a closed one is a trade."""
        market = self._markets.get(fill.instrument)
        if market is None:
            return
        now_us = self.desk.now_us()
        cycler = market.cycler
        was_dust = not market.sellable()
        closed = cycler.fill(fill.side, fill.ticks, fill.lots, now_us)
        market.fees_e10 += fill.fee_e10
        if was_dust and cycler.lots:
            # What was too small to sell does not make the new position old.
            cycler.opened_us = now_us
        if closed is not None:
            self._count_trade(market, closed, now_us)
        elif not market.counted and market.holds():
            market.counted = True
            self.pace.opened(now_us)
        if self.flight.filled(fill.client_id, fill.lots):
            # Filled to the last lot: its end need not be waited for.
            self._over(fill.client_id, again=False)

    def on_timer(self, now_us: int) -> None:
        """Positions age although the book stands still; those that lose leave first."""
        self.flight.mark_late(self.desk.mono_ns())
        due = []
        for market in self._markets.values():
            self._forget_lost(market, now_us)
            if self._stopped:
                continue
            if market.entry is not None:
                self._follow_entry(market.entry, now_us)
            if market.cycler.lots and market.exit is None and self._look(market) \
                    and market.sellable():
                reason = market.cycler.decide(market.bid, market.ask, now_us)
                if reason:
                    due.append((reason, market.instrument.index))
        for _, index in sorted(due):
            self._consider_exit(self._markets[index], now_us)
        if not self._stopped:
            self._serve(now_us)

    def on_stop(self) -> None:
        """Positions stay; the next run takes them over."""
        self._stopped = True

    # -- deciding

    def _look(self, market: ScalperMarket) -> bool:
        book = self.desk.book(market.instrument.index)
        bid, ask = book.best_bid(), book.best_ask()
        if book.trust != BookTrust.TRUSTED or not 0 < bid < ask < _TICKS_MAX:
            return False
        market.bid = bid
        market.ask = ask
        return True

    def _consider_exit(self, market: ScalperMarket, now_us: int) -> None:
        reason = market.cycler.decide(market.bid, market.ask, now_us)
        if reason == ExitReason.NONE or now_us < market.next_exit_us:
            return
        entry = market.entry
        if entry is not None and not entry.doubt:
            if entry.client_id == NO_ORDER:
                self._end_entry(entry)
            else:
                self._withdraw(entry)
                return
        self._settle(market, now_us)
        if not market.holds() or not self.flight.admits_exit():
            return
        held = market.cycler.lots
        lots = market.exit_lots(abs(held))
        side = Side.SELL if held > 0 else Side.BUY
        ticks = market.template.exit_ticks(held < 0, market.bid, market.ask)
        market.exit_reason = reason
        market.next_exit_us = now_us + self._retry_us(market)
        execution = Execution(market, False, -1 if held > 0 else 1, self.desk.mono_ns())
        client_id = self.flight.place(self.desk, execution, side, ticks, lots, rests=False,
                                      ttl_us=self.ttl_us, reason=f"exit {reason.label}")
        if client_id >= 0:
            self._counts["exits"] += 1
            if execution.client_id != NO_ORDER:
                market.exit = execution
            return
        market.failures += 1
        self._counts["denied_exits"] += 1
        if -client_id & _TOO_LARGE:
            # A position larger than one order may be leaves in slices.
            market.exit_lots_max = max(lots // 2, least_lots(market.instrument, ticks))

    def _hear(self, market: ScalperMarket, direction: int, now_us: int) -> None:
        """A signal takes its place in the queue, unless the position still has to go."""
        index = market.instrument.index
        if (direction < 0 and not self.allow_short) or (market.exit is None and market.holds()):
            self.queue.drop(index)
            return
        momentum = market.momentum
        priority = int(momentum.strength * 1000) * self.figures.priority_pct(
            market.instrument.symbol)
        self.queue.put(Signal(index, direction, priority, momentum.until_us, self.desk.mono_ns()))
        self._serve(now_us)

    def _serve(self, now_us: int) -> None:
        """Let the strongest signals enter while there is room."""
        if self._stopped or self.flight.placing:
            return
        while len(self.queue) and self.flight.admits_entry() \
                and self._occupied() < self.max_positions:
            signal = self.queue.take(
                now_us, lambda one: self._markets[one.instrument].quiet()
                and now_us >= self._markets[one.instrument].next_entry_us)
            if signal is None:
                return
            self._enter(self._markets[signal.instrument], signal, now_us)

    def _enter(self, market: ScalperMarket, signal: Signal, now_us: int) -> None:
        if market.turned(signal.direction) or not self._look(market):
            self._counts["turned_signals"] += 1
            return
        if (market.ask - market.bid) * _E6 >= self.spread_max_e6 * market.bid:
            self._counts["wide_spreads"] += 1
            return
        self._settle(market, now_us)
        held = market.cycler.lots
        if held and (market.sellable() or (held > 0) != (signal.direction > 0)):
            return
        if not self.pace.admits(now_us, self.flight.entries):
            self._counts["paced_signals"] += 1
            return
        market.next_entry_us = now_us + self.cooldown_us
        self._send_entry(Execution(market, True, signal.direction, signal.seen_ns), now_us)

    def _send_entry(self, execution: Execution, now_us: int) -> None:
        """Send the first order of an entry, or the next one."""
        market: ScalperMarket = execution.market
        buys = execution.direction > 0
        ticks = market.template.entry_ticks(buys, market.bid, market.ask)
        value, how = self.size.value(self.figures.all.net_e10, self._used_e10())
        lots = market.template.lots(ticks, value)
        if lots == 0:
            self._end_entry(execution)
            market.refused = market.refusal(ticks, value, how)
            market.next_entry_us = now_us + max(self.cooldown_us, _REFUSED_PAUSE_US)
            return
        market.refused = ""
        strength_e3 = int(market.momentum.strength * 1000)
        client_id = self.flight.place(
            self.desk, execution, Side.BUY if buys else Side.SELL, ticks, lots,
            rests=self.post_only, ttl_us=self.ttl_us, reason=f"momentum {strength_e3}")
        if client_id < 0:
            self._counts["denied_entries"] += 1
            if -client_id & _TOO_OFTEN:
                self._counts["rate_denials"] += 1
                market.next_entry_us = now_us + max(self.cooldown_us, _REFUSED_PAUSE_US)
        else:
            self._counts["entries"] += 1
        if client_id < 0 or execution.client_id == NO_ORDER:
            self._end_entry(execution)
            return
        execution.cancel_us = now_us + self.entry_rest_us if self.post_only else 0
        if market.entry is None:
            market.entry = execution
            self.flight.entries += 1

    def _follow_entry(self, entry: Execution, now_us: int) -> None:
        """Send its next order when that is due; take back one that rested for too long."""
        market: ScalperMarket = entry.market
        if entry.client_id == NO_ORDER:
            if market.turned(entry.direction) or not self.flight.in_time(entry,
                                                                         self.desk.mono_ns()):
                self._end_entry(entry)
                self._counts["unfilled_entries"] += 1
            elif now_us >= entry.retry_us and self._look(market):
                self._send_entry(entry, now_us)
        elif entry.cancel_us and (now_us >= entry.cancel_us
                                  or market.momentum.direction == -entry.direction):
            # A signal that only faded is no reason: taking an order back is the dearest of all
            # transactions while the order is young.
            self._withdraw(entry)

    def _withdraw(self, entry: Execution) -> None:
        """Take back an entry that rests; an IOC ends by itself."""
        if entry.cancel_us and not entry.doubt:
            self.desk.cancel(entry.client_id)

    def _end_entry(self, entry: Execution) -> None:
        market: ScalperMarket = entry.market
        if market.entry is entry:
            market.entry = None
            self.flight.entries -= 1

    def _occupied(self) -> int:
        return sum(1 for market in self._markets.values()
                   if market.entry is not None or market.holds())

    def _used_e10(self) -> int:
        """What positions cost, and what the entries in flight may still cost."""
        used = sum(worth_e10(market.instrument, market.cycler.cost2) // 2
                   for market in self._markets.values())
        return used + sum(worth_e10(one.market.instrument, one.open_lots * one.ticks)
                          for one in self.flight if one.entry)

    def _retry_us(self, market: ScalperMarket) -> int:
        return self.exit_retry_us << min(market.failures, _RETRY_DOUBLINGS_MAX)

    # -- orders

    def _over(self, client_id: int, *, again: bool) -> None:
        """An order is over; ``again``: the venue proved that the same one may be tried again."""
        execution = self.flight.over(client_id)
        if execution is None:
            return
        market: ScalperMarket = execution.market
        now_ns, now_us = self.desk.mono_ns(), self.desk.now_us()
        if not execution.cancel_us:
            self.figures.executed(execution.entry, now_ns - execution.began_ns,
                                  now_ns - execution.sent_ns)
        if not execution.entry:
            market.exit = None
            if market.cycler.lots:
                market.failures += 1
                self._counts["unfilled_exits"] += 1
        elif (again and not market.cycler.lots and not execution.doubt and not self.post_only
                and execution.attempts <= self.entry_retries
                and self.flight.in_time(execution, now_ns)):
            execution.retry_us = now_us + backoff_us(execution.attempts)
        else:
            self._end_entry(execution)
            if market.cycler.lots == 0:
                self._counts["unfilled_entries"] += 1
        self._serve(now_us)

    def _forget_lost(self, market: ScalperMarket, now_us: int) -> None:
        """Free an order that the desk no longer has, should its end not have been told."""
        for execution in (market.entry, market.exit):
            if execution is None or execution.client_id == NO_ORDER \
                    or now_us - execution.sent_us < _LOST_AFTER_US:
                continue
            if all(order.client_id != execution.client_id for order in self.desk.open_orders()):
                self._counts["lost_orders"] += 1
                self._over(execution.client_id, again=False)

    def _settle(self, market: ScalperMarket, now_us: int) -> None:
        """The desk's position is the truth: it also knows fills that were not told to us."""
        held = self.desk.position_lots(market.instrument.index)
        if held != market.cycler.lots:
            self._counts["settled_lots"] += abs(market.cycler.settle(held, market.bid, market.ask,
                                                                     now_us))
            market.counted = held != 0

    # -- statistics

    def _count_trade(self, market: ScalperMarket, closed: ClosedTrade, now_us: int) -> None:
        gross_e10 = worth_e10(market.instrument, closed.profit2) // 2
        self.figures.closed(market.instrument.symbol, market.exit_reason, closed, gross_e10,
                            market.fees_e10, now_us)
        self.pace.closed(gross_e10 - market.fees_e10, now_us)
        market.fees_e10 = 0
        market.failures = 0
        market.exit_lots_max = 0
        market.exit_reason = ExitReason.NONE
        market.next_exit_us = 0
        market.counted = market.cycler.lots != 0
        if self.rapid_fire:
            market.next_entry_us = now_us

    def statistics(self) -> dict[str, Any]:
        """Figures of orders, executions, trades and pace, and what they suggest.

        Money is in quote units; ``gross`` is the sum of the closed trades before fees, ``net``
        after them. Adopted positions count from their cost if the desk knows it, else from the
        first mid that was seen (``adopted`` names them and says which).
        """
        # Before trading begins there is no desk to ask.
        now_us = self.desk.now_us() if self._markets else 0
        figures, total = self.figures, self.figures.all
        counted: dict[str, Any] = {
            "trades": total.trades, "wins": total.wins, "gross": total.gross_e10 / 1e10,
            "net": total.net_e10 / 1e10}
        for reason, results in figures.exits.items():
            counted[f"exit_{reason.label}"] = results.trades
        counted["held_min_us"] = max(0, figures.held_min_us)
        counted["held_max_us"] = figures.held_max_us
        counted["held_mean_us"] = total.held_us // total.trades if total.trades else 0
        counted.update(self._counts)
        counted.update(expired_signals=self.queue.expired, queued_most=self.queue.most,
                       orders_most=self.flight.most, retries=self.flight.retries,
                       late_orders=self.flight.late)
        # The desk's word counts: a human may have closed what the cycler still remembers.
        counted["open_positions"] = sum(1 for index, m in self._markets.items() if m.cycler.lots
                                        and self.desk.position_lots(index))
        counted["adopted"] = "; ".join(
            m.adopted_text() for m in self._markets.values() if m.adopted)
        counted["refused"] = "; ".join(m.refused for m in self._markets.values() if m.refused)
        counted["last_denial"] = self.flight.last_denial
        if self.pace.target_day:
            counted["pace"] = self.pace.content(now_us)
            counted["throttled"] = self.pace.text(now_us)
        counted.update(figures.content(now_us))
        counted["hints"] = [*figures.hints(self._counts, self.flight.late, self.post_only),
                            *self.pace.hints(self._counts["paced_signals"], now_us)]
        return counted
