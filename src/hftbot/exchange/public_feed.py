"""What the public channels tell: books, trades, tickers and candles of every listing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hftbot.exchange.book_view import BookView
from hftbot.exchange.instrument import instrument_frame, pair_row
from hftbot.exchange.kraken_text import ListingText, Stamps
from hftbot.exchange.market import Batch
from hftbot.exchange.orders_view import OrdersView
from hftbot.exchange.reports import SIDES
from hftbot.exchange.tape import INTERVALS_MIN, Tape

if TYPE_CHECKING:
    from hftbot.exchange.connection import Connection

# Channel (with its parameter, if it may be subscribed with several) and symbol.
Key = tuple[str, str]
TRADES, BBO = 1, 2
TRIGGERS = {"trades": TRADES, "bbo": BBO}
TRADES_SHOWN = 50


class PublicFeed:
    """Views and tapes by the index of the market, and who subscribed to what.

    ``publish`` one engine event; the frames of a channel are written only if somebody reads them.
    """

    def __init__(self, texts: Sequence[ListingText], stamps: Stamps,
                 orders: Sequence[OrdersView]) -> None:
        self.texts = texts
        self.orders = orders
        self.stamps = stamps
        self.views = [BookView(text) for text in texts]
        self.tapes = [Tape(text) for text in texts]
        self.index = {text.listing.symbol: i for i, text in enumerate(texts)}
        self.trades: list[list[str]] = [[] for _ in texts]
        self.watchers: dict[Key, dict[Connection, int]] = {}
        self.bests: list[tuple[int, int]] = [(0, 0) for _ in texts]

    # Who reads.

    def enroll(self, connection: Connection, key: Key, value: int) -> None:
        """A connection subscribed; ``value`` is a book's depth, a ticker's trigger, else 1."""
        self.watchers.setdefault(key, {})[connection] = value
        channel = key[0].partition("-")[0]
        if channel == "book":
            self.views[self.index[key[1]]].watch(value)
        elif channel == "level3":
            self.orders[self.index[key[1]]].watch(value, connection.face.now_us)

    def leave(self, connection: Connection, key: Key, value: int) -> None:
        """A connection unsubscribed or is gone."""
        readers = self.watchers[key]
        del readers[connection]
        if not readers:
            del self.watchers[key]
        channel = key[0].partition("-")[0]
        if channel == "book":
            self.views[self.index[key[1]]].unwatch(value)
        elif channel == "level3":
            self.orders[self.index[key[1]]].unwatch(value)

    # What happens.

    def open(self, index: int, ticks: int) -> None:
        """A market has opened at a price."""
        self.tapes[index].open(ticks)

    def publish(self, index: int, batch: Batch, now_us: int) -> None:
        """Trades, book updates, tickers and candles of one engine event."""
        if not batch.trades and not batch.changes:
            return
        stamp = self.stamps.micro(now_us)
        if batch.trades:
            self.traded(index, batch, now_us, stamp)
        moved = bool(batch.changes) and self.booked(index, batch, now_us, stamp)
        readers = self.watchers.get(("ticker", self.texts[index].listing.symbol))
        if readers and (batch.trades or moved):
            happened = (TRADES if batch.trades else 0) | (BBO if moved else 0)
            frame = ""
            for connection, trigger in readers.items():
                if trigger & happened:
                    frame = frame or self.ticker("update", index, now_us)
                    connection.data(frame, now_us)
        if batch.trades:
            self.candled(index, now_us)

    def traded(self, index: int, batch: Batch, now_us: int, stamp: str) -> None:
        """The trade channel, and the memory of trades."""
        text, tape = self.texts[index], self.tapes[index]
        rows = []
        for side, ticks, lots, trade_id in batch.trades:
            tape.add(now_us, ticks, lots)
            rows.append(f'{{"symbol":{text.symbol},"side":"{SIDES[side]}",'
                        f'"price":{text.price(ticks)},"qty":{text.qty(lots)},'
                        f'"ord_type":"limit","trade_id":{trade_id},"timestamp":"{stamp}"}}')
        self.trades[index] = (self.trades[index] + rows)[-TRADES_SHOWN:]
        readers = self.watchers.get(("trade", text.listing.symbol))
        if readers:
            frame = f'{{"channel":"trade","type":"update","data":[{",".join(rows)}]}}'
            for connection in readers:
                connection.data(frame, now_us)

    def booked(self, index: int, batch: Batch, now_us: int, stamp: str) -> bool:
        """The book and level3 channels. Returns whether a best price moved."""
        view = self.views[index]
        frames = view.apply(batch.changes, now_us, stamp)
        symbol = self.texts[index].listing.symbol
        for depth, frame in frames.items():
            for connection in self.watchers[by_number("book", depth), symbol]:
                connection.data(frame, now_us)
        for depth, frame in self.orders[index].apply(batch.changes, now_us).items():
            for connection in self.watchers[by_number("level3", depth), symbol]:
                connection.data(frame, now_us)
        bid, ask = view.best(0)[0], view.best(1)[0]
        if (bid, ask) == self.bests[index]:
            return False
        self.bests[index] = (bid, ask)
        return True

    def candled(self, index: int, now_us: int) -> None:
        """The ohlc channel: the current candle of each interval that somebody reads."""
        symbol, tape = self.texts[index].listing.symbol, self.tapes[index]
        for minutes in INTERVALS_MIN:
            readers = self.watchers.get((by_number("ohlc", minutes), symbol))
            if readers:
                rows = [tape.ohlc_row(minutes, tape.candles[minutes][-1])]
                frame = self.ohlc("update", rows, now_us)
                for connection in readers:
                    connection.data(frame, now_us)

    def publish_pair(self, symbol: str, mode: str, now_us: int) -> None:
        """The instrument channel: a pair whose mode has changed."""
        frame = instrument_frame("update", [], [pair_row(self.texts[self.index[symbol]], mode)])
        for connection in self.watchers.get(("instrument", ""), ()):
            connection.data(frame, now_us)

    # Frames.

    def ticker(self, kind: str, index: int, now_us: int) -> str:
        """A ticker message."""
        view = self.views[index]
        row = self.tapes[index].ticker_row(view.best(0), view.best(1), now_us,
                                           self.stamps.micro(now_us))
        return f'{{"channel":"ticker","type":"{kind}","data":[{row}]}}'

    def ohlc(self, kind: str, rows: Sequence[str], now_us: int) -> str:
        """An ohlc message."""
        return (f'{{"channel":"ohlc","type":"{kind}","timestamp":"{self.stamps.nano(now_us)}",'
                f'"data":[{",".join(rows)}]}}')


def by_number(channel: str, number: int) -> str:
    """The name under which a depth or an interval is subscribed: each stands for itself."""
    return f"{channel}-{number}"
