"""One market of the door, whatever stands behind it, and the strategy that speaks for the door."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from hftbot.config.schema import Settings, check, find, parse, unknown
from hftbot.errors import ConfigError
from hftbot.live.world import World
from hftbot.words.events import OrderFilled
from hftbot.words.instrument import Instrument
from hftbot.words.market import Trade
from hftbot.words.ports import Desk, Strategy

LEVELS = 10
DEFAULT_SYMBOLS = ("BTC/USD", "ETH/USD")
SOURCE = "create_hft_engine(settings=...)"
# What money cannot be lost on may be traded in any size; the guard itself stays.
WIDE: Mapping[str, str] = {
    "ORDER_VALUE_USD_MAX": "10000000", "POSITION_USD_MAX": "10000000",
    "GROSS_USD_MAX": "100000000", "OPEN_ORDERS_MAX": "1000", "LOSS_USD_DAY_MAX": "1000000",
    "COLLAR_BPS": "5000", "DRIFT_BPS": "10000", "FILLS_IN_ROW_MAX": "10000",
    "SAME_ORDER_WINDOW_MS": "0", "BREAKER_FAILURES": "0", "MAX_ORDERS_PER_MIN": "6000",
    "KRAKEN_TIER": "off", "SIM_BALANCE_USD": "1000000000", "SIM_NETWORK_US": "0",
    "SIM_NETWORK_JITTER_US": "0", "SIM_ENGINE_US": "0", "SIM_ENGINE_JITTER_US": "0",
    "LINGER_S": "0",
}
NOT_TRADED = frozenset("/-_: ")


class Listener(Protocol):
    """Who hears what happens in the markets: the engine of the door."""

    def on_order(self, event: Any) -> None: ...
    def on_fill(self, fill: OrderFilled) -> None: ...
    def on_book(self, market: Market) -> None: ...
    def on_trade(self, market: Market, trade: Trade) -> None: ...
    def front_of(self, client_id: int) -> float | None: ...


class DoorVenue(Protocol):
    """What stands behind the door: the embedded exchange, a client object, or a simulation."""

    async def open(self) -> None:
        """Connect. Raises HftbotError."""

    async def close(self) -> None:
        """Cancel what is open and let go."""

    def market(self, symbol: str, order_book: Mapping[str, Any] | None = None
               ) -> tuple[Market, str]:
        """The market that a symbol means, and a remark. Raises ConfigError.

        ``order_book``, if there is one, shows how fine its prices are.
        """

    async def freshen(self, market: Market, order_book: Mapping[str, Any] | None) -> None:
        """Make sure that the market's book is one to decide on. Raises HftbotError."""

    async def wait(self, future: asyncio.Future[bool], timeout_s: float) -> bool:
        """Wait until the future is true; False after so many seconds."""

    def now_ns(self) -> int:
        """The market's clock, nanoseconds."""

    def wake(self) -> None:
        """Somebody of ours was told something."""

    def start(self) -> None:
        """A strategy wants to be told of the markets."""


class Voice(Strategy):
    """The strategy that places what the door is asked for, and hands on what it hears."""

    name = "execution"

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self.markets: list[Market] = []

    def on_book(self, book: Any) -> None:
        """A book changed."""
        self._listener.on_book(self.markets[book.instrument])

    def on_trade(self, trade: Trade) -> None:
        """Somebody traded."""
        self._listener.on_trade(self.markets[trade.instrument], trade)

    def on_order(self, event: Any) -> None:
        """An order of the door got further."""
        self._listener.on_order(event)

    def on_fill(self, fill: OrderFilled) -> None:
        """An order of the door traded."""
        self._listener.on_fill(fill)


@dataclass(slots=True, eq=False)
class Market:
    """One symbol: its grid, its live book, and the desk to trade it with."""

    grid: Instrument
    world: World
    desk: Desk
    shown: dict[str, Any] | None = None

    @property
    def symbol(self) -> str:
        """The venue's name."""
        return self.grid.symbol

    @property
    def index(self) -> int:
        """Its number in its world."""
        return self.grid.index

    @property
    def book(self) -> Any:
        """Its live book."""
        return self.world.engine.books[self.grid.index]

    def touch(self, side: int) -> float:
        """Best price of a side, 0.0 if it is empty."""
        if self.shown is not None:
            levels = self.shown["asks" if side else "bids"]
            return float(levels[0][0]) if levels else 0.0
        book = self.book
        if side == 0:
            return self.grid.price(book.best_bid()) if book.has_bid() else 0.0
        return self.grid.price(book.best_ask()) if book.has_ask() else 0.0

    def order_book(self) -> dict[str, Any]:
        """The best levels as the handbook writes them: ``bids`` and ``asks`` of [price, quantity].

        The same object until the book changes.
        """
        if self.shown is None:
            self.shown = levels_of(self.book, self.grid)
        return self.shown


def levels_of(book: Any, grid: Instrument, count: int = LEVELS) -> dict[str, Any]:
    """The best levels of a book in quote and base units."""
    return {name: [[grid.price(ticks), grid.qty(lots)] for ticks, lots in book.levels(side, count)]
            for side, name in enumerate(("bids", "asks"))}


def markets_of(world: World, voice: Voice) -> list[Market]:
    """Give the voice its desk in a world; the world's markets in its order."""
    desk = world.engine.add(voice)
    voice.markets = [Market(grid, world, desk) for grid in world.instruments]
    return voice.markets


def door_settings(given: Mapping[str, Any], weaker: Mapping[str, str],
                  symbols: Sequence[str]) -> Settings:
    """Settings of the door by their names in files. Raises ConfigError, naming key and value."""
    texts = {**weaker, "SYMBOLS": ",".join(symbols)}
    for name, text in given.items():
        key = find(name)
        if key is None:
            raise unknown(name, SOURCE)
        texts[key.name] = str(text)
    keys = {name: find(name) for name in texts}
    values = {key.attribute: parse(key, texts[name], SOURCE)
              for name, key in keys.items() if key is not None}
    settings = Settings(**values)
    check(settings, dict.fromkeys(texts, SOURCE))
    return settings


def plain_name(symbol: str) -> str:
    """A symbol without separators: ``btc-usdt`` and ``BTC/USDT`` are both BTCUSDT."""
    letters = "".join(letter for letter in symbol.upper() if letter not in NOT_TRADED)
    return letters.replace("XBT", "BTC")


def resolve(symbol: str, traded: Iterable[str]) -> tuple[str, str]:
    """The traded symbol that is meant, and a remark if it is another currency's.

    Raises ConfigError that names what is traded.
    """
    names = list(traded)
    if symbol in names:
        return symbol, ""
    by_letters = {plain_name(name): name for name in names}
    letters = plain_name(symbol)
    if letters in by_letters:
        return by_letters[letters], ""
    for coin in ("USDT", "USDC"):
        dollar = letters.removesuffix(coin) + "USD"
        if letters.endswith(coin) and dollar in by_letters:
            found = by_letters[dollar]
            return found, f"{symbol} is traded as {found}: prices are in USD, not {coin}"
    raise ConfigError(f"symbol {symbol[:40]!r} is not traded here: this engine trades "
                      f"{', '.join(names)}; name others in create_hft_engine(symbols=...)")
