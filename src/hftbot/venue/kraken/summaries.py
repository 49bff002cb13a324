"""Kraken's ticker and ohlc channels: the last summary and the last candles of each instrument.

Cold data, for strategies that ask for it and for people: it is never on the way to an order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from hftbot.errors import BadFrame
from hftbot.venue.kraken import codec
from hftbot.words.instrument import Instrument
from hftbot.words.market import Candle, Ticker

CHANNELS = ("ticker", "ohlc")
TRIGGERS = ("trades", "bbo")
INTERVALS_MIN = (1, 5, 15, 30, 60, 240, 1440, 10080, 21600)
CANDLES_MAX = 720
FINEST = 18


class Summaries:
    """What the two channels told last; both are optional.

    ``trigger`` is when a ticker is sent: ``trades``, ``bbo`` (the best price moved) or empty for
    no ticker. ``interval_min`` is the length of a candle, 0 for none. Raises ValueError for values
    that the venue does not offer.
    """

    def __init__(self, instruments: Sequence[Instrument], trigger: str = "",
                 interval_min: int = 0) -> None:
        if trigger not in ("", *TRIGGERS):
            raise ValueError(f"a ticker is sent on {' or '.join(TRIGGERS)}, not on {trigger!r}")
        if interval_min not in (0, *INTERVALS_MIN):
            raise ValueError(f"a candle lasts {', '.join(map(str, INTERVALS_MIN))} minutes, not "
                             f"{interval_min}")
        self.trigger = trigger
        self.interval_min = interval_min
        self.tickers: list[Ticker | None] = [None] * len(instruments)
        self.candles: tuple[deque[Candle], ...] = tuple(
            deque(maxlen=CANDLES_MAX) for _ in instruments)
        self.stale = 0
        self._instruments = {grid.symbol: grid for grid in instruments}

    def subscriptions(self) -> list[bytes]:
        """What to send on a new connection."""
        symbols, found = list(self._instruments), []
        if self.trigger:
            found.append(codec.subscribe("ticker", symbols, event_trigger=self.trigger,
                                         snapshot=True))
        if self.interval_min:
            found.append(codec.subscribe("ohlc", symbols, interval=self.interval_min,
                                         snapshot=True))
        return found

    def forget(self) -> None:
        """The connection is gone: candles and tickers come anew with the next snapshot."""
        self.tickers = [None] * len(self.tickers)
        for candles in self.candles:
            candles.clear()

    def on_message(self, message: codec.Row) -> None:
        """A ticker or ohlc message. Raises BadFrame; the readable rows before it count."""
        for row in codec.rows(message):
            grid = self._instruments.get(codec.text(row, "symbol"))
            if grid is None:
                continue
            if message.get("channel") == "ticker":
                self.tickers[grid.index] = ticker(row, grid)
            else:
                self._candle(candle(row, grid))

    def closed(self, instrument: int) -> list[Candle]:
        """The candles that can no longer change: all but the newest."""
        return list(self.candles[instrument])[:-1]

    def _candle(self, new: Candle) -> None:
        """There is no word for the end of a candle: one that begins later closes the last."""
        candles = self.candles[new.instrument]
        if candles and new.begin_us == candles[-1].begin_us:
            candles[-1] = new
        elif candles and new.begin_us < candles[-1].begin_us:
            self.stale += 1
        else:
            candles.append(new)


def ticker(row: codec.Row, grid: Instrument) -> Ticker:
    """One row of the ticker channel. Raises BadFrame.

    A price that is not on the grid (the pair's grid changed within 24 hours) is cut to it.
    """
    return Ticker(
        instrument=grid.index,
        bid_ticks=_ticks(row, "bid", grid), bid_lots=_lots(row, "bid_qty", grid),
        ask_ticks=_ticks(row, "ask", grid), ask_lots=_lots(row, "ask_qty", grid),
        last_ticks=_ticks(row, "last", grid), low_ticks=_ticks(row, "low", grid),
        high_ticks=_ticks(row, "high", grid), volume_lots=_lots(row, "volume", grid),
        average=_float(row, "vwap"), change=_float(row, "change"),
        trades=codec.integer(row, "trades") if row.get("trades") is not None else 0,
        ts_us=codec.stamp_us(row))


def candle(row: codec.Row, grid: Instrument) -> Candle:
    """One row of the ohlc channel. Raises BadFrame."""
    interval_min = codec.integer(row, "interval")
    if interval_min not in INTERVALS_MIN:
        raise BadFrame(f"interval {interval_min} is not offered")
    return Candle(
        instrument=grid.index, begin_us=codec.time_us(codec.text(row, "interval_begin")),
        interval_s=60 * interval_min, open_ticks=_ticks(row, "open", grid),
        high_ticks=_ticks(row, "high", grid), low_ticks=_ticks(row, "low", grid),
        close_ticks=_ticks(row, "close", grid), volume_lots=_lots(row, "volume", grid),
        average=_float(row, "vwap"), trades=codec.integer(row, "trades"))


def _ticks(row: codec.Row, key: str, grid: Instrument) -> int:
    return _cut(row, key, grid.price_precision, grid.tick_units)


def _lots(row: codec.Row, key: str, grid: Instrument) -> int:
    return _cut(row, key, grid.qty_precision, grid.lot_units)


def _cut(row: codec.Row, key: str, precision: int, step: int) -> int:
    units = codec.number(row, key, FINEST, codec.AMOUNT_MAX)
    if units < 0:
        raise BadFrame(f"{key} is negative")
    steps: int = units // (10**(FINEST - precision) * step)
    return steps


def _float(row: codec.Row, key: str) -> float:
    return codec.units(row.get(key), codec.E10_PRECISION, codec.AMOUNT_MAX) / 10**10
