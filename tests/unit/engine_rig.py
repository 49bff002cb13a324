"""A real World with a clock, a wire and a book that the test moves by hand."""

from __future__ import annotations

import json
import pathlib
from typing import Any

from fastcore.money.journal import Journal
from hftbot.config.schema import Settings
from hftbot.errors import Disconnected
from hftbot.live.world import World
from hftbot.words import events as ev
from hftbot.words.market import BookTrust, Side
from hftbot.words.order import OrderState, Tif
from hftbot.words.ports import Strategy
from kraken_frames import BTC, ETH, TOKEN, ManualClock

BID, ASK = 600_000, 600_010
LOTS = 100_000


class Notes:
    """Keeps what was said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def info(self, text: str) -> None:
        self.lines.append(text)

    warn = error = info

    def said(self, part: str) -> int:
        """How many lines contain a text."""
        return sum(part in line for line in self.lines)


class Voice(Strategy):
    """Remembers what it was told; raises in the handlers named in ``bad``."""

    def __init__(self, name: str = "voice", bad: tuple[str, ...] = ()) -> None:
        self.name = name
        self.bad = bad
        self.told: list[Any] = []

    def _heard(self, where: str, what: Any) -> None:
        self.told.append((where, what))
        if where in self.bad:
            raise RuntimeError(f"planted in {where}")

    def on_start(self, desk: Any) -> None:
        super().on_start(desk)
        self._heard("on_start", desk)

    def on_book(self, book: Any) -> None:
        self._heard("on_book", book)

    def on_trade(self, trade: Any) -> None:
        self._heard("on_trade", trade)

    def on_order(self, event: Any) -> None:
        self._heard("on_order", event)

    def on_fill(self, fill: Any) -> None:
        self._heard("on_fill", fill)

    def on_timer(self, now_us: int) -> None:
        self._heard("on_timer", now_us)

    def on_stop(self) -> None:
        self._heard("on_stop", None)

    def heard(self, kind: type) -> list[Any]:
        """Order events of one kind."""
        return [what for where, what in self.told if where == "on_order"
                and isinstance(what, kind)]


class Rig:
    """``sent`` are the frames that left; ``broken`` makes the wire refuse them."""

    def __init__(self, folder: pathlib.Path, *strategies: Strategy, symbols: Any = (BTC,),
                 journal_bytes: int = 1 << 20, start: bool = True, **told: Any) -> None:
        self.clock = ManualClock()
        self.notes = Notes()
        self.sent: list[bytes] = []
        self.broken = False
        self.path = folder / "journal"
        self.journal = Journal(str(self.path), journal_bytes, b"rig")
        settings = Settings(**{"max_orders_per_min": 6000, "same_order_window_us": 0,
                               "open_orders_max": 100, "kraken_tier": "off", **told})
        self.world = World(settings, symbols, self.clock, self.notes, self.journal, 7)
        self.engine = self.world.engine
        self.table = self.world.table
        self.ledger = self.world.ledger
        self.guard = self.world.guard
        self.ends: list[tuple[int, int]] = []
        self.fills: list[Any] = []
        self.engine.observers.append(self)
        for strategy in strategies:
            self.world.add_strategy(strategy)
        self.world.set_token(TOKEN)
        self.quote()
        self.world.router.attach(self.send)
        self.guard.set_ready(True)
        self.engine.blind = False
        self.world.refresh_limits()
        if start:
            self.engine.start()

    def on_fill(self, fill: Any, grid: Any, bid: int, ask: int) -> None:
        """Observer."""
        self.fills.append(fill)

    def on_done(self, client_id: int, state: Any, reason: str, ts_us: int) -> None:
        """Observer."""
        self.ends.append((client_id, int(state)))

    def send(self, frame: memoryview) -> None:
        """The wire."""
        if self.broken:
            raise Disconnected("not sent: the connection is closed")
        self.sent.append(bytes(frame))

    def quote(self, bid: int = BID, ask: int = ASK, index: int = 0) -> None:
        """A trusted touch, seen now."""
        book = self.engine.books[index]
        book.clear()
        book.update(0, bid, 10**8)
        book.update(1, ask, 10**8)
        book.trust = BookTrust.TRUSTED
        self.world.link_seen(self.clock.ns)

    def later(self, seconds: float) -> None:
        """Time passes; the market link stays alive."""
        self.clock.us += round(seconds * 1e6)
        self.clock.ns += round(seconds * 1e9)
        self.world.link_seen(self.clock.ns)

    def desk(self, voice: int = 0) -> Any:
        """The desk of one strategy."""
        return self.engine.voices[voice][1]

    def buy(self, lots: int = LOTS, ticks: int = ASK, tif: int = Tif.IOC, voice: int = 0,
            side: int = Side.BUY) -> int:
        """Place an order that must be allowed; its ClientId."""
        client_id = self.desk(voice).place(0, side, ticks, lots, tif)
        assert client_id > 0, client_id
        return client_id

    def sell(self, lots: int = LOTS, ticks: int = BID, tif: int = Tif.IOC) -> int:
        """See ``buy``."""
        return self.buy(lots, ticks, tif, side=Side.SELL)

    def tell(self, *events: Any) -> None:
        """Private events arrive."""
        self.engine.on_events(events)

    def ack(self, client_id: int) -> None:
        self.tell(ev.OrderAcked(client_id, "V", self.clock.us))

    def fill(self, client_id: int, lots: int = LOTS, fill_id: str = "F1", side: int = Side.BUY,
             ticks: int = ASK, fee_e10: int = 0, instrument: int = 0) -> None:
        self.tell(ev.OrderFilled(client_id, "V", fill_id, instrument, side, ticks, lots, fee_e10,
                                 False, self.clock.us))

    def done(self, client_id: int, state: int = OrderState.CANCELED, lots: int = 0) -> None:
        self.tell(ev.OrderDone(client_id, OrderState(state), lots, "", self.clock.us))

    def doubt(self, client_id: int) -> None:
        self.tell(ev.OrderDoubt(client_id, "planted", self.clock.us))

    def cancels(self) -> int:
        """How many orders the sent frames cancel, one by one or in batches."""
        return sum(len(json.loads(frame)["params"]["cl_ord_id"]) for frame in self.sent
                   if b"cancel_order" in frame or b"batch_cancel" in frame)

    def state(self, client_id: int) -> int:
        """OrderState; 0 if its row was freed."""
        return int(self.table.state(self.table.find(client_id)))

    def lots(self, index: int = 0) -> int:
        """Net position."""
        return self.ledger.position_lots(index)

    def held(self) -> tuple[int, int, int]:
        """Open buy lots, open sell lots, open orders, as the guard counts them."""
        exposure = self.world.gates[0].exposure
        return exposure.open_lots(0), exposure.open_lots(1), self.world.account.open_orders


BOTH = (BTC, ETH)
