"""Ports: what a room needs from the world, as protocols; worlds supply them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from hftbot.words.events import OrderFilled
from hftbot.words.fill import Fill
from hftbot.words.instrument import Instrument
from hftbot.words.intent import Intent
from hftbot.words.market import Candle, Ticker, Trade
from hftbot.words.order import OpenOrder, OrderState, Tif


class Clock(Protocol):
    """The only time that a decision, event or journal record may carry."""

    def now_us(self) -> int:
        """Wall-clock microseconds since the epoch."""

    def mono_ns(self) -> int:
        """Monotonic nanoseconds."""


class Rng(Protocol):
    """Seeded randomness (random.Random satisfies it)."""

    def random(self) -> float: ...
    def getrandbits(self, k: int, /) -> int: ...
    def randrange(self, start: int, stop: int, /) -> int: ...


class Book(Protocol):
    """What a strategy may read of a live order book. Valid during the call only."""

    instrument: int
    trust: int
    ts_us: int

    def best_bid(self) -> int: ...
    def best_ask(self) -> int: ...
    def best_bid_lots(self) -> int: ...
    def best_ask_lots(self) -> int: ...
    def levels(self, side: int, count: int) -> list[tuple[int, int]]: ...


class Desk(Protocol):
    """How a strategy speaks."""

    def place(self, instrument: int, side: int, ticks: int, lots: int, tif: int = Tif.IOC,
              *, post_only: bool = False, ttl_us: int = 0, reason: str = "") -> int:
        """Ask for an order. Returns its ClientId, or a negative verdict (see docs/verdicts.md).

        ``ttl_us`` 0 means QUOTE_REFRESH_TTL_MS of the run. A GTD order is not sent after it, and
        if it was, the venue ends it then (in whole seconds, rounded up).
        """

    def submit(self, intent: Intent) -> int:
        """Ask for an order by Intent; an expired Intent is denied and counted."""

    def amend(self, client_id: int, ticks: int, lots: int) -> int:
        """Change a working order in place. Returns 0 or a negative verdict."""

    def replace(self, client_id: int, ticks: int, lots: int) -> int:
        """Move a working order the cheaper way. Returns the ClientId of what is to work then.

        That is the same one after an amend, a new one after a cancel and a new order; negative
        is a verdict.
        """

    def cancel(self, client_id: int) -> int:
        """Cancel a working order. Returns 0, or -1 if there is nothing to cancel."""

    def cancel_all(self) -> int:
        """Cancel every working order of this strategy. Returns how many were asked."""

    def position_lots(self, instrument: int) -> int:
        """Net lots held."""

    def position_cost(self, instrument: int) -> int:
        """What the lots held cost, in ticks * lots, with their sign; 0 if nothing is held."""

    def position_opened_us(self, instrument: int) -> int:
        """Since when they are held, wall-clock microseconds; 0 if nothing is held."""

    def open_orders(self) -> Sequence[OpenOrder]:
        """This strategy's orders that are not done."""

    def instruments(self) -> Sequence[Instrument]:
        """The instruments traded in this run."""

    def book(self, instrument: int) -> Book:
        """The live book of an instrument."""

    def ticker(self, instrument: int) -> Ticker | None:
        """The venue's summary of 24 hours; None before the first, and without TICKER."""

    def candles(self, instrument: int) -> Sequence[Candle]:
        """The last candles, oldest first; the last one may still grow. Empty without CANDLES."""

    def ahead_lots(self, client_id: int) -> int:
        """Visible size that trades before our order at its price; -1 if that is not known.

        Known with LEVEL3_DEPTH, once the venue shows the order.
        """

    def now_us(self) -> int:
        """The world's wall clock, microseconds."""

    def mono_ns(self) -> int:
        """The world's monotonic clock, nanoseconds."""


class Views(Protocol):
    """What the venue tells beside books and trades, and off an order's way; see Desk."""

    def ticker(self, instrument: int) -> Ticker | None: ...
    def candles(self, instrument: int) -> Sequence[Candle]: ...
    def ahead_lots(self, client_id: int) -> int: ...


class Strategy:
    """Base of all strategies: override what you need. Handlers are plain def and never block.

    ``on_book`` gets the live book, the same object each time, valid during the call;
    ``on_trade`` a reused record. ``on_timer`` runs every LOOP_INTERVAL_MS.

    ``wakes`` says what on_book is for in a backtest: ``feed``, every change of the book, as it is
    live; ``top``, changes of the best price or its size; ``timer``, never: on_timer looks.
    """

    name = "strategy"
    wakes = "feed"
    desk: Desk

    def on_start(self, desk: Desk) -> None:
        """Trading begins; keep the desk."""
        self.desk = desk

    def on_book(self, book: Any) -> None:
        """The book of ``book.instrument`` changed and is trusted."""

    def on_trade(self, trade: Trade) -> None:
        """Somebody traded."""

    def on_order(self, event: Any) -> None:
        """An OrderAcked, OrderRejected, OrderAmended, OrderDone, OrderDoubt of ours."""

    def on_fill(self, fill: OrderFilled) -> None:
        """One of our orders traded; the position is already updated."""

    def on_timer(self, now_us: int) -> None:
        """LOOP_INTERVAL_MS passed."""

    def on_stop(self) -> None:
        """No new orders are accepted from here on."""

    def statistics(self) -> dict[str, Any]:
        """Counters for the summary; plain numbers and strings."""
        return {}


class Wire(Protocol):
    """A connected socket that carries text frames."""

    def send(self, frame: bytes | bytearray | memoryview) -> None:
        """Queue one frame; returns at once."""

    def close(self) -> None: ...


class Batch:
    """What one read of a socket brought: ``more`` is true while newer frames of it wait."""

    __slots__ = ("more",)

    def __init__(self) -> None:
        self.more = False


class Observer(Protocol):
    """Who watches from beside the path; never slows it, never decides."""

    def on_fill(self, fill: Fill, grid: Instrument, bid: int, ask: int) -> None: ...
    def on_done(self, client_id: int, state: OrderState, reason: str, ts_us: int) -> None: ...


class Http(Protocol):
    """One request, one answer, within a deadline."""

    async def request(self, method: str, url: str, headers: dict[str, str], body: bytes,
                      deadline_s: float) -> tuple[int, bytes]:
        """Returns (status, body). Raises errors.TransportError or errors.Timeout."""


class Store(Protocol):
    """Projection for people; never on the hot path, never blocks.

    ``loss`` says in a sentence which rows it could not keep; empty if it kept all.
    """

    def fill(self, row: dict[str, Any]) -> None: ...
    def order(self, row: dict[str, Any]) -> None: ...
    def note(self, row: dict[str, Any]) -> None: ...
    def loss(self) -> str: ...


class Notes(Protocol):
    """Text for people: the log and the progress lines."""

    def info(self, text: str) -> None: ...
    def warn(self, text: str) -> None: ...
    def error(self, text: str) -> None: ...


Frames = Iterable[bytes]
