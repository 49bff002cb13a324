"""Every kill goes down one path: no new exposure after its stamp, all cancelled, reason kept."""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from typing import Any

import pytest

from hftbot.app import halting
from hftbot.app.halting import HaltKeeper
from hftbot.engine.guard import ACTIVE, HALTED
from hftbot.errors import Halted, TransportError
from hftbot.store.halt_file import HaltFile, KillFile
from hftbot.words.market import Side
from hftbot.words.order import Tif
from hftbot.words.ports import Strategy
from hftbot.words.secret import Secret
from world.ring import Ring
from world.tamper import Tamper, method, play

AT_S = 5.0
ACCOUNT = "sim:planted"
Plan = Callable[[Ring, Tamper, pathlib.Path], None]


class Restless(Strategy):
    """Holds a position, rests orders and takes more whenever it may; never gives up."""

    name = "restless"

    def __init__(self) -> None:
        self.asked = 0
        self.bought_us = 0

    def on_book(self, book: Any) -> None:
        self.asked += 1
        if len(self.desk.open_orders()) < 3:
            self.desk.place(0, Side.BUY, book.best_bid() - 500 - self.asked % 50, 10_000,
                            Tif.GTC)
        if self.desk.now_us() - self.bought_us > 250_000:
            self.bought_us = self.desk.now_us()
            self.desk.place(0, Side.BUY, book.best_ask() + 5, 5_000, Tif.IOC)

    def on_order(self, event: Any) -> None:
        self.on_book(self.desk.book(0))


def by_file(ring: Ring, tamper: Tamper, folder: pathlib.Path) -> None:
    ring.venue.loop.call_later(AT_S, (folder / "KILL").write_text, "planted")


def by_command(ring: Ring, tamper: Tamper, folder: pathlib.Path) -> None:
    """What ``hftbot kill --reason`` does while a bot runs."""
    ring.venue.loop.call_later(AT_S, KillFile(folder).ask, "planted")


def by_signal(ring: Ring, tamper: Tamper, folder: pathlib.Path) -> None:
    """What the handler of SIGQUIT does; tests/journeys sends a real one."""
    ring.venue.loop.call_later(AT_S, ring.session.fail, "killed: by signal SIGQUIT")


def by_loss(ring: Ring, tamper: Tamper, folder: pathlib.Path) -> None:
    """The market falls: all that is held is worth much less, once."""
    profit = ring.world.engine.profit_net

    def fallen() -> float:
        return profit() - (40.0 if ring.venue.loop.time() > AT_S else 0.0)
    ring.world.engine.profit_net = fallen  # type: ignore[method-assign]


def by_latency(ring: Ring, tamper: Tamper, folder: pathlib.Path) -> None:
    """Answers and reports wait a second on their way."""
    def inbound(frame: bytes) -> list[bytes]:
        slow = ring.world.engine.trading and ring.venue.loop.time() > AT_S
        if not slow or method(frame) not in ("add_order", "executions"):
            return [frame]
        ring.venue.loop.call_later(1.0, ring.session.private_frame, frame, 0,
                                   ring.venue.clock.mono_ns() + 10**9)
        return []
    tamper.inbound = inbound


def by_blindness(ring: Ring, tamper: Tamper, folder: pathlib.Path) -> None:
    """The trading link goes and stays away for a while; the market is seen all the time."""
    fetch = ring.session._fetch_token

    async def refused() -> Secret:
        if AT_S <= ring.venue.loop.time() < AT_S + 12.0:
            raise TransportError("planted: unreachable")
        return await fetch()
    ring.session._fetch_token = refused
    ring.venue.loop.call_later(AT_S, tamper.cut, "private")


KILLS: dict[str, tuple[Plan, str]] = {
    "file": (by_file, "killed: planted"), "command": (by_command, "killed: planted"),
    "signal": (by_signal, "killed: by signal SIGQUIT"), "loss": (by_loss, "daily loss"),
    "latency": (by_latency, "latency limit"), "blindness": (by_blindness, "blind: no private"),
}


@pytest.mark.fault("K3")
@pytest.mark.law(7)
@pytest.mark.parametrize("kill", KILLS)
def test_kill_stops_new_exposure_cancels_all_and_is_kept(kill: str, tmp_path: pathlib.Path) -> None:
    plant, words = KILLS[kill]
    stamps_s: list[float] = []
    left_s: list[float] = []

    def plan(ring: Ring, tamper: Tamper) -> None:
        keeper = HaltKeeper(tmp_path, ACCOUNT, True, str)
        ring.session.on_halt, ring.session.kill_asked = keeper.keep, keeper.kill_asked
        clock, moved = ring.venue.loop.time, ring.world.guard._on_state
        sent = ring.world.router._sent

        def noted(what: str, client_id: int, now_ns: int) -> None:
            if what == "add_order":
                left_s.append(clock())
            sent(what, client_id, now_ns)

        def halted(state: int, reason: str) -> None:
            if state == HALTED:
                stamps_s.append(clock())
            moved(state, reason)
        ring.world.router._sent = noted
        ring.world.guard._on_state = halted
        plant(ring, tamper, tmp_path)

    ring, _ = play(60.0, Restless(), plan, bot={
        "fills_in_row_max": 10_000, "kill_latency_us": 500_000,
        "kill_latency_after_us": 1_000_000, "blind_max_us": 3_000_000})
    assert ring.world.guard.state == HALTED
    assert ring.world.guard.sticky
    assert len(stamps_s) == 1
    # Not one order left after the stamp, although the strategy went on asking.
    assert AT_S - 1.0 < max(left_s) <= stamps_s[0]
    assert ring.world.engine.rows.denials
    assert ring.session.stop_reason.startswith(("halted: ", "killed: "))
    # The exchange's own list is empty, and we were told so.
    assert not ring.venue.face.desk.orders
    assert ring.session.open_at_exit == 0
    kept = HaltFile(tmp_path).of(ACCOUNT)
    assert kept is not None
    assert words in kept.reason
    assert not (tmp_path / "KILL").exists()
    # Within a second of its cause; blindness, latency after what the settings say.
    assert AT_S <= stamps_s[0] <= AT_S + (8.0 if kill in ("blindness", "latency") else 0.2)


class Adder(Strategy):
    """Buys a little again and again; after a while it would also sell."""

    name = "adder"

    def __init__(self) -> None:
        self.next_us = 0
        self.sold = 0

    def on_book(self, book: Any) -> None:
        now_us = self.desk.now_us()
        if now_us < self.next_us or self.desk.open_orders():
            return
        self.next_us = now_us + 100_000
        if self.desk.place(0, Side.BUY, book.best_ask() + 5, 10_000, Tif.IOC) < 0:
            held = self.desk.position_lots(0)
            if held and self.desk.place(0, Side.SELL, book.best_bid() - 5, held, Tif.IOC) > 0:
                self.sold += 1


@pytest.mark.law(7)
def test_repeated_fills_stop_a_strategy_until_a_human_resumes(tmp_path: pathlib.Path) -> None:
    """The 51st fill in a row: entries end, the exit still goes, the next start is refused."""
    def plan(ring: Ring, tamper: Tamper) -> None:
        ring.session.on_halt = HaltKeeper(tmp_path, ACCOUNT, True, str).keep
    adder = Adder()
    ring, _ = play(30.0, adder, plan, bot={"same_order_window_us": 0})
    buys = [fill for fill in ring.witness.fills if fill.side == Side.BUY]
    assert len(buys) >= 51
    assert ring.world.account.is_disabled(1)
    assert ring.world.engine.rows.denials["DENY_REPEATED_FILLS"] > 0
    assert adder.sold >= 1
    assert ring.world.ledger.position_lots(0) == 0
    assert ring.world.guard.state == ACTIVE
    assert ring.session.stop_reason == "duration reached"
    with pytest.raises(Halted, match="strategy adder: more than 50 fills in a row"):
        halting.refuse(tmp_path, ACCOUNT)
    halting.resume(str(tmp_path), True, 1)
    halting.refuse(tmp_path, ACCOUNT)
