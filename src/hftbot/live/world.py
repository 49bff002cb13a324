"""Builds the rooms of one run and ties them together; no socket and no loop yet."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from fastcore.codec.kraken import KrakenDecoder
from fastcore.codec.text import KrakenOrderText
from fastcore.lane.desk import LaneDesk
from fastcore.lane.lane import Lane
from fastcore.market.book import OrderBook
from fastcore.market.checksum import KrakenChecksum
from fastcore.market.fair import FairPrice
from fastcore.money.exposure import Exposure
from fastcore.money.orders import OrderTable
from fastcore.money.position import Position
from fastcore.money.risk import AccountRisk, RiskGate
from fastcore.money.throttle import POINT, MinuteWindow
from fastcore.probe.trackers import Trackers
from hftbot.config.schema import Settings
from hftbot.engine.breaker import Breaker
from hftbot.engine.desk import OrderBookkeeping
from hftbot.engine.engine import Engine
from hftbot.engine.guard import HALTED, Guard
from hftbot.engine.hours import TradingHours
from hftbot.engine.ledger import Ledger, opened_us
from hftbot.engine.limits import BlindLimit, LatencyLimit
from hftbot.engine.reconcile import PositionDiffered
from hftbot.engine.router import CancelBatches, Router
from hftbot.errors import ConfigError
from hftbot.venue.kraken import requests, rules
from hftbot.venue.kraken.calls import BATCH_CANCEL
from hftbot.venue.kraken.feed import Feed
from hftbot.venue.kraken.gateway import Gateway
from hftbot.venue.kraken.level3 import Level3Feed
from hftbot.venue.kraken.limits import Limits
from hftbot.venue.kraken.summaries import Summaries
from hftbot.venue.kraken.views import MarketViews
from hftbot.words.events import E10
from hftbot.words.instrument import Instrument
from hftbot.words.ports import Clock, Notes, Strategy
from hftbot.words.secret import Secret

# Ticks a book holds without searching; a deep one is wider.
WIDTH, WIDTH_DEEP, DEEP = 4096, 65_536, 100
ROWS = 1024
CANCEL_SHARE = 4


class World:
    """All rooms of one run on one venue.

    The private parts of lanes and desks belong to fastcore; everybody else asks here.
    """

    def __init__(self, settings: Settings, instruments: Sequence[Instrument], clock: Clock,
                 notes: Notes, journal: Any, run: int, trackers: Any = None) -> None:
        self.settings = settings
        self.instruments = tuple(instruments)
        self.clock = clock
        self.notes = notes
        self.journal = journal
        self.trackers = Trackers() if trackers is None else trackers
        self.decoder = KrakenDecoder()
        self.table = OrderTable(ROWS)
        self.table.set_run(run)
        self.account = _account(settings)
        self.limits = Limits([grid.symbol for grid in self.instruments], ROWS,
                             settings.kraken_tier, clock, self.account.messages)
        self.on_halt: Callable[[], None] = lambda: None
        self.texts: list[Any] = []
        self.lanes: list[Any] = []
        self.desks: list[Any] = []
        for grid in self.instruments:
            self._add(grid)
        positions = [desk.position for desk in self.desks]
        self.ledger = Ledger(self.instruments, positions)
        self.ledger.leave_others = settings.venue == "live" and settings.holdings == "leave"
        self.gateway = Gateway(self.instruments, clock)
        self.gateway.on_answer = self.limits.trading.answered
        self.gateway.reports.on_count = self._count_told
        self.gateway.reports.booked = self.ledger.knows
        self.feed = Feed(self.instruments, self.lanes, int(settings.book_depth),
                         settings.book_quiet_us * 1000, _summaries(settings, self.instruments))
        self.level3 = _level3(settings, self.instruments)
        self.gates = [desk.gate for desk in self.desks]
        self.router = Router(clock, self.table, self.desks, self.ledger, self._sent,
                             Breaker(settings.breaker_failures,
                                     settings.breaker_cooldown_us * 1000))
        self.router.batches = CancelBatches(self._batch_frame, self._batch_sent)
        self.guard = Guard(self.account, self.gates, float(settings.loss_usd_day_max),
                           self._guard_moved,
                           LatencyLimit(settings.kill_latency_us,
                                        settings.kill_latency_after_us * 1000),
                           BlindLimit(settings.blind_max_us * 1000))
        # Of each market frame: the guard hears of it without a call in between.
        self.link_seen = self.guard.link_seen
        self.engine = Engine(clock, self.lanes, self.desks, OrderBookkeeping(self.table),
                             self.guard, self.router, self.ledger, notes, self.trackers,
                             settings.quote_refresh_ttl_us)
        self.engine.views = MarketViews(self.feed.summaries, self.level3, self.gateway.reports)
        self.engine.is_failure = rules.is_failure
        self.engine.forbids = rules.forbids
        self.engine.hours.hours = TradingHours(settings.trading_hours)

    def _add(self, grid: Instrument) -> None:
        """The hot half of one instrument."""
        self.decoder.add_symbol(grid.symbol.encode(), grid.price_precision, grid.qty_precision,
                                grid.tick_units, grid.lot_units)
        depth = int(self.settings.book_depth)
        book = OrderBook(grid.index, depth, WIDTH_DEEP if depth > DEEP else WIDTH)
        checksum = KrakenChecksum(grid.tick_units, grid.lot_units)
        self.lanes.append(Lane(grid.index, self.decoder, book, checksum, FairPrice(),
                               self.trackers))
        text = KrakenOrderText(grid.symbol.encode(), grid.price_precision, grid.qty_precision,
                               grid.tick_units, grid.lot_units)
        position = Position(grid.index)
        gate = _gate(grid, self.account, position, self.settings)
        desk = LaneDesk(grid.index, self.table, gate, self.account, position, book, text,
                        self.journal, self.limits.trading, self.trackers)
        desk.deadline_us = self.settings.order_deadline_us
        self.texts.append(text)
        self.desks.append(desk)

    def add_strategy(self, strategy: Strategy) -> None:
        """Give a strategy a voice. Call before the session runs."""
        self.engine.add(strategy)

    def set_token(self, token: Secret) -> None:
        """The venue gave a new token: order texts carry it from now on."""
        for text in self.texts:
            text.set_token(token.reveal().encode())

    def refresh_limits(self) -> None:
        """Position limits follow the price."""
        self.guard.refresh_limits(self.ledger, self.engine.books,
                                  float(self.settings.position_usd_max))

    def use_journal(self, journal: Any) -> None:
        """Go on in another journal, between two appends. Raises ValueError for None."""
        if journal is None:
            raise ValueError("nothing can be traded without a journal")
        self.journal = journal
        for desk in self.desks:
            desk.journal = journal

    def mid(self, index: int, book: Any) -> float:
        """Mid price in quote units, 0 if a side is empty."""
        if not (book.has_bid() and book.has_ask()):
            return 0.0
        return self.instruments[index].price(book.best_bid() + book.best_ask()) / 2

    def spend_cancel(self, instrument: int) -> bool:
        """Take one message for a cancel that no desk sends. False if the minute is used up."""
        now_ns = self.clock.mono_ns()
        if not self.account.messages.take(1, now_ns, True):
            return False
        self.count_cancel(instrument, -1)
        return True

    def _batch_frame(self, client_ids: Sequence[int], request: int) -> bytes:
        return requests.batch_cancel(self.gateway.token, request, client_ids)

    def _batch_sent(self, request: int, client_ids: Sequence[int], now_ns: int) -> None:
        self.gateway.note_batch(request, client_ids, BATCH_CANCEL, now_ns)

    def _count_told(self, instrument: int, points: int) -> None:
        """The venue's own count: follow it if somebody else trades on the account."""
        self.limits.trading.told(instrument, points * POINT, self.clock.mono_ns())

    def threshold_told(self) -> None:
        """The trading link told the account's threshold: keep to it."""
        points = self.gateway.rate_threshold
        if self.limits.told(points):
            self.notes.info(f"the account's tier is {self.limits.tier.name}: {points} points a "
                            "pair")
        self.limits.begin()

    def count_cancel(self, instrument: int, handle: int) -> None:
        """The venue counts a cancel that no desk sent; -1 for an order without a row."""
        counter, now_ns = self.limits.trading, self.clock.mono_ns()
        counter.spend(instrument, counter.cancel_cost(handle, now_ns), 0, now_ns)

    def request_id(self) -> int:
        """An id for a request that is about no order of ours."""
        return int(self.table.next_request())

    def position_differences(self) -> list[tuple[int, int, int]]:
        """(instrument, its lots here, and as the venue's balance has them) where they differ.

        What instruments of one base asset hold counts together; the first one has to answer. An
        asset that others are paid with moves without a position: it is not compared.
        """
        quotes = {grid.quote for grid in self.instruments}
        return [row for row in self.positions_told()
                if row[1] != row[2] and self.instruments[row[0]].base not in quotes]

    def positions_told(self) -> list[tuple[int, int, int]]:
        """The same for every base asset whose balance was told, equal or not, compared or not."""
        told = ((index, self.ledger.position_lots(index), self._venue_lots(index))
                for index in self._first_of_base())
        return [(index, lots, wanted) for index, lots, wanted in told if wanted is not None]

    def _first_of_base(self) -> list[int]:
        first: dict[str, int] = {}
        for grid in self.instruments:
            first.setdefault(grid.base, grid.index)
        return list(first.values())

    def _venue_lots(self, index: int) -> int | None:
        """What this instrument holds if the balance is right and its sisters are."""
        base = self.instruments[index].base
        amount_e10 = self.ledger.own_e10(base)
        if amount_e10 is None:
            return None
        for grid in self.instruments:
            if grid.base == base and grid.index != index:
                amount_e10 -= self.ledger.position_lots(grid.index) * _lot_e10(grid)
        return amount_e10 // _lot_e10(self.instruments[index])

    def adopt_positions(self) -> list[PositionDiffered]:
        """Make the positions what the venue's balances are; more lots come in at the mid of now.

        For an account that only this bot uses. Fewer lots leave at their average cost.
        """
        events = []
        now_us = self.clock.now_us()
        for index, lots, wanted in self.positions_told():
            book, grid = self.engine.books[index], self.instruments[index]
            if lots == wanted or not (book.has_bid() and book.has_ask()):
                continue
            ticks = (book.best_bid() + book.best_ask()) // 2
            cost = _cost(lots, self.ledger.positions[index].cost, wanted, ticks)
            since_us = opened_us(lots, wanted, self.ledger.opened_us[index], now_us)
            self.desks[index].adopt_position(wanted, cost, now_us, since_us)
            self.ledger.opened_us[index] = since_us
            events.append(PositionDiffered(index, lots, wanted, True, now_us))
            self.notes.info(f"{grid.symbol}: adopted {grid.qty_text(wanted)} held at the venue "
                            f"(we knew of {grid.qty_text(lots)}), valued at "
                            f"{grid.price_text(ticks)}")
        return events

    def set_aside(self) -> list[str]:
        """What the venue's balances have beyond our positions is not ours. Returns sentences.

        For an account that others use too: before ``adopt_positions``, which then takes over no
        lots that this bot did not buy.
        """
        said = []
        for index, lots, wanted in self.positions_told():
            grid = self.instruments[index]
            if wanted > lots:
                extra_e10 = (wanted - lots) * _lot_e10(grid)
                self.ledger.aside_e10[grid.base] = extra_e10
                said.append(f"{grid.qty_text(wanted - lots)} {grid.base} on the account are not "
                            "this bot's: never counted, never sold (HOLDINGS=leave)")
        self.guard.refresh_funds(self.ledger)
        return said

    def _sent(self, what: str, client_id: int, now_ns: int) -> None:
        self.gateway.note_sent(self.table.request, client_id, what, now_ns)

    def _guard_moved(self, state: int, reason: str) -> None:
        self.engine.on_guard_state(state, reason)
        if state == HALTED:
            self.on_halt()


def _summaries(settings: Settings, instruments: Sequence[Instrument]) -> Summaries:
    """The tickers and candles that the run asks for."""
    trigger = "" if settings.ticker == "off" else settings.ticker
    return Summaries(instruments, trigger, 0 if settings.candles == "off"
                     else int(settings.candles))


def _level3(settings: Settings, instruments: Sequence[Instrument]) -> Level3Feed | None:
    """The book order by order, if the run asks for it. Raises ConfigError if it is too much."""
    if settings.level3_depth == "off":
        return None
    try:
        return Level3Feed(instruments, int(settings.level3_depth))
    except ValueError as error:
        raise ConfigError(f"LEVEL3_DEPTH={settings.level3_depth}: {error}") from None


def _lot_e10(grid: Instrument) -> int:
    size: int = grid.lot_units * E10 // 10**grid.qty_precision
    return size


def _cost(lots: int, cost: int, wanted: int, ticks: int) -> int:
    """What ``wanted`` lots cost, after ``lots`` cost ``cost``, at a price of now for the rest."""
    if lots == 0 or wanted == 0 or (lots > 0) != (wanted > 0):
        return wanted * ticks
    if abs(wanted) > abs(lots):
        return cost + (wanted - lots) * ticks
    return cost * wanted // lots


def _account(settings: Settings) -> Any:
    rate = settings.max_orders_per_min
    messages = MinuteWindow(rate, max(1, rate // CANCEL_SHARE))
    account = AccountRisk(messages=messages)
    account.gross_e10_max = _e10(settings.gross_usd_max)
    account.loss_e10_max = _e10(settings.loss_usd_day_max)
    account.open_orders_max = settings.open_orders_max
    account.fills_in_row_max = settings.fills_in_row_max
    account.ready = 0
    return account


def _gate(grid: Instrument, account: Any, position: Any, settings: Settings) -> Any:
    """Limits of one instrument, from money to tick-lots."""
    tick_lot = Decimal(grid.tick_units * grid.lot_units).scaleb(-grid.value_exponent)
    unit = grid.tick_units * grid.lot_units * E10
    scale: int = 10**grid.value_exponent
    shared = math.gcd(unit, scale)
    gate = RiskGate(grid.index, account, position, Exposure(), value_numerator=unit // shared,
                    value_denominator=scale // shared)
    gate.order_value_max = int(settings.order_value_usd_max / tick_lot)
    gate.order_lots_max = 1 << 60
    gate.lots_min = grid.lots_min
    gate.value_min = math.ceil(grid.cost_min / tick_lot)
    gate.collar_bps = settings.collar_bps
    gate.same_order_window_ns = settings.same_order_window_us * 1000
    gate.drift_bps_max = settings.drift_bps
    gate.drift_window_ns = settings.drift_window_us * 1000
    gate.book_silence_ns_max = settings.book_silence_us * 1000
    gate.position_lots_max = 0
    return gate


def _e10(usd: Decimal) -> int:
    return int(usd * E10)
