"""In one process: frame bytes -> feed, lane, engine, a Python strategy, guard, desk -> order bytes.

These are the calls that ``live.session`` makes for a market frame, with the world that it is given;
only the socket is missing. The unit J is json.loads of one fixed frame in the same block.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from fastcore.money.journal import Journal
from harness import Gate, side_j
from hftbot import Side, Strategy, Tif
from hftbot.config.schema import Settings
from hftbot.live.session import Session
from hftbot.live.world import World
from hftbot.words.instrument import Instrument
from hftbot.words.secret import Secret
from kraken_market import PRICE_PRECISION, QTY_PRECISION, SYMBOL, Market

FRAMES = 256
PADDING = 64
SECOND_NS = 10**9


class Silent:
    """Notes that nobody reads."""

    def info(self, text: str) -> None:
        """Said and gone."""

    warn = error = info


class StepClock:
    """A clock that the bench moves: a second a frame, so that no budget of messages runs out."""

    def __init__(self) -> None:
        self.ns = 10**15

    def now_us(self) -> int:
        return 1_693_353_600_000_000 + self.ns // 1000

    def mono_ns(self) -> int:
        return self.ns


class Taker(Strategy):
    """Buys a little at the ask whenever the book leans its way or not: one order a frame."""

    name = "taker"

    def on_start(self, desk: object) -> None:
        self.desk = desk
        self.leaned = 0

    def on_book(self, book: object) -> None:
        bid_lots, ask_lots = book.best_bid_lots(), book.best_ask_lots()
        if bid_lots > 3 * ask_lots:
            self.leaned += 1
        self.desk.place(book.instrument, Side.BUY, book.best_ask(), 10_000, Tif.IOC,
                        reason="always")


class Wire:
    """Keeps the last order."""

    def __init__(self) -> None:
        self.sent = 0
        self.last = b""

    def send(self, frame: memoryview) -> None:
        """Count and copy, as a socket would."""
        self.sent += 1
        self.last = bytes(frame)


class Bot:
    """A whole bot without a socket; ``run`` is one market frame."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.wire = Wire()
        self.clock = StepClock()
        market = Market()
        self.snapshot = market.snapshot()
        frames = market.updates(FRAMES)
        self.memory = bytearray(b"".join(frame + bytes(PADDING) for frame in frames))
        self.views, at = [], 0
        for frame in frames:
            self.views.append(memoryview(self.memory)[at:at + len(frame)])
            at += len(frame) + PADDING
        self.at = self.frames = 0
        self.renew()

    def renew(self) -> None:
        """A new world, as at the start of a run."""
        path = self.folder / "journal"
        path.unlink(missing_ok=True)
        settings = Settings(max_orders_per_min=6000, order_value_usd_max=Decimal(10**6),
                            position_usd_max=Decimal(10**6), gross_usd_max=Decimal(10**6))
        grid = Instrument(0, "kraken", SYMBOL.decode(), "BTC", "USD", PRICE_PRECISION,
                          QTY_PRECISION, lots_min=1)
        self.world = World(settings, [grid], self.clock, Silent(),
                           Journal(path, 4 << 20, b"bench"), 1)
        self.world.account.open_orders_max = 10**6
        # Nobody answers here: the venue's counter counts every order and has room for all.
        self.world.limits.trading.set_limits(10**6, 375, 45, 10**6)
        self.world.add_strategy(Taker())
        self.world.set_token(Secret("T" * 44))
        self.world.ledger.balances_e10.update({"USD": 10**17, "BTC": 0})
        self.session = Session(self.world, None, 50_000, 5_000_000)
        self.session.public_frame(self.snapshot, 0, self.clock.ns)
        self.world.refresh_limits()
        self.world.guard.refresh_funds(self.world.ledger)
        self.world.guard.set_ready(True)
        self.world.engine.router.attach(self.wire.send)
        self.world.engine.start()
        self.at = 0

    def run(self) -> None:
        """One frame in, one order out."""
        self.clock.ns += SECOND_NS
        view = self.views[self.at]
        self.at = (self.at + 1) % FRAMES
        self.frames += 1
        self.session.public_frame(view, PADDING, self.clock.ns)


def test_frame_to_order(gate: Gate, tmp_path: Path) -> None:
    """At most 3 J at the median and 9 J at the 99th percentile."""
    bot = Bot(tmp_path)
    before = bot.frames
    gate.in_units("frame bytes to order bytes, whole bot", ours=bot.run, unit=side_j,
                  reference="J = json.loads of 176 bytes", at_most=(3, None, 9),
                  before=bot.renew)
    assert bot.wire.sent == bot.frames - before
    assert bot.wire.last.startswith(b'{"method":"add_order"')


def test_each_frame_makes_an_order(tmp_path: Path) -> None:
    """What the bench counts is what happens: every frame a trusted book, every book an order."""
    bot = Bot(tmp_path)
    for _ in range(FRAMES):
        bot.run()
    assert bot.wire.sent == FRAMES
    assert not bot.world.engine.rows.denials
    assert bot.world.feed.statistics()["resyncs"] == 0
