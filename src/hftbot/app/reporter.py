"""Beside the path: progress lines, latency reports, status file, database rows, the summary."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

from hftbot.app.fees import base_rates
from hftbot.config.schema import Settings
from hftbot.engine.guard import HALTED, STATE_NAMES
from hftbot.engine.reconcile import Reconciliation
from hftbot.engine.recover import KIND_END_TEXT, end_text, end_text_parse
from hftbot.errors import StoreError
from hftbot.live.flatten import Leaving
from hftbot.live.session import Session
from hftbot.live.world import World
from hftbot.timing import latency_report
from hftbot.watch import reconciliation, report, status
from hftbot.watch.base_fees import BaseFees
from hftbot.watch.latency_log import LatencyLog
from hftbot.watch.logs import stamp
from hftbot.watch.markouts import Markouts
from hftbot.watch.redaction import Redactor
from hftbot.words.fill import Fill
from hftbot.words.instrument import Instrument
from hftbot.words.market import Side
from hftbot.words.order import OPERATOR, OPERATOR_NAME, OrderState, Tif, client_id_parts
from hftbot.words.ports import Store, Strategy

STATUS_US = 1_000_000
LAST_REPORT_US = 1_000_000
SLOW_NS = 5_000_000
TICKS_MAX = 1 << 60
POST_ONLY = "post only"


class Reporter:
    """Watches one session and tells people. Its ``on_fill`` and ``on_done`` are the engine's
    observers; ``tick`` is called from the session's timer.

    ``say`` prints a line for the user; with --json it goes to standard error. What a venue or a
    strategy says goes through ``redactor`` before it is kept or shown.
    """

    def __init__(self, settings: Settings, mode: str, session: Session, store: Store,
                 state_dir: Path, say: Callable[[str], None], redactor: Redactor) -> None:
        self.settings = settings
        self.mode = mode
        self.session = session
        self.world: World = session.world
        self.store = store
        self.state_dir = state_dir
        self.account: dict[str, object] = {}
        self.leaving: Leaving | None = None
        self.markouts = Markouts()
        self.base_fees = BaseFees(base_rates)
        # What the log alone needs to know; a screen shows the same in its own way.
        self.routine: Callable[[str], None] = self.world.notes.info
        # For lines that come again and again; a screen has no room for them.
        self.chat = say
        self._redactor = redactor
        self._say = say
        self._start_us = self.world.clock.now_us()
        self._start_ns = self.world.clock.mono_ns()
        self._next_status_us = 0
        self._next_progress_us = self._start_us + settings.progress_interval_us
        self._next_report_us = self._start_us + settings.report_interval_us
        self._strategies = {OPERATOR: OPERATOR_NAME} | {
            index + 1: strategy.name for index, (strategy, _) in enumerate(
                self.world.engine.voices)}
        self._found = session.reconciler.report
        self._slow_seen = 0
        self._blind = self._lossy = False
        self._latency_log = LatencyLog(state_dir / status.LATENCY_LOG, self.world.trackers,
                                       self._start_us)

    # --- observers -----------------------------------------------------------------------------

    def on_fill(self, fill: Fill, grid: Instrument, bid: int, ask: int) -> None:
        """One execution of ours."""
        price, size = grid.price(fill.ticks), grid.qty(fill.lots)
        # An empty side shows 0 for bids and the largest integer for asks.
        mid = grid.price(bid + ask) / 2 if bid and ask <= TICKS_MAX else 0.0
        self.markouts.add_fill(fill.instrument, fill.side, price, size, mid, fill.seen_us)
        self.base_fees.add_fill(grid.symbol, price * size, fill.maker)
        owner = self._strategies.get(client_id_parts(fill.client_id).strategy, "")
        side = Side(fill.side).name
        self.store.fill({
            "ts": fill.seen_us, "symbol": grid.symbol, "side": side.lower(), "size": size,
            "price": price, "fee": fill.fee_e10 / 1e10, "client_id": str(fill.client_id),
            "fill_id": fill.fill_id, "venue": grid.venue, "maker": int(fill.maker),
            "strategy": owner})
        wait_us = fill.seen_us - fill.ts_us
        self.routine(
            f"fill {side} {grid.qty_text(fill.lots)} {grid.symbol} at "
            f"{grid.price_text(fill.ticks)} latency {wait_us}µs "
            f"(order {fill.client_id}, fill {fill.fill_id})")

    def on_done(self, client_id: int, state: OrderState, reason: str, ts_us: int) -> None:
        """An order of ours is over."""
        table = self.world.engine.table
        handle = table.find(client_id)
        grid = self.world.instruments[table.instrument(handle)]
        intent = self.world.engine.rows.reasons.get(client_id, "")
        text = end_text(client_id, self.world.clock.now_us(),
                        self._redactor(reason) if reason else "",
                        self._redactor(intent) if intent else "")
        # What the rows of the journal have no room for. If it is full, the next row will say so.
        self.world.journal.append(KIND_END_TEXT, text)
        end = end_text_parse(text)
        self.store.order({
            "ts": table.created_us(handle), "done_ts": end.ended_us,
            "client_id": str(client_id), "symbol": grid.symbol,
            "side": Side(table.side(handle)).name.lower(),
            "size": grid.qty(table.lots(handle)), "price": grid.price(table.ticks(handle)),
            "filled": grid.qty(table.filled_lots(handle)), "state": OrderState(state).name.lower(),
            "reason": end.reason, "venue": grid.venue,
            "tif": Tif(table.tif(handle)).name.lower(),
            "intent": end.intent or None,
            "strategy": self._strategies.get(table.strategy(handle), "")})
        if POST_ONLY in reason.lower() and state != OrderState.REJECTED:
            self.world.engine.refusals.add(client_id, reason, self.world.clock.mono_ns())
        if POST_ONLY in reason.lower() or state == OrderState.REJECTED:
            # The engine tells it, and a burst of it in one line.
            return
        self.routine(
            f"order {client_id} {OrderState(state).name} {reason}".rstrip()
            + f"; queue: {len(self.world.engine.rows.open_handles())} orders open")

    def reconciled(self, found: Reconciliation) -> None:
        """How the account was found, before trading begins."""
        self._found = found
        if found.history:
            lines = reconciliation.lines(found, self.world.instruments,
                                         self.world.ledger.balances_e10)
            self._say("\n".join(lines))
            for line in lines:
                self.world.notes.info(line)

    # --- while it runs -------------------------------------------------------------------------

    def tick(self, now_us: int) -> None:
        """Called every LOOP_INTERVAL_MS; does what is due."""
        for index, book in enumerate(self.world.engine.books):
            if book.has_bid() and book.has_ask():
                grid = self.world.instruments[index]
                mid = (grid.price(book.best_bid()) + grid.price(book.best_ask())) / 2
                self.markouts.on_mid(index, mid, now_us)
        if now_us >= self._next_status_us:
            self._next_status_us = now_us + STATUS_US
            self._write_status("running")
            self._warn_if_slow()
            self._warn_of_loss()
        if now_us >= self._next_progress_us:
            self._next_progress_us = now_us + self.settings.progress_interval_us
            latency = self.world.trackers.statistics()
            line = report.progress_line(now_us, self.totals(), self._tops(), latency)
            self.chat(line)
            self.routine(line)
        if now_us >= self._next_report_us and not self._nearly_over(now_us):
            self._next_report_us = now_us + self.settings.report_interval_us
            self.chat(self._report_latency(now_us))

    def _nearly_over(self, now_us: int) -> bool:
        """True if the report at the end of the run is about to be printed anyway."""
        ends_us = self.session.ends_us
        return ends_us is not None and now_us >= ends_us - LAST_REPORT_US

    def _report_latency(self, now_us: int) -> str:
        """Write the latencies to the log and to latency.hlog; the report as text."""
        latency = self.world.trackers.statistics()
        for name, row in latency.items():
            if row["count"]:
                self.routine(
                    f"latency {name} p50 {row['p50_us']:.2f}µs p95 {row['p95_us']:.2f}µs "
                    f"p99 {row['p99_us']:.2f}µs max {row['max_us']:.2f}µs")
        self._latency_log.append(now_us)
        return latency_report(latency)

    def _warn_if_slow(self) -> None:
        slowest_ns = self.world.trackers.get("loop_iteration").max
        if slowest_ns > max(SLOW_NS, self._slow_seen):
            self._slow_seen = slowest_ns
            self.world.notes.warn(f"slow loop: elapsed {slowest_ns / 1000:,.0f}µs in one turn")

    def _warn_of_loss(self) -> None:
        loss = self.store.loss()
        if loss and not self._lossy:
            self._lossy = True
            self.world.notes.warn(loss)

    def _tops(self) -> list[tuple[str, str, str]]:
        rows = []
        for grid, book in zip(self.world.instruments, self.world.engine.books, strict=True):
            if book.has_bid() and book.has_ask():
                rows.append((grid.symbol, grid.price_text(book.best_bid()),
                             grid.price_text(book.best_ask())))
        return rows

    def content(self, state: str = "") -> dict[str, Any]:
        """What status.json says, as of now; ``state`` empty: running, or stopping once asked."""
        totals = self.totals()
        guard = self.world.guard
        now_us = self.world.clock.now_us()
        if not state:
            state = "stopping" if self.session.stop_asked.is_set() else "running"
        return {
            "pid": os.getpid(), "updated_us": now_us, "state": state, "mode": totals.mode,
            "guard": STATE_NAMES[guard.state] + (f": {guard.reason}" if guard.reason else ""),
            "breaker": self.world.router.breaker.text(),
            "symbols": [grid.symbol for grid in self.world.instruments],
            "duration_s": totals.duration_s, "orders_sent": totals.orders_sent,
            "fills": totals.fills, "rejects": totals.rejects, "doubts": totals.doubts,
            "open_orders": totals.open_orders, "wakes_skipped": self.world.engine.wakes_skipped,
            "positions": [{"symbol": line.symbol, "size": line.size} for line in totals.positions],
            "pnl_usd": totals.pnl_usd, "fees_usd": totals.fees_usd,
            **self.account, "limits": self.session.limits_left(),
            "links": self._links(), "strategy": totals.strategy,
            "latency": self.world.trackers.statistics()}

    def _write_status(self, state: str) -> None:
        content = self.content(state)
        if state == "stopped":
            content["verified_none_open"] = self.session.open_at_exit == 0
        try:
            status.write(self.state_dir / status.STATUS_FILE, self._redactor.tree(content))
            self._blind = False
        except StoreError as error:
            # A full disk must not end trading; the journal has its own say.
            if not self._blind:
                self.world.notes.warn(str(error))
            self._blind = True

    def _links(self) -> dict[str, dict[str, object]]:
        """Whether each connection lives: any frame is a sign of life, however quiet the market."""
        now_ns = self.world.clock.mono_ns()
        return {name: {"up": wire is not None, "silent_s": None if wire is None else
                       round((now_ns - getattr(wire, "last_recv_ns", now_ns)) / 1e9, 3)}
                for name, wire in self.session.wires().items()}

    # --- figures -------------------------------------------------------------------------------

    def totals(self, deep: bool = True) -> report.Totals:
        """Counts and money so far; ``deep`` with what strategies say, which may take a while."""
        engine, session = self.world.engine, self.session
        realised = unrealised = 0.0
        lines = []
        for index, (grid, book) in enumerate(zip(self.world.instruments, engine.books,
                                                 strict=True)):
            position = engine.ledger.positions[index]
            realised += grid.worth(position.realised)
            if not position.lots:
                continue
            mid = self.world.mid(index, book)
            average = grid.price(position.cost) / position.lots
            open_profit = grid.qty(position.lots) * (mid - average) if mid else 0.0
            unrealised += open_profit
            lines.append(report.PositionLine(grid.symbol, grid.qty(position.lots), average, mid,
                                             open_profit))
        open_orders, ended = session.open_at_exit, session.stop_reason
        if open_orders is None:
            open_orders = len(engine.rows.open_handles())
            if session.drained:
                ended += ("; the account was never seen, no order was sent" if session.verified else
                          "; the venue could not be asked whether orders are open")
        guard, sent = self.world.guard, engine.router.orders_sent
        dry = self.mode == report.MODE_DRY
        return report.Totals(
            mode=self.mode, venues=("kraken",),
            duration_s=(self.world.clock.mono_ns() - self._start_ns) / 1e9,
            orders_sent=0 if dry else sent, dry=sent if dry else 0, fills=engine.ledger.fills,
            rejects=engine.rejects, doubts=engine.doubts, denied=dict(engine.rows.denials),
            positions=tuple(lines), realised_usd=realised, unrealised_usd=unrealised,
            fees_usd=engine.ledger.fees(), base_fees_usd=self.base_fees.fees_usd,
            open_orders=open_orders,
            closed=self.leaving.lines() if self.leaving else (),
            halted=guard.reason if guard.state == HALTED else "", ended=ended,
            strategy={strategy.name: _said(strategy)
                      for strategy, _ in engine.voices if deep})

    def _silent(self, totals: report.Totals) -> report.Totals:
        """The totals, and no secret in what a venue or a strategy said."""
        return replace(totals, halted=self._redactor(totals.halted),
                       ended=self._redactor(totals.ended),
                       strategy=self._redactor.tree(totals.strategy))

    def finish(self, files: Sequence[str], json_wanted: bool, out: TextIO = sys.stdout) -> None:
        """The end of the run: last report, summary or JSON."""
        now_us = self.world.clock.now_us()
        self.world.engine.refusals.tell_all(self.world.clock.mono_ns())
        totals = self._silent(self.totals())
        self._say(self._report_latency(now_us))
        self._latency_log.close(now_us)
        self._write_status("stopped")
        markouts = self.markouts.results()
        text = report.summary(totals, markouts, files)
        self._say(text)
        loss = self.store.loss()
        if loss:
            self._say(loss)
        self.world.notes.info(f"stopped at {stamp(now_us)}: {totals.ended}; "
                              f"{totals.orders_sent} orders, {totals.fills} fills, "
                              f"pnl {totals.pnl_usd:+.6f}")
        if json_wanted:
            extra = {"orders_dry": totals.dry, "closed": list(totals.closed),
                     "ended": totals.ended, "denied": dict(totals.denied),
                     "verified_none_open": self.session.open_at_exit == 0,
                     "base_fees_usd": totals.base_fees_usd,
                     "pnl_usd_at_base_fees": totals.pnl_usd_at_base_fees,
                     "wakes": self.world.engine.wakes,
                     "wakes_skipped": self.world.engine.wakes_skipped,
                     "frames": self.world.feed.statistics(),
                     "private_frames": self.world.gateway.statistics(), "strategy": totals.strategy,
                     "reconciliation": reconciliation.content(self._found,
                                                              self.world.instruments),
                     "markouts": [{"horizon_s": row.horizon_s, "count": row.count,
                                   "bps_mean": row.bps_mean, "quote_mean": row.quote_mean}
                                  for row in markouts]}
            print(report.run_json(totals, self.world.trackers.statistics(), extra), file=out)


def _said(strategy: Strategy) -> dict[str, Any]:
    """A strategy's own figures. One that cannot tell them, or not yet, must not end the run."""
    try:
        return strategy.statistics()
    except Exception as error:
        return {"statistics": f"raised {type(error).__name__}: {error}"}
