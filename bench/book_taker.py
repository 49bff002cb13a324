"""A strategy for benches: an IOC on every book, bought and sold in turn, smallest size."""

from __future__ import annotations

from hftbot import Side, Strategy, Tif


class BookTaker(Strategy):
    """Answers every book with an order; not meant to earn."""

    name = "book_taker"

    def on_book(self, book):
        instrument = self.desk.instruments()[book.instrument]
        held = self.desk.position_lots(book.instrument)
        if held > instrument.lots_min:
            self.desk.place(book.instrument, Side.SELL, book.best_bid(), held, Tif.IOC)
        else:
            lots = max(instrument.lots_min * 2, instrument.lots_below(
                10.0 / instrument.price(book.best_ask())))
            self.desk.place(book.instrument, Side.BUY, book.best_ask(), lots, Tif.IOC)
