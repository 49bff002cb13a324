"""The second world: the live engine, guard, desks, ledger and strategies on a replayed market.

The rooms are those of a live run; the caller built them with a ``ReplayClock`` and hands them in.
Here they get their market, their answers and their time from the replay (fastcore.sim.replay).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from fastcore.lane.lane import EVENT_BOOK, EVENT_TOP, EVENT_TRADE
from hftbot.backtest.memory_journal import MemoryJournal
from hftbot.backtest.replay_gateway import FeeE10, ReplayGateway
from hftbot.backtest.result import BacktestResult
from hftbot.engine.guard import HALTED
from hftbot.errors import ConfigError
from hftbot.words.market import BookTrust
from hftbot.words.ports import Strategy

WAKE_TOP, WAKE_DEPTH, WAKE_TRADE, WAKE_RESPONSE = 1, 2, 4, 8
END = 1 << 30
COLLECT_RESPONSES, COLLECT_TRADES = 1, 4
MARKET = WAKE_TOP | WAKE_DEPTH | WAKE_TRADE
WAKES = {"top": WAKE_TOP, "feed": WAKE_TOP | WAKE_DEPTH, "timer": 0}
FAR_NS = (1 << 62) - 1
NO_MARKET = "the books never had both sides: nothing could be traded"
NO_PRICE = float("nan")
Trade = tuple[int, int, int, int, int]
"""A public trade as the engine takes it: side, ticks, lots, its number, venue's stamp in us."""


class ReplayClock:
    """The Clock port on the replay's time: the receive stamps of the data."""

    def __init__(self, replay: Any) -> None:
        self._replay = replay

    def now_us(self) -> int:
        """Wall-clock microseconds of the data."""
        now_ns: int = self._replay.now_ns
        return now_ns // 1000

    def mono_ns(self) -> int:
        """The same moment in nanoseconds; it never goes back."""
        now_ns: int = self._replay.now_ns
        return now_ns


class Rooms(Protocol):
    """The rooms of a live run, as live.world.World has them."""

    settings: Any
    instruments: Any
    engine: Any
    guard: Any
    router: Any
    table: Any
    ledger: Any
    limits: Any
    desks: Any
    gateway: Any

    def link_seen(self, recv_ns: int) -> None: ...
    def refresh_limits(self) -> None: ...
    def use_journal(self, journal: Any) -> None: ...


class BacktestWorld:
    """Drives the rooms of a run over a replay until its data end.

    ``assets`` are the replay's numbers of the run's instruments, in their order. A strategy says
    by its attribute ``wakes`` what it is woken by: ``feed`` (each receive stamp at which the book
    changed), ``top`` (the best price or its size changed) or ``timer`` (on_timer alone, every
    LOOP_INTERVAL_MS of replayed time). What happens is written into ``result``. ``on_timer`` is
    called after each timer of the engine.
    """

    def __init__(self, rooms: Rooms, replay: Any, assets: Sequence[int], fee_e10: FeeE10,
                 result: BacktestResult, journal: MemoryJournal | None = None) -> None:
        self.rooms = rooms
        self.replay = replay
        self.assets = tuple(assets)
        self.engine = rooms.engine
        self._link_seen = rooms.link_seen
        self.result = result
        self.journal = journal
        self.on_timer: Callable[[int], None] = lambda now_ns: None
        self._indexes = {asset: index for index, asset in enumerate(self.assets)}
        self._interval_ns = rooms.settings.loop_interval_us * 1000
        self._timer_ns = 0
        self._mask = WAKE_RESPONSE
        self._book_bits = 0
        self._hears_trades = False
        self.gateway = ReplayGateway(replay, rooms.table, rooms.desks, assets, fee_e10, result)
        self.gateway.on_answer = rooms.limits.trading.answered
        rooms.gateway = self.gateway
        # One request an order: the replay has no batches.
        rooms.router.batches = None
        self._followed = tuple(zip(self.assets, self.engine.books, rooms.instruments,
                                   strict=True))
        for asset, book, _grid in self._followed:
            replay.attach(asset, book)

    def run(self, until_ns: int = FAR_NS) -> None:
        """Replay from the first row to the last, or to ``until_ns`` of the data's receive time.

        Raises HftbotError if a strategy refuses its configuration.
        """
        self._choose_wakes()
        self.replay.collect(COLLECT_RESPONSES | (COLLECT_TRADES if self._hears_trades else 0))
        result = self.result
        if self._warm_up(until_ns):
            self._open()
            result.begin_ns = self.replay.now_ns
            result.ended = self._trade(until_ns)
            self._sample()
        else:
            result.ended = NO_MARKET
        result.end_ns = self.replay.now_ns
        self.engine.stop()
        result.denied.update(self.engine.rows.denials)

    def _choose_wakes(self) -> None:
        for strategy, _desk in self.engine.voices:
            if strategy.wakes not in WAKES:
                raise ConfigError(f"{strategy.name}: wakes is {strategy.wakes!r}; it must be one "
                                  f"of {', '.join(WAKES)}")
            self._book_bits |= WAKES[strategy.wakes]
            if type(strategy).on_trade is not Strategy.on_trade:
                self._hears_trades = True
        self._mask |= self._book_bits | (WAKE_TRADE if self._hears_trades else 0)

    def _warm_up(self, until_ns: int) -> bool:
        """Let the books fill; True once each has both sides. Timers count from the first event."""
        self.replay.goto(0)
        self._timer_ns = self.replay.now_ns
        while not all(book.has_bid() and book.has_ask() for book in self.engine.books):
            bits = self.replay.step(until_ns, WAKE_TOP)
            if bits & END or self.replay.now_ns >= until_ns:
                return False
        self.replay.trades()
        return True

    def _open(self) -> None:
        """As a session does once the venue has told where we stand."""
        rooms = self.rooms
        now_ns = self.replay.now_ns
        rooms.link_seen(now_ns)
        for index, book in enumerate(self.engine.books):
            book.trust = BookTrust.TRUSTED
            rooms.desks[index].gate.observe(book.best_bid(), book.best_ask(), now_ns)
        rooms.router.attach(lambda frame: None)
        self.engine.blind = False
        rooms.guard.set_ready(True)
        rooms.refresh_limits()
        self.engine.start()

    def _trade(self, until_ns: int) -> str:
        """Replay to the end of the data, to ``until_ns`` or to a halt; why it ended."""
        replay, mask, gateway = self.replay, self._mask, self.gateway
        rows = self.result.samples.rows
        passed_ns = replay.now_ns - self._timer_ns
        timer_ns = self._timer_ns + (passed_ns // self._interval_ns + 1) * self._interval_ns
        while True:
            bits = replay.step(min(timer_ns, until_ns, gateway.end_ns), mask)
            now_ns = replay.now_ns
            if bits & END:
                self._hear(now_ns)
                return "end of data"
            if bits:
                self._wake(bits, now_ns)
            if now_ns >= gateway.end_ns:
                gateway.end_due(now_ns)
            if now_ns >= timer_ns:
                self._tick(now_ns)
                timer_ns += self._interval_ns
                if self.halted and not self.engine.rows.open_handles():
                    return f"halted: {self.engine.guard.reason}"
            if now_ns >= rows.due_ns:
                self._sample()
            if now_ns >= until_ns:
                return "end of the time asked for"

    def _sample(self) -> None:
        """One row of the account, as the replay counts it."""
        replay, row = self.replay, []
        for asset, book, grid in self._followed:
            mid = (grid.price(book.best_bid() + book.best_ask()) / 2
                   if book.has_bid() and book.has_ask() else NO_PRICE)
            row.append((mid, replay.position(asset), replay.balance(asset), replay.fee(asset),
                        replay.trading_value(asset)))
        self.result.samples.add(replay.now_ns, row)

    def _wake(self, bits: int, now_ns: int) -> None:
        """Something local happened: our own orders first, then the market."""
        self.result.wakes += 1
        if bits & WAKE_RESPONSE:
            self._hear(now_ns)
        if bits & MARKET:
            index = self._indexes[self.replay.woken]
            told = EVENT_BOOK if bits & self._book_bits else 0
            if bits & WAKE_TOP:
                told |= EVENT_TOP
            self._link_seen(now_ns)
            if self._hears_trades:
                self._with_trades(index, told, now_ns)
            else:
                self.engine.on_market(index, told, (), now_ns)

    def _hear(self, now_ns: int) -> None:
        self.engine.on_events(self.gateway.take(now_ns))

    def _with_trades(self, index: int, told: int, now_ns: int) -> None:
        """A book changed, or somebody traded, or both."""
        trades: dict[int, list[Trade]] = {index: []}
        for asset, side, ticks, lots, exch_ns, _local_ns in self.replay.trades():
            trades.setdefault(self._indexes[asset], []).append(
                (side, ticks, lots, 0, exch_ns // 1000))
        for of, rows in trades.items():
            also = told if of == index else 0
            self.engine.on_market(of, also | (EVENT_TRADE if rows else 0), rows, now_ns)

    def _tick(self, now_ns: int) -> None:
        """LOOP_INTERVAL_MS passed, as in a session."""
        self._hear(now_ns)
        seen_ns = max(book.recv_ns for book in self.engine.books)
        if seen_ns > 0:
            self.rooms.link_seen(seen_ns)
        self.rooms.refresh_limits()
        if not self._book_bits:
            for index in range(len(self.assets)):
                self.engine.on_market(index, EVENT_TOP, (), now_ns)
        self.engine.on_timer()
        if self.journal is not None:
            self.journal.turn(self.rooms.use_journal)
        self.on_timer(now_ns)

    @property
    def halted(self) -> bool:
        """True if the guard stopped the run."""
        return bool(self.engine.guard.state == HALTED)
