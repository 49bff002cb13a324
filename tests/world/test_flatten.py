"""Closing positions: at a stop, at a halt, on request; inside the collar, proved by the venue."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from typing import Any

import pytest

from hftbot.app import control_commands
from hftbot.app.jobs import TradeJob
from hftbot.engine.guard import HALTED, REDUCING
from hftbot.errors import ConfigError
from hftbot.live.flatten import Closing, Flattener, Leaving, sentence
from hftbot.words.market import Side
from hftbot.words.order import OPERATOR, Tif, client_id_parts
from hftbot.words.ports import Strategy
from world.ring import PRIVATE, Ring
from world.tamper import Tamper, play, wrong

LOTS = 200_000
HALT_S = 4.0


class Buyer(Strategy):
    """Buys a position in pieces, keeps an order resting, and buys again whatever it lost."""

    name = "buyer"

    def __init__(self, pieces: int = 3) -> None:
        self.pieces = pieces
        self.denied = 0

    def on_timer(self, now_us: int) -> None:
        book = self.desk.book(0)
        if len(self.desk.open_orders()) == 0 and book.has_bid():
            self.desk.place(0, Side.BUY, book.best_bid() - 900, LOTS, Tif.GTC)
        if self.desk.position_lots(0) < self.pieces * LOTS and book.has_ask():
            self.denied += self.desk.place(0, Side.BUY, book.best_ask() + 20, LOTS) < 0


def leave(ring: Ring, on_stop: str = "hold", on_halt: str = "hold") -> Leaving:
    """What compose ties to a session."""
    leaving = Leaving(Flattener(ring.world, ring.session.wait_condition,
                                lambda: ring.session.hurried), on_stop, on_halt)
    ring.session.leaving = leaving
    return leaving


def operator_orders(tamper: Tamper) -> list[dict[str, Any]]:
    """What was sent on nobody's strategy's behalf."""
    from hftbot.venue.kraken import codec
    return [add for add in tamper.adds()
            if client_id_parts(codec.client_id_parse(add["cl_ord_id"])).strategy == OPERATOR]


def finished(seconds: float = 5.0, plan: Any = None, on_stop: str = "flatten",
             on_halt: str = "hold", pieces: int = 3,
             **told: Any) -> tuple[Ring, Tamper, Leaving]:
    kept: list[Leaving] = []

    def script(ring: Ring, tamper: Tamper) -> None:
        kept.append(leave(ring, on_stop, on_halt))
        if plan is not None:
            plan(ring, tamper)
    ring, tamper = play(seconds, Buyer(pieces), script, **told)
    return ring, tamper, kept[0]


def test_flatten_at_the_stop_sells_all_and_the_venue_agrees() -> None:
    ring, tamper, leaving = finished()
    assert ring.world.ledger.position_lots(0) == 0
    assert wrong(ring, tamper) == []
    closing, = leaving.closings
    assert closing.flat
    assert closing.held_lots == 3 * LOTS
    assert all((order["side"], order["time_in_force"]) == ("sell", "ioc")
               for order in operator_orders(tamper))
    assert leaving.lines() == (sentence(closing, ring.world.instruments[0].qty_text),)
    assert "0.00600000 closed by" in leaving.lines()[0]
    assert set(ring.world.engine.rows.reasons.values()) <= {"exit flatten"}


def test_flatten_is_not_done_unless_asked_for() -> None:
    ring, tamper, leaving = finished(on_stop="hold", on_halt="flatten")
    assert ring.world.ledger.position_lots(0) == 3 * LOTS
    assert (leaving.closings, operator_orders(tamper)) == ([], [])
    assert wrong(ring, tamper) == []


@pytest.mark.parametrize(("on_halt", "left"), [("flatten", 0), ("hold", 3 * LOTS)])
def test_flatten_at_a_halt_lets_exits_through_and_nothing_else(on_halt: str, left: int) -> None:
    """The guard stays HALTED all the while; the strategy wants to buy more and may not."""
    states: list[int] = []

    def plan(ring: Ring, tamper: Tamper) -> None:
        ring.venue.loop.call_later(HALT_S, ring.world.guard.halt, "planted")
        before = ring.world.on_halt
        ring.world.on_halt = lambda: (before(), tamper.sent.clear())[0]
        ring.session.on_tick = lambda now_us: states.append(ring.world.guard.state)
    ring, tamper, leaving = finished(20.0, plan, on_stop="flatten", on_halt=on_halt)
    assert ring.world.guard.state == HALTED
    assert states[-1] == HALTED
    assert sorted(set(states)) == [0, HALTED]
    assert ring.world.ledger.position_lots(0) == left
    assert all(order["side"] == "sell" for order in tamper.adds())
    assert bool(operator_orders(tamper)) == (on_halt == "flatten")
    assert ring.session.open_at_exit == 0
    assert [closing.flat for closing in leaving.closings] == [True] * (on_halt == "flatten")


def test_flatten_slices_what_is_worth_more_than_one_order() -> None:
    _, tamper, leaving = finished(bot={"order_value_usd_max": Decimal(150)})
    assert leaving.closings[0].flat
    assert len(operator_orders(tamper)) >= 3
    assert all(float(order["order_qty"]) * float(order["limit_price"]) <= 150
               for order in operator_orders(tamper))


def test_flatten_stays_inside_the_collar() -> None:
    """One hundredth of a percent: no price further below the bid leaves."""
    bids: list[int] = []
    handles: list[int] = []

    def plan(ring: Ring, tamper: Tamper) -> None:
        place = ring.world.router.close_out

        def watched(*what: int) -> int:
            bid = ring.world.engine.books[0].best_bid()
            bids.append(what[3] - (bid - bid // 10_000 - 1))
            handles.append(int(place(*what)))
            return handles[-1]
        ring.world.router.close_out = watched  # type: ignore[method-assign]
    _, _, leaving = finished(plan=plan, bot={"collar_bps": 1})
    assert bids
    assert min(bids) >= 0
    assert min(handles) >= 0
    assert leaving.closings[0].flat


def test_flatten_names_dust_and_does_not_try_to_sell_it() -> None:
    def plan(ring: Ring, tamper: Tamper) -> None:
        def dust() -> None:
            ring.world.gates[0].lots_min = 100 * LOTS
        ring.venue.loop.call_later(HALT_S, dust)
    ring, tamper, leaving = finished(plan=plan)
    closing, = leaving.closings
    assert closing.dust
    assert closing.flat
    assert closing.left_lots == ring.world.ledger.position_lots(0) == 3 * LOTS
    assert operator_orders(tamper) == []
    assert "is held, less than the venue's minimum" in leaving.lines()[0]


def test_flatten_touches_nothing_where_the_venues_balance_differs() -> None:
    """Somebody else moved coins: what is ours is not known, so nothing is sold."""
    def plan(ring: Ring, tamper: Tamper) -> None:
        def stolen() -> None:
            ring.world.ledger.balances_e10["BTC"] = 0
        ring.venue.loop.call_later(HALT_S, stolen)
    ring, tamper, leaving = finished(plan=plan, bot={"reconcile_interval_us": 86_400_000_000})
    assert operator_orders(tamper) == []
    assert not leaving.closings[0].flat
    assert "NOT closed, 0.00600000 of 0.00600000 is left: not touched" in leaving.lines()[0]
    assert any("NOT closed" in line for line in ring.notes.lines)


def test_flatten_that_is_never_answered_says_so() -> None:
    """Its order is lost on the way: it is in doubt, nothing is sent twice, nothing is claimed."""
    def plan(ring: Ring, tamper: Tamper) -> None:
        def lose() -> None:
            tamper.outbound = lambda frame: [] if b'"add_order"' in frame else [frame]
        ring.venue.loop.call_later(HALT_S, lose)
    ring, tamper, leaving = finished(plan=plan)
    closing, = leaving.closings
    assert not closing.flat
    assert closing.left_lots == 3 * LOTS
    names = [order["cl_ord_id"] for order in operator_orders(tamper)]
    assert len(names) == len(set(names)) >= 1
    assert "NOT closed" in leaving.lines()[0]
    assert ring.session.open_at_exit == 0


def test_flatten_is_given_up_at_the_second_ctrl_c() -> None:
    """Its order is not answered; the second Ctrl-C ends the wait."""
    def plan(ring: Ring, tamper: Tamper) -> None:
        def lose() -> None:
            tamper.outbound = lambda frame: [] if b'"add_order"' in frame else [frame]
        ring.venue.loop.call_later(HALT_S, lose)
        ring.venue.loop.call_later(HALT_S + 2, ring.session.stop, "Ctrl-C")
        ring.venue.loop.call_later(HALT_S + 3, ring.session.stop, "Ctrl-C")
    ring, _, leaving = finished(20.0, plan)
    assert not leaving.flat
    assert ring.venue.loop.time() < HALT_S + 6
    assert "NOT closed" in leaving.lines()[0]


def test_flatten_that_fails_leaves_the_proof_that_no_order_is_open() -> None:
    def plan(ring: Ring, tamper: Tamper) -> None:
        ring.world.router.close_out = None  # type: ignore[method-assign, assignment]
    ring, _, leaving = finished(plan=plan)
    assert leaving.failed.startswith("TypeError")
    assert not leaving.flat
    assert ring.session.open_at_exit == 0
    assert any("closing positions failed" in line for line in ring.notes.lines)
    job = TradeJob(Buyer())
    assert job.finish(ring.session, 0, False, print) == 0
    job.attach(ring.session, leaving)
    assert job.finish(ring.session, 0, False, print) == 4
    assert job.finish(ring.session, 5, False, print) == 5


def test_flatten_leaves_no_dust_between_two_orders() -> None:
    """Slices whose rest would be below the minimum share it with the last one."""
    def plan(ring: Ring, tamper: Tamper) -> None:
        def odd() -> None:
            gate = ring.world.gates[0]
            gate.order_value_max = (3 * LOTS - 2_000) * ring.world.engine.books[0].best_bid()
        ring.venue.loop.call_later(HALT_S, odd)
    ring, _, leaving = finished(plan=plan)
    assert leaving.closings[0].left_lots == 0
    assert ring.world.ledger.position_lots(0) == 0


def test_flatten_of_a_running_bot_keeps_the_market_closed() -> None:
    answers: list[dict[str, Any]] = []

    def plan(ring: Ring, tamper: Tamper) -> None:
        flattener = Flattener(ring.world, ring.session.wait_condition)

        async def asked() -> None:
            with pytest.raises(ConfigError, match="this bot trades BTC/USD"):
                await control_commands.close(ring.session, flattener, ["ETH/USD"])
            with pytest.raises(ConfigError, match="a list of texts"):
                await control_commands.close(ring.session, flattener, "BTC/USD")
            answers.append(await control_commands.close(ring.session, flattener, []))
        ring.venue.loop.call_later(HALT_S, lambda: asyncio.ensure_future(asked()))
    ring, tamper, _ = finished(12.0, plan, on_stop="hold")
    answer, = answers
    assert json.dumps(answer)
    assert answer["flat"] is True
    assert answer["open_orders"] == 0
    assert answer["closed"][0]["held_lots"] == 3 * LOTS
    assert ring.world.ledger.position_lots(0) == 0
    assert ring.world.engine.rows.denials["DENY_POSITION"] > 10
    assert wrong(ring, tamper) == []


def test_cancel_all_of_a_running_bot() -> None:
    answers: list[dict[str, Any]] = []

    def plan(ring: Ring, tamper: Tamper) -> None:
        async def asked() -> None:
            answers.append(await control_commands.cancel_all(ring.session))
        ring.venue.loop.call_later(HALT_S, lambda: asyncio.ensure_future(asked()))
    finished(8.0, plan, on_stop="hold")
    assert answers == [{"asked": 1, "open_orders": 0}]


@pytest.mark.parametrize(("told", "sold"), [
    ({"venue": "live"}, False), ({"venue": "live", "holdings": "leave"}, False),
    ({"venue": "live", "holdings": "adopt"}, True), ({"venue": "sim"}, True)])
def test_coins_that_were_there_before_are_left_alone_on_a_live_venue(
        told: dict[str, str], sold: bool) -> None:
    """A first run on an account that holds coins, with positions closed at the end."""
    coins = Decimal("0.01")
    ring, _, _ = finished(
        on_stop="flatten", pieces=0, bot=told,
        balances={"USD": Decimal(10_000), "BTC": coins, "ETH": Decimal(0)})
    left = Decimal(ring.venue.face.account.balances["BTC"]).scaleb(-10)
    assert left == (0 if sold else coins)
    assert ring.world.ledger.position_lots(0) == 0
    said = [line for line in ring.session.reconciler.report.remarks if "never sold" in line]
    assert said == ([] if sold else ["0.01000000 BTC on the account are not this bot's: never "
                                     "counted, never sold (HOLDINGS=leave)"])
    assert ring.world.gates[0].funds_lots == 0


sending: list[Any] = []


def by_hand(ring: Ring, side: str, name: str = "") -> None:
    """Somebody else trades on the account, over a connection of his own, as a taker."""
    face = ring.venue.face
    own = ring.world.engine.books[0]
    price = (own.best_ask() + 300 if side == "buy" else own.best_bid() - 300) / 10
    params = {"order_type": "limit", "side": side, "symbol": "BTC/USD", "order_qty": LOTS / 1e8,
              "limit_price": price, "token": face.gate.issue(face.now_us)}
    if name:
        params["cl_ord_id"] = name
    frame = json.dumps({"method": "add_order", "params": params, "req_id": 1}).encode()

    async def send() -> None:
        wire = await ring.venue.connect(PRIVATE, lambda *frame: None, lambda reason: None)
        wire.send(frame)
    sending.append(asyncio.ensure_future(send()))


class Seller(Strategy):
    """Sells whatever it is said to hold, as strategies do with a position that is too old."""

    name = "seller"

    def on_timer(self, now_us: int) -> None:
        book, lots = self.desk.book(0), self.desk.position_lots(0)
        if lots > 0 and book.has_bid():
            self.desk.place(0, Side.SELL, book.best_bid() - 50, lots)


@pytest.mark.parametrize(("holdings", "left"), [("leave", 2 * LOTS), ("adopt", 0)])
@pytest.mark.fault("V11")
def test_coins_that_somebody_buys_by_hand_meanwhile_are_left_alone(holdings: str,
                                                                   left: int) -> None:
    """On the same account, while the bot runs; the guard sees no difference in that."""
    def plan(ring: Ring, tamper: Tamper) -> None:
        leave(ring, "flatten")
        for at_s, name in ((HALT_S, "by-hand"), (HALT_S + 1, "")):
            ring.venue.loop.call_later(at_s, by_hand, ring, "buy", name)
    ring, _ = play(12.0, Seller(), plan, bot={"venue": "live", "holdings": holdings,
                                              "reconcile_interval_us": 4_700_000})
    assert ring.world.engine.external_fills >= 2
    assert ring.venue.face.account.balances["BTC"] == left * 100
    assert ring.world.ledger.position_lots(0) == 0
    assert ring.world.guard.state == 0
    assert ring.world.ledger.aside_e10.get("BTC", 0) == left * 100
    assert ring.world.router.orders_sent == 0 if left else ring.world.router.orders_sent > 0


def test_coins_that_somebody_sells_by_hand_are_not_taken_for_ours() -> None:
    """More than was theirs: then our position is doubtful, and only exits pass."""
    def plan(ring: Ring, tamper: Tamper) -> None:
        leave(ring)
        ring.venue.loop.call_later(HALT_S, by_hand, ring, "sell")
        ring.venue.loop.call_later(HALT_S + 4, by_hand, ring, "sell")
        ring.venue.loop.call_later(HALT_S + 3, lambda: states.append(ring.world.guard.state))
    states: list[int] = []
    ring, _ = play(20.0, Buyer(1), plan, bot={"venue": "live",
                                              "reconcile_interval_us": 4_700_000},
                   balances={"USD": Decimal(10_000), "BTC": Decimal("0.002"), "ETH": Decimal(0)})
    assert states == [0]
    assert ring.world.guard.state == REDUCING
    assert ring.world.ledger.position_lots(0) == LOTS


def test_what_is_said_of_a_market_where_nothing_was_held() -> None:
    assert sentence(Closing("BTC/USD", 0, proved=True), str) == "BTC/USD: nothing was held"
    assert "the venue could not be asked" in sentence(Closing("BTC/USD", 5, left_lots=5), str)


@pytest.mark.parametrize(("left", "orders", "words"), [
    (0, 1, "5 closed by 1 IOC order, the venue's balance agrees"),
    (2, 3, "5 closed by 3 IOC orders, the venue's balance agrees; 2 is left, less than"),
    (0, 0, "5 closed by an order that was already out, the venue's balance agrees"),
    (2, 0, "5 closed by an order that was already out, the venue's balance agrees; 2 is left"),
    (5, 0, "5 is held, less than the venue's minimum")])
def test_flatten_says_what_closed_the_position(left: int, orders: int, words: str) -> None:
    closing = Closing("BTC/USD", 5, left, orders, dust=left > 0, proved=True)
    assert sentence(closing, str).startswith(f"BTC/USD: {words}")
