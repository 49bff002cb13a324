"""A strategy of your own: buys when bids outweigh asks at the touch, sells a little later.

Run it on the embedded exchange, with no key and no network:

    hftbot run --strategy examples/touch_taker.py:TouchTaker --duration 30

It is meant to be read and changed, not to earn: it pays the spread on every round trip.

What it shows:

- a strategy is a class derived from ``hftbot.Strategy``; override only the handlers you need;
- the desk is the only thing you speak to: ``self.desk.place(...)`` answers with the order's id,
  or with a negative number if the guard said no (``hftbot.Verdict`` tells why);
- prices are whole ticks and sizes are whole lots; ``Instrument`` converts them exactly;
- handlers never wait: time passes in ``on_timer``, what an order did arrives in ``on_fill``, and
  ``self.desk.open_orders()`` are the ones that may still do something.
"""

from hftbot import Side, Strategy, Tif

HOLD_US = 2_000_000
PAUSE_US = 1_000_000
ORDER_VALUE = 20.0
ONE_SIDED = 3


class TouchTaker(Strategy):
    """One IOC at the touch at a time; holds for two seconds, whatever the price does."""

    name = "touch_taker"

    def on_start(self, desk):
        self.desk = desk
        self.markets = {instrument.index: instrument for instrument in desk.instruments()}
        self.bought_us = {}
        self.next_us = {}
        self.buys = self.sells = self.denied = 0

    def on_book(self, book):
        index = book.instrument
        now_us = self.desk.now_us()
        if now_us < self.next_us.get(index, 0) or self.busy(index):
            return
        if self.desk.position_lots(index) >= self.markets[index].lots_min:
            return
        if book.best_bid_lots() > ONE_SIDED * book.best_ask_lots():
            ticks = book.best_ask()
            self.place(index, Side.BUY, ticks, self.lots(index, ticks), "bids outweigh asks")

    def on_timer(self, now_us):
        for index, instrument in self.markets.items():
            held = self.desk.position_lots(index)
            if held < instrument.lots_min or self.busy(index):
                continue
            self.bought_us.setdefault(index, now_us)
            if now_us - self.bought_us[index] >= HOLD_US and now_us >= self.next_us.get(index, 0):
                self.place(index, Side.SELL, self.desk.book(index).best_bid(), held, "held enough")

    def on_fill(self, fill):
        if fill.side == Side.BUY:
            self.buys += 1
            self.bought_us[fill.instrument] = self.desk.now_us()
        else:
            self.sells += 1

    def statistics(self):
        return {"buys": self.buys, "sells": self.sells, "denied": self.denied}

    def busy(self, index):
        return any(order.instrument == index for order in self.desk.open_orders())

    def lots(self, index, ticks):
        instrument = self.markets[index]
        wanted = instrument.lots_below(ORDER_VALUE / instrument.price(ticks))
        return max(instrument.lots_min, wanted)

    def place(self, index, side, ticks, lots, reason):
        self.next_us[index] = self.desk.now_us() + PAUSE_US
        client_id = self.desk.place(index, side, ticks, lots, Tif.IOC, reason=reason)
        if client_id < 0:
            self.denied += 1
