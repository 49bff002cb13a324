"""One market of a backtest: the exchange's book of it, and the world that sees it later."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastcore.money.journal import Journal
from hftbot.errors import ConfigError
from hftbot.execution.market import Market, Voice, markets_of
from hftbot.execution.simulated_book import SimulatedBook
from hftbot.live.world import World
from hftbot.words.instrument import Instrument
from hftbot.words.secret import Secret

if TYPE_CHECKING:
    from hftbot.execution.simulated_venue import SimulatedVenue

DIGITS_MIN, DIGITS_MAX, MONEY_DIGITS = 2, 8, 10
JOURNAL_BYTES = 1 << 20
JOURNAL_SHARE = 0.75
SHARED_MEMORY = Path("/dev/shm")
# Nothing is lost in a simulation: our own limit on messages would only slow it.
GUARDED_PER_MINUTE = 600_000
NO_TOKEN = Secret("simulated")


class SimulatedClock:
    """The Clock port, moved by the venue."""

    def __init__(self, now_ns: int) -> None:
        self.ns = now_ns

    def now_us(self) -> int:
        """Wall-clock microseconds of the simulation."""
        return self.ns // 1000

    def mono_ns(self) -> int:
        """Nanoseconds of the simulation."""
        return self.ns


class SimulatedNotes:
    """What the engine says: kept for whoever asks, printed nowhere."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def info(self, text: str) -> None:
        self.lines.append(text)

    warn = error = info


class Side:
    """One market's two halves: the exchange's book, and the world that sees it later."""

    def __init__(self, venue: SimulatedVenue, grid: Instrument, run: int) -> None:
        self.venue = venue
        self.exchange = SimulatedBook(grid)
        self.voice = Voice(venue.listener)
        settings = replace(venue.settings, symbols=(grid.symbol,),
                           max_orders_per_min=GUARDED_PER_MINUTE)
        self.journal = _journal()
        self.world = World(settings, (grid,), venue.clock, venue.notes, self.journal, run)
        self.market: Market = markets_of(self.world, self.voice)[0]
        # What leaves is told by name; the text of the order is for no reader.
        self.world.gateway = self  # type: ignore[assignment]
        self.world.set_token(NO_TOKEN)
        self.world.router.batches = None
        self.world.router.attach(lambda frame: None)
        self.world.guard.set_ready(True)
        self.world.engine.blind = False
        self.world.engine.start()

    def note_sent(self, request: int, client_id: int, what: str, now_ns: int) -> None:
        """An order or a cancel left: it arrives after its latency."""
        self.venue.leave(self, client_id, what)

    def tell(self, events: Sequence[Any]) -> None:
        """Answers arrived."""
        self.world.engine.on_events(events)
        if self.journal.size > self.journal.capacity * JOURNAL_SHARE:
            before, self.journal = self.journal, _journal()
            self.world.use_journal(self.journal)
            before.close()

    def close(self) -> None:
        """Give the memory back."""
        self.journal.close()


def grid_of(order_book: Mapping[str, Any] | None) -> tuple[Decimal, Decimal]:
    """Tick and lot of a market of which only a book is known: as fine as its prices are written.

    Together they are no finer than 1e-10 of the quote currency, so that all money is exact.
    """
    digits = DIGITS_MIN
    for name in ("bids", "asks"):
        for level in (order_book or {}).get(name, ()):
            with contextlib.suppress(TypeError, ValueError, IndexError, ArithmeticError):
                digits = max(digits, -int(Decimal(str(level[0])).as_tuple().exponent))
    digits = min(digits, DIGITS_MAX)
    return Decimal(1).scaleb(-digits), Decimal(1).scaleb(digits - MONEY_DIGITS)


def steps_of(size: Decimal) -> tuple[int, int]:
    """Precision and units of a step."""
    exponent = size.normalize().as_tuple().exponent
    assert isinstance(exponent, int)
    precision = max(0, -exponent)
    return precision, int(size.scaleb(precision))


def shown_levels(order_book: Mapping[str, Any], grid: Instrument) -> dict[int, dict[int, int]]:
    """An order book of the caller on the grid. Raises ConfigError that names the level."""
    shown: dict[int, dict[int, int]] = {0: {}, 1: {}}
    for side, name in enumerate(("bids", "asks")):
        for number, level in enumerate(order_book.get(name, ())):
            try:
                price, quantity = float(level[0]), float(level[1])
                ticks, lots = round(price / grid.tick_size), grid.lots_below(quantity + 1e-12)
            except (TypeError, ValueError, IndexError, OverflowError):
                raise ConfigError(f"order_book: {name}[{number}] is {level!r}; a level is "
                                  "[price, quantity]") from None
            if ticks <= 0 or lots < 0:
                raise ConfigError(f"order_book: {name}[{number}] is {level!r}: a price is above 0 "
                                  "and a quantity is not below it")
            if lots:
                shown[side][ticks] = lots
    if shown[0] and shown[1] and max(shown[0]) >= min(shown[1]):
        raise ConfigError(f"order_book: the best bid {grid.price_text(max(shown[0]))} is not below "
                          f"the best ask {grid.price_text(min(shown[1]))}")
    return shown


def _journal() -> Journal:
    """A journal in memory: nothing of a simulation has to outlive it."""
    folder = SHARED_MEMORY if SHARED_MEMORY.is_dir() else None
    handle, path = tempfile.mkstemp(prefix="hftbot-simulated-", dir=folder)
    os.close(handle)
    try:
        return Journal(path, JOURNAL_BYTES, b"simulated")
    finally:
        os.unlink(path)
