"""What the live view of a run shows, as one JSON object: the answer to ``view``."""

from __future__ import annotations

import os
from collections import deque
from itertools import islice
from typing import Any

from hftbot import __version__
from hftbot.app.reporter import TICKS_MAX, Reporter
from hftbot.engine.breaker import CLOSED
from hftbot.engine.desk import open_order
from hftbot.engine.guard import STATE_NAMES
from hftbot.live.control import Clean
from hftbot.live.session import Session
from hftbot.watch import report
from hftbot.watch.recent import RecentNotes
from hftbot.watch.redaction import Redactor
from hftbot.words.events import E10
from hftbot.words.fill import Fill
from hftbot.words.instrument import Instrument
from hftbot.words.market import BookTrust, Side, VenueMode
from hftbot.words.order import OrderState, client_id_parts

ORDERS_SHOWN = 40
FILLS_SHOWN = 40
LINES_SHOWN = 60
# Percentiles and what strategies count cost more than all the rest; nobody reads them faster.
DEEP_US = 1_000_000


class View:
    """Looks at one session from beside the path; built on the trading loop, so it stays cheap.

    An engine observer: it remembers the last fills and refusals. ``content`` is the answer.
    """

    def __init__(self, session: Session, reporter: Reporter, recent: RecentNotes,
                 redact: Redactor) -> None:
        self._session = session
        self._reporter = reporter
        self._recent = recent
        self._redact = redact
        self._facts = {"pid": os.getpid(), "version": __version__,
                       "run": session.world.table.run,
                       "mode": reporter.mode, "venue": "kraken"}
        self._fills: deque[dict[str, Any]] = deque(maxlen=FILLS_SHOWN)
        self._market_fills = [0] * len(session.world.instruments)
        self._latency: dict[str, dict[str, float]] = {}
        self._strategy: Any = {}
        self._deep_us = 0

    # --- observer ------------------------------------------------------------------------------

    def on_fill(self, fill: Fill, grid: Instrument, bid: int, ask: int) -> None:
        """One execution of ours."""
        self._market_fills[fill.instrument] += 1
        self._fills.append({
            "ts_us": fill.seen_us, "symbol": grid.symbol, "side": Side(fill.side).name,
            "size": grid.qty_text(fill.lots), "price": grid.price_text(fill.ticks),
            "fee": fill.fee_e10 / E10, "maker": bool(fill.maker),
            "wait_us": fill.seen_us - fill.ts_us})

    def on_done(self, client_id: int, state: OrderState, reason: str, ts_us: int) -> None:
        """The log has every end of an order; what the venue refused was noted by the engine."""

    # --- the answer ----------------------------------------------------------------------------

    def content(self) -> Clean:
        """Everything that a screen needs. Money in quote units, times in us, prices as texts."""
        session, world = self._session, self._session.world
        now_us, now_ns = world.clock.now_us(), world.clock.mono_ns()
        deep = now_us - self._deep_us >= DEEP_US
        engine, guard, totals = world.engine, world.guard, self._reporter.totals(deep)
        if deep:
            self._deep_us = now_us
            self._latency = world.trackers.statistics()
            self._strategy = self._redact.tree(totals.strategy)
        breaker = world.router.breaker
        orders = self._orders(now_us)
        return Clean({
            **self._facts, "now_us": now_us, "duration_s": totals.duration_s,
            "state": self._state(), "stop_reason": self._redact(session.stop_reason),
            "guard": STATE_NAMES[guard.state], "guard_reason": self._redact(guard.reason),
            "sticky": guard.sticky, "guarded": session.guarded,
            "breaker": "" if breaker.state == CLOSED else self._redact(breaker.text()),
            "venue_mode": VenueMode(guard.mode).name, "blind": engine.blind,
            "doubtful": session.reconciler.doubtful, "disabled": list(engine.disabled),
            "missing": session.missing() if not engine.trading else "",
            "feed_age_us": self._feed_age_us(now_ns),
            "markets": self._markets(now_ns, orders), "orders": orders[:ORDERS_SHOWN],
            "open_orders": len(orders),
            "realised_usd": totals.realised_usd, "unrealised_usd": totals.unrealised_usd,
            "fees_usd": totals.fees_usd, "net_usd": totals.pnl_usd,
            "net_at_base_fees_usd": totals.pnl_usd_at_base_fees
            if report.pays_less(totals) else None,
            "loss_today_usd": guard.account.loss_e10 / E10, "loss_max_usd": guard.loss_day_max,
            "balances": {asset: amount / E10 for asset, amount
                         in islice(world.ledger.balances_e10.items(), 12)},
            "orders_sent": totals.orders_sent, "fills": totals.fills, "rejects": totals.rejects,
            "doubts": totals.doubts, "denied": dict(totals.denied), "frames": world.feed.frames,
            "latency": self._latency, "limits": session.limits_left(),
            "strategy": self._strategy, "fills_last": list(self._fills),
            "events": list(islice(reversed(self._recent.rows), LINES_SHOWN))})

    def _state(self) -> str:
        if self._session.stop_asked.is_set():
            return "stopping"
        return "trading" if self._session.engine.trading else "starting"

    def _feed_age_us(self, now_ns: int) -> int | None:
        seen_ns = self._session.feed.last_seen_ns
        return max(0, now_ns - seen_ns) // 1000 if seen_ns else None

    def _orders(self, now_us: int) -> list[dict[str, Any]]:
        world = self._session.world
        rows = []
        for handle in world.engine.rows.held_handles():
            order = open_order(world.table, handle)
            grid = world.instruments[order.instrument]
            rows.append({
                "id": order.client_id, "symbol": grid.symbol, "side": Side(order.side).name,
                "ticks": order.ticks, "price": grid.price_text(order.ticks),
                "size": grid.qty_text(order.lots), "filled": grid.qty_text(order.filled_lots),
                "tif": order.tif.name, "state": order.state.name,
                "age_us": max(0, now_us - order.created_us),
                "own": bool(client_id_parts(order.client_id).strategy)})
        return rows

    def _markets(self, now_ns: int, orders: list[dict[str, Any]]) -> list[dict[str, Any]]:
        world = self._session.world
        rows = []
        for index, (grid, book) in enumerate(zip(world.instruments, world.engine.books,
                                                 strict=True)):
            position = world.ledger.positions[index]
            mid = world.mid(index, book)
            lots = position.lots
            average = grid.price(position.cost) / lots if lots else 0.0
            bid, ask = book.best_bid(), book.best_ask()
            row = {"symbol": grid.symbol, "quote": grid.quote, "trust": BookTrust(book.trust).name,
                   "age_us": max(0, now_ns - book.recv_ns) // 1000 if book.recv_ns else None,
                   "position": grid.qty_text(lots) if lots else "", "average": average,
                   "decimals": grid.price_precision,
                   "unrealised": grid.qty(lots) * (mid - average) if mid else 0.0,
                   "realised": grid.worth(position.realised),
                   "fills": self._market_fills[index]}
            if bid:
                row.update(bid=grid.price_text(bid), bid_size=grid.qty_text(book.best_bid_lots()))
            if ask <= TICKS_MAX:
                row.update(ask=grid.price_text(ask), ask_size=grid.qty_text(book.best_ask_lots()))
            if mid:
                row["spread_bps"] = 2e4 * (ask - bid) / (ask + bid)
            quotes = [order for order in orders if order["symbol"] == grid.symbol
                      and order["own"] and order["tif"] not in ("IOC", "FOK")]
            for side, best in (("BUY", max), ("SELL", min)):
                prices = [order for order in quotes if order["side"] == side]
                if prices:
                    row[f"quote_{side.lower()}"] = best(
                        prices, key=lambda order: order["ticks"])["price"]
            rows.append(row)
        return rows
