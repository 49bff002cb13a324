"""A market order by order, written the slow way, and what its level 3 clients have to be told."""

from __future__ import annotations

import zlib
from decimal import Decimal

from hftbot.venue.kraken import codec
from kraken_frames import Raw, written


class SlowVenue:
    """All orders of a market; says what a client that sees ``depth`` levels has to be told."""

    def __init__(self, grid, depth, rng):
        self.grid, self.depth, self.rng = grid, depth, rng
        self.orders = {}
        self.clock_ns = 1_780_000_000_000_000_000
        self.made = 0

    def stamp(self, now_ns):
        return f"{codec.stamp(now_ns // 1000, 6)[:-1]}{now_ns % 1000:03}Z"

    def prices(self, side):
        return sorted({order["ticks"] for order in self.orders.values() if order["side"] == side},
                      reverse=side == 0)[:self.depth]

    def visible(self):
        windows = [set(self.prices(side)) for side in (0, 1)]
        return {name for name, order in self.orders.items()
                if order["ticks"] in windows[order["side"]]}

    def row(self, name, event=""):
        order = self.orders[name]
        told = {"event": event} if event else {}
        told.update(order_id=name, limit_price=Raw(self.grid.price_text(order["ticks"])),
                    order_qty=Raw(self.grid.qty_text(order["lots"])),
                    timestamp=self.stamp(order["ns"]))
        return told

    def queue(self, side):
        """(price, [orders]) of the window, best first, in the order of their time."""
        return [(ticks, sorted((o for o in self.orders.values()
                                if (o["side"], o["ticks"]) == (side, ticks)),
                               key=lambda o: (o["ns"], o["number"])))
                for ticks in self.prices(side)]

    def checksum(self):
        def digits(units, precision):
            return f"{Decimal(units).scaleb(-precision):.{precision}f}".replace(
                ".", "").lstrip("0")
        text = "".join(
            digits(ticks * self.grid.tick_units, self.grid.price_precision)
            + digits(order["lots"] * self.grid.lot_units, self.grid.qty_precision)
            for side in (1, 0) for ticks, orders in self.queue(side)[:10] for order in orders)
        return zlib.crc32(text.encode())

    def frame(self, kind, sides):
        row = {"symbol": self.grid.symbol, "checksum": self.checksum(), "bids": sides[0],
               "asks": sides[1], "timestamp": self.stamp(self.clock_ns)}
        return written({"channel": "level3", "type": kind, "data": [row]}).encode()

    def snapshot(self):
        return self.frame("snapshot", [
            [self.row(order["name"]) for _, orders in self.queue(side) for order in orders]
            for side in (0, 1)])

    def happen(self):
        """Something happens: the update that tells of it, or b"" if it was out of sight."""
        before = self.visible()
        self.clock_ns += self.rng.randrange(1, 10**7)
        names = list(self.orders)
        what = self.rng.choice(("add", "add", "add", "modify", "delete", "delete")) \
            if len(names) > 8 else "add"
        sides = [[], []]
        if what == "add":
            self.made += 1
            name = f"O{self.made:05}-AAAAA-BBBBBB"
            side = self.rng.randrange(2)
            away = int(self.rng.expovariate(0.12)) + 1
            self.orders[name] = {"name": name, "side": side, "number": self.made,
                                 "ticks": 20_000 + (away if side else -away),
                                 "lots": self.rng.randrange(1, 10**6), "ns": self.clock_ns}
        else:
            name = self.rng.choice(names)
            if what == "delete":
                gone = self.row(name, "delete")
                side = self.orders.pop(name)["side"]
                if name in before:
                    sides[side].append(gone)
            else:
                order = self.orders[name]
                if self.rng.randrange(2):
                    order["ns"] = self.clock_ns
                order["lots"] = self.rng.randrange(1, 10**6)
        after = self.visible()
        for shown in sorted(after - before):
            sides[self.orders[shown]["side"]].append(self.row(shown, "add"))
        if what == "modify" and name in after & before:
            sides[self.orders[name]["side"]].append(self.row(name, "modify"))
        return self.frame("update", sides) if sides[0] or sides[1] else b""


def update(venue):
    """The next update that such a client gets."""
    return next(frame for frame in iter(venue.happen, None) if frame)
