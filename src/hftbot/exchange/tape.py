"""The trades of one listing, remembered as candles: what ticker and ohlc tell."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from hftbot.exchange.kraken_text import ListingText, Stamps, fixed

INTERVALS_MIN = (1, 5, 15, 30, 60, 240, 1440, 10080, 21600)
MINUTE_US = 60_000_000
DAY_MIN = 1440
# A day of minutes is needed for the ticker; clients are shown the last 720 of each interval.
CANDLES_KEPT = DAY_MIN + 1
CANDLES_SHOWN = 720


@dataclass(slots=True)
class Candle:
    """Trades of one interval: prices in ticks, volume in lots, value in ticks times lots."""

    begin_us: int
    open: int
    high: int
    low: int
    close: int
    trades: int = 0
    lots: int = 0
    tick_lots: int = 0

    def add(self, ticks: int, lots: int) -> None:
        """One more trade."""
        self.high = max(self.high, ticks)
        self.low = min(self.low, ticks)
        self.close = ticks
        self.trades += 1
        self.lots += lots
        self.tick_lots += ticks * lots

    def absorb(self, later: Candle) -> None:
        """Join a candle that comes after this one."""
        self.high = max(self.high, later.high)
        self.low = min(self.low, later.low)
        self.close = later.close
        self.trades += later.trades
        self.lots += later.lots
        self.tick_lots += later.tick_lots

    def vwap_ticks(self) -> int:
        """Average price in ticks, rounded half up; the close if nothing was traded."""
        if self.lots == 0:
            return self.close
        return (2 * self.tick_lots + self.lots) // (2 * self.lots)


class Tape:
    """Candles of all intervals and the rolling day. Times are wall-clock microseconds.

    Before the first trade the last price is the one that the market opened at.
    """

    def __init__(self, text: ListingText) -> None:
        self.text = text
        self.last_ticks = 0
        self.candles: dict[int, deque[Candle]] = {
            minutes: deque(maxlen=CANDLES_KEPT) for minutes in INTERVALS_MIN}
        # The rolling day without its current minute, good for that minute.
        self._closed: Candle | None = None
        self._closed_minute_us = -1

    def open(self, ticks: int) -> None:
        """The market opens here."""
        self.last_ticks = ticks

    def add(self, now_us: int, ticks: int, lots: int) -> None:
        """A trade."""
        self.last_ticks = ticks
        for minutes, candles in self.candles.items():
            if not candles or now_us >= candles[-1].begin_us + minutes * MINUTE_US:
                begin_us = now_us - now_us % (minutes * MINUTE_US)
                candles.append(Candle(begin_us, ticks, ticks, ticks, ticks))
            candles[-1].add(ticks, lots)

    def day(self, now_us: int) -> Candle:
        """The last 24 hours, to the minute."""
        minute_us = now_us - now_us % MINUTE_US
        if minute_us != self._closed_minute_us:
            self._closed_minute_us = minute_us
            self._closed = None
            for candle in self.candles[1]:
                if minute_us - DAY_MIN * MINUTE_US < candle.begin_us < minute_us:
                    if self._closed is None:
                        self._closed = Candle(candle.begin_us, candle.open, candle.open,
                                              candle.open, candle.open)
                    self._closed.absorb(candle)
        minutes = self.candles[1]
        current = minutes[-1] if minutes and minutes[-1].begin_us == minute_us else None
        first = self._closed or current
        if first is None:
            last = self.last_ticks
            return Candle(minute_us, last, last, last, last)
        whole = Candle(first.begin_us, first.open, first.open, first.open, first.open)
        for part in (self._closed, current):
            if part is not None:
                whole.absorb(part)
        return whole

    def ticker_row(self, bid: tuple[int, int], ask: tuple[int, int], now_us: int,
                   stamp: str) -> str:
        """One row of the ticker channel; ``bid`` and ``ask`` are (ticks, lots), 0 if none."""
        text, day = self.text, self.day(now_us)
        change = self.last_ticks - day.open
        return (f'{{"symbol":{text.symbol},"bid":{text.price(bid[0])},"bid_qty":{text.qty(bid[1])},'
                f'"ask":{text.price(ask[0])},"ask_qty":{text.qty(ask[1])},'
                f'"last":{text.price(self.last_ticks)},"volume":{text.qty(day.lots)},'
                f'"vwap":{text.price(day.vwap_ticks())},"low":{text.price(day.low)},'
                f'"high":{text.price(day.high)},"change":{text.price(change)},'
                f'"change_pct":{percent(change, day.open)},"trades":{day.trades},'
                f'"timestamp":"{stamp}"}}')

    def ohlc_rows(self, minutes: int) -> list[str]:
        """Rows of the ohlc snapshot, oldest first."""
        candles = list(self.candles[minutes])[-CANDLES_SHOWN:]
        return [self.ohlc_row(minutes, candle) for candle in candles]

    def ohlc_row(self, minutes: int, candle: Candle) -> str:
        """One candle; ``timestamp`` is the interval's end."""
        text, stamps = self.text, Stamps()
        begin = stamps.micro(candle.begin_us)[:-1]
        end = stamps.micro(candle.begin_us + minutes * MINUTE_US)
        return (f'{{"symbol":{text.symbol},"open":{text.price(candle.open)},'
                f'"high":{text.price(candle.high)},"low":{text.price(candle.low)},'
                f'"close":{text.price(candle.close)},"trades":{candle.trades},'
                f'"volume":{text.qty(candle.lots)},"vwap":{text.price(candle.vwap_ticks())},'
                f'"interval_begin":"{begin}000Z","interval":{minutes},"timestamp":"{end}"}}')


def percent(change: int, start: int) -> str:
    """A change in percent with two decimals, rounded half away from zero; 0.00 from nothing."""
    if start <= 0:
        return "0.00"
    hundredths = (20_000 * abs(change) + start) // (2 * start)
    return fixed(-hundredths if change < 0 else hundredths, 2)
