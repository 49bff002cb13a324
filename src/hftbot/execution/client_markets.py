"""What a ccxt exchange object lists, as our grids; and how its calls are made."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

from hftbot.errors import ConfigError, HftbotError, TransportError, VenueReject
from hftbot.execution.market import DEFAULT_SYMBOLS
from hftbot.words.instrument import Instrument

DECIMAL_PLACES, TICK_SIZE = 2, 4
TETHER_SYMBOLS = ("BTC/USDT", "ETH/USDT")
PUBLIC = frozenset(("load_markets", "fetch_order_book", "fetch_trades", "watch_order_book",
                    "watch_trades"))
# Of these the outcome is not known; any other error of the client is the venue's no.
UNSURE = frozenset(("NetworkError", "OperationFailed"))
SURE = frozenset(("RateLimitExceeded", "OnMaintenance", "InvalidNonce"))


class Client:
    """A ccxt object of any of its three kinds, called in the same way.

    The methods of ``ccxt.async_support`` and ``ccxt.pro`` are awaited, those of plain ccxt run in a
    thread of their own. Calls that are signed go one after the other: their nonces must rise.
    """

    def __init__(self, client: Any) -> None:
        self.client = client
        self._awaited = inspect.iscoroutinefunction(getattr(client, "fetch_order_book", None))
        self._thread: ThreadPoolExecutor | None = None
        self._signed = asyncio.Lock()

    async def call(self, method: str, *words: Any) -> Any:
        """Call a method. Raises what ccxt raises."""
        function: Callable[..., Any] = getattr(self.client, method)
        if self._awaited:
            if method in PUBLIC:
                return await function(*words)
            async with self._signed:
                return await function(*words)
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, "ccxt")
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *words)

    @property
    def pushes_books(self) -> bool:
        """Whether it hears books over a socket (ccxt.pro)."""
        return self._awaited and bool(getattr(self.client, "has", {}).get("watchOrderBook"))

    @property
    def pushes_trades(self) -> bool:
        """Whether it hears trades over a socket."""
        return self.pushes_books and bool(self.client.has.get("watchTrades"))

    def close(self) -> None:
        """End the thread; the object itself is the caller's."""
        if self._thread is not None:
            self._thread.shutdown(wait=False)


def unsure(error: BaseException) -> bool:
    """True if the request may have been carried out in spite of the error."""
    names = {kind.__name__ for kind in type(error).__mro__}
    if not names & {"BaseError", "ExchangeError", "OperationFailed"}:
        return True
    return bool(names & UNSURE) and not names & SURE


def explained(error: BaseException, what: str) -> HftbotError:
    """An error of the client as one of ours, in one line."""
    text = f"{what}: {type(error).__name__}: {' '.join(str(error).split())[:200]}"
    return TransportError(text) if unsure(error) else VenueReject(text)


def grids_of(client: Any, symbols: Sequence[str] | None) -> list[Instrument]:
    """The grids of the symbols; without any, those of BTC and ETH that it lists.

    Raises ConfigError for a symbol that it does not list, or that is no spot market.
    """
    listed: Mapping[str, Any] = client.markets
    if not symbols:
        symbols = [name for name in DEFAULT_SYMBOLS if name in listed] or [
            name for name in TETHER_SYMBOLS if name in listed]
        if not symbols:
            raise ConfigError("exchange_connector lists neither BTC/USD nor BTC/USDT: name what is "
                              "traded in create_hft_engine(symbols=...)")
    missing = [name for name in symbols if name not in listed]
    if missing:
        raise ConfigError(f"symbols: exchange_connector does not list {', '.join(missing)}")
    return [_grid(index, client, listed[name]) for index, name in enumerate(symbols)]


def _grid(index: int, client: Any, market: Mapping[str, Any]) -> Instrument:
    symbol = str(market["symbol"])
    if market.get("contract"):
        raise ConfigError(f"symbols: {symbol} is a contract; this door trades spot markets")
    mode = client.precisionMode
    price, tick_units = _step(symbol, mode, market["precision"]["price"])
    qty, lot_units = _step(symbol, mode, market["precision"]["amount"])
    limits = market.get("limits", {})
    smallest = Decimal(str((limits.get("amount") or {}).get("min") or 0))
    lots_min = max(1, int(smallest.scaleb(qty)) // lot_units)
    cost_min = Decimal(str((limits.get("cost") or {}).get("min") or 0))
    fees = [round(float(market.get(name) or 0) * 1e6) for name in ("maker", "taker")]
    return Instrument(index, str(getattr(client, "id", "ccxt")), symbol, str(market["base"]),
                      str(market["quote"]), price, qty, tick_units, lot_units, lots_min, cost_min,
                      fees[0], fees[1])


def _step(symbol: str, mode: int, told: Any) -> tuple[int, int]:
    """Precision and units of what ccxt tells as a step or as decimal places."""
    if told is None or mode not in (DECIMAL_PLACES, TICK_SIZE):
        raise ConfigError(f"symbols: the steps of {symbol} are not known to exchange_connector")
    step = Decimal(str(told)) if mode == TICK_SIZE else Decimal(1).scaleb(-int(told))
    exponent = step.normalize().as_tuple().exponent
    assert isinstance(exponent, int)
    precision = max(0, -exponent)
    return precision, int(step.scaleb(precision))
