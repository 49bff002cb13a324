"""The spread maker against a scripted desk: where it quotes, when it moves, what it survives."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hftbot.app.strategies import build_strategy
from hftbot.config.schema import Settings
from hftbot.errors import ConfigError
from hftbot.strategy.spread_maker import SpreadMaker
from hftbot.words.events import CancelRejected, OrderAcked, OrderAmended
from hftbot.words.market import BookTrust, Side, Trade
from hftbot.words.order import OpenOrder, OrderState, Tif
from hftbot.words.verdict import Verdict
from scripted_desk import ScriptedDesk, bitcoin

BID, ASK = 600_000, 600_010
FAIR = 600_005.0
BPS = FAIR / 1e4
SECOND = 1_000_000
STILL = {"measure": False, "risk": 1e-9, "arrival_depth_bps": 2.0}
"""A model without a lean, half a spread of 2 bps."""

class MakerDesk(ScriptedDesk):
    """A ScriptedDesk whose orders rest, move and fill as the test says.

    With ``still`` no level of the book changes. ``moves`` is how the next replace is
    answered: "amend", "renew" (cancel and a new order) or "deny".
    """

    def __init__(self, *instruments, **told):
        super().__init__(*(instruments or (bitcoin(),)), answers=("rest",), **told)
        self.moves = "amend"
        self.moved = []
        self.still = False

    def run(self, span_us, timers=True):
        """Let time pass; further out the book goes on changing, unless it stands ``still``."""
        if not self.still:
            self.books[0].ts_us += 1
        super().run(span_us, timers)

    def check(self, instrument, side, ticks, lots, tif, post_only):
        """Post-only, and never more for sale than is held."""
        assert tif == Tif.GTC
        assert post_only
        bid, _, ask, _ = self.books[instrument].top
        assert ticks < ask if side == Side.BUY else ticks > bid, "would take"
        assert lots >= self.listed[instrument].lots_min
        if side == Side.SELL and not self.allow_short:
            for_sale = sum(order.open_lots for order in self.open.values() if order.side == side
                           and order.instrument == instrument
                           and order.client_id not in self.cancelled)
            assert for_sale + lots <= self.held[instrument], "sells more than it holds"

    def place(self, instrument, side, ticks, lots, tif=Tif.IOC, **named):
        """See words.ports.Desk; as the guard does, it denies what meets an order of ours."""
        for order in self.open.values():
            if order.instrument == instrument and order.side != side \
                    and (ticks >= order.ticks) == (side == Side.BUY):
                self.denied += 1
                return -int(Verdict.DENY_SELF_TRADE)
        return super().place(instrument, side, ticks, lots, tif, **named)

    def replace(self, client_id, ticks, lots):
        """See words.ports.Desk."""
        order = self.open[client_id]
        if self.moves == "deny":
            self.denied += 1
            return -int(Verdict.DENY_VENUE_RATE)
        self.moved.append((client_id, ticks, lots))
        if self.moves == "amend":
            self.waiting.append((self.clock_us + self.delay_us, client_id, order,
                                 f"to {ticks} {lots}"))
            return client_id
        self.cancel(client_id)
        return self.place(order.instrument, order.side, ticks, lots - order.filled_lots, order.tif,
                          post_only=True)

    def answer(self, order, answer):
        if answer.startswith("to ") and order.client_id in self.open:
            _, ticks, lots = answer.split()
            order.ticks, order.lots = int(ticks), int(lots)
            self.strategy.on_order(OrderAmended(order.client_id, order.ticks, order.lots,
                                                self.clock_us))
        elif not answer.startswith("to "):
            super().answer(order, answer)

    def trade(self, order: OpenOrder, lots: int = 0) -> None:
        """Somebody takes a quote, or a part of it."""
        lots = lots or order.open_lots
        order.filled_lots += lots
        self.match(order, lots)
        if order.open_lots == 0:
            self.open.pop(order.client_id, None)

    def quotes(self, side) -> list[OpenOrder]:
        """What rests on a side, innermost first."""
        found = [order for order in self.open.values() if order.side == side]
        return sorted(found, key=lambda order: -order.ticks if side == Side.BUY else order.ticks)


def begin(*instruments, allow_short=False, **told):
    """A desk with a maker on it, and quotes that were acknowledged."""
    desk = MakerDesk(*instruments, allow_short=allow_short)
    desk.start(SpreadMaker(short=allow_short, **{**STILL, **told}))
    desk.show(BID, ASK)
    desk.run(desk.delay_us)
    return desk


def told(desk):
    return desk.strategy.statistics()


def test_without_inventory_a_spot_account_only_bids() -> None:
    desk = begin(levels=3, level_gap_e6=100, order_usd=Decimal(60))
    assert desk.quotes(Side.SELL) == []
    bids = desk.quotes(Side.BUY)
    assert [order.ticks for order in bids] == [
        int(FAIR - BPS * away) for away in (2.0, 3.0, 4.0)]
    assert {order.lots for order in bids} == {60 * 10**9 // BID}
    assert desk.reasons[0] == "quote 0 lean 0.00"


def test_what_was_bought_is_offered_and_with_leave_more() -> None:
    desk = begin(levels=1, order_usd=Decimal(60))
    desk.trade(desk.quotes(Side.BUY)[0])
    assert not desk.quotes(Side.SELL), "the venue has not told the balance yet"
    desk.run(11 * desk.delay_us)
    (ask,) = desk.quotes(Side.SELL)
    assert (ask.lots, ask.ticks) == (desk.held[0], int(FAIR + BPS * 2.0) + 1)
    short = begin(levels=1, allow_short=True)
    assert [len(short.quotes(side)) for side in Side] == [1, 1]


def test_the_account_s_maker_fee_and_the_edge_are_the_least_half_spread() -> None:
    desk = begin(bitcoin(maker_fee_e6=2_500), levels=1, edge_e6=50)
    assert desk.quotes(Side.BUY)[0].ticks == int(FAIR - BPS * 25.5)
    with pytest.raises(ConfigError, match=r"must stand 0.257 % away.*Raise it above 25.7"):
        begin(bitcoin(maker_fee_e6=2_500), half_spread_max_e6=2_000)


def test_a_quote_never_crosses_the_touch() -> None:
    desk = begin(levels=1, arrival_depth_bps=0.01, edge_e6=0, allow_short=True)
    assert desk.quotes(Side.BUY)[0].ticks < ASK
    assert desk.quotes(Side.SELL)[0].ticks > BID
    desk.run(10 * SECOND)
    desk.show(BID, BID + 1, 10**9, 1)
    desk.run(10 * SECOND)
    assert desk.quotes(Side.BUY)[0].ticks < desk.quotes(Side.SELL)[0].ticks


def test_inventory_leans_the_quotes_and_the_target_is_where_they_stand_straight() -> None:
    model = {"levels": 1, "risk": 0.5, "measure": False, "model": "avellaneda",
             "order_usd": Decimal(60), "inventory_usd": Decimal(600), "allow_short": True}

    def middle(held_usd: int, target_usd: int) -> float:
        desk = begin(**model, target_usd=Decimal(target_usd))
        # A price that jumps up and down by one bps each second: 1 bps per square-root second.
        for step in range(200):
            desk.run(SECOND)
            desk.show(BID + 60 * (step % 2), ASK + 60 * (step % 2))
        desk.held[0] = held_usd * 10**9 // BID
        desk.show(BID, ASK)
        for order in list(desk.open.values()):
            desk.answer(order, "none")
        desk.run(SECOND)
        assert told(desk)["symbols"]["BTC/USD"]["volatility_bps"] == pytest.approx(1.0, rel=0.1)
        bid, ask = desk.quotes(Side.BUY)[0].ticks, desk.quotes(Side.SELL)[0].ticks
        return (0.5 * (bid + ask) - FAIR) / BPS

    assert middle(0, 0) == pytest.approx(0.0, abs=0.1)
    # Risk 0.5 * volatility squared * five seconds for every order.
    assert middle(60, 0) == pytest.approx(-2.5, rel=0.2)
    assert middle(-60, 0) == pytest.approx(2.5, rel=0.2)
    assert middle(120, 120) == pytest.approx(0.0, abs=0.1)


def test_the_inventory_is_never_passed() -> None:
    desk = begin(levels=3, order_usd=Decimal(60), inventory_usd=Decimal(150))
    bids = desk.quotes(Side.BUY)
    limit = 150 * 10**9 // BID
    assert sum(order.lots for order in bids) == limit
    assert bids[2].lots < bids[1].lots
    while bids:
        desk.trade(bids[0])
        desk.run(SECOND)
        bids = desk.quotes(Side.BUY)
        assert desk.held[0] + sum(order.open_lots for order in bids) <= limit
    assert desk.held[0] > limit - 10_000
    assert sum(order.lots for order in desk.quotes(Side.SELL)) == desk.held[0]


def test_a_rest_too_small_for_an_order_goes_with_the_last_ask() -> None:
    desk = begin(levels=1, order_usd=Decimal(60))
    desk.held[0] = 60 * 10**9 // BID + 4_000
    desk.run(SECOND)
    assert desk.quotes(Side.SELL)[0].lots == desk.held[0]


def test_a_quote_too_far_in_moves_at_once_and_one_too_far_out_when_it_has_rested() -> None:
    desk = begin(levels=1, move_e6=100, rest_us=3 * SECOND)
    (bid,) = desk.quotes(Side.BUY)
    desk.show(BID - 50, ASK - 50)
    assert desk.moved == []
    desk.show(BID - 90, ASK - 90)
    fair = FAIR - 90
    assert desk.moved == [(bid.client_id, int(fair - fair / 1e4 * 2.0), 50 * 10**9 // (BID - 90))]
    desk.run(desk.delay_us)
    desk.show(BID + 200, ASK + 200)
    assert len(desk.moved) == 1
    desk.run(SECOND)
    assert len(desk.moved) == 1
    desk.run(3 * SECOND)
    assert len(desk.moved) == 2
    assert told(desk)["moved"] == 2


def test_nothing_more_is_asked_about_a_quote_that_is_on_its_way() -> None:
    desk = begin(levels=1)
    desk.show(BID - 200, ASK - 200)
    desk.show(BID - 400, ASK - 400)
    assert len(desk.moved) == 1
    desk.run(desk.delay_us)
    assert len(desk.moved) == 2


def test_a_move_by_cancel_and_a_new_order_keeps_one_quote() -> None:
    desk = begin(levels=1)
    desk.moves = "renew"
    (bid,) = desk.quotes(Side.BUY)
    desk.trade(bid, 40_000)
    desk.show(BID - 200, ASK - 200)
    desk.run(desk.delay_us)
    (new,) = desk.quotes(Side.BUY)
    assert new.client_id != bid.client_id
    assert new.lots == 50 * 10**9 // (BID - 200)
    # The old order's end came after the new one took its place.
    desk.show(BID - 400, ASK - 400)
    assert desk.moved[-1][0] == new.client_id


def test_a_dangerous_quote_that_may_not_move_is_taken_back() -> None:
    desk = begin(levels=1)
    desk.moves = "deny"
    (bid,) = desk.quotes(Side.BUY)
    desk.show(BID - 200, ASK - 200)
    assert desk.cancelled == [bid.client_id]
    desk.run(desk.delay_us)
    assert told(desk)["rate_denials"] == 1
    desk.run(2 * SECOND)
    assert desk.quotes(Side.BUY)[0].ticks < bid.ticks - 100


def test_a_refused_amend_leaves_the_quote_where_the_desk_says() -> None:
    desk = begin(levels=1)
    (bid,) = desk.quotes(Side.BUY)
    desk.show(BID - 200, ASK - 200)
    desk.waiting.clear()
    desk.strategy.on_order(CancelRejected(bid.client_id, "EOrder:Rate limit", desk.clock_us, True))
    desk.run(SECOND)
    assert [moved[0] for moved in desk.moved] == [bid.client_id] * 2


def test_a_refused_order_is_tried_again_a_moment_later_and_not_at_once() -> None:
    desk = MakerDesk()
    desk.answers = ["reject", "rest"]
    desk.start(SpreadMaker(levels=1, **STILL))
    desk.show(BID, ASK)
    desk.run(desk.delay_us)
    desk.show(BID, ASK + 1)
    assert len(desk.placed) == 1
    desk.run(SECOND)
    assert len(desk.placed) == 2
    assert told(desk)["rejected"] == 1


def test_denials_are_counted_told_and_not_repeated_at_once() -> None:
    desk = MakerDesk()
    desk.answers = ["deny"]
    desk.start(SpreadMaker(levels=1, **STILL))
    for step in range(20):
        desk.show(BID, ASK + step % 2)
        desk.run(10_000)
    assert desk.denied == 1
    for _ in range(20):
        desk.run(SECOND)
    figures = told(desk)
    assert figures["denied"] == figures["rate_denials"] == desk.denied == 21
    assert "DENY_MESSAGE_RATE" in figures["last_denial"]
    assert "raise MAKER_MOVE_BPS" in figures["hints"][0]


def test_an_order_in_doubt_is_left_alone_until_it_is_known() -> None:
    desk = MakerDesk()
    desk.answers = ["doubt"]
    desk.start(SpreadMaker(levels=1, **STILL))
    desk.show(BID, ASK)
    desk.run(desk.delay_us)
    desk.show(BID - 500, ASK - 500)
    desk.run(20 * SECOND)
    assert (len(desk.placed), desk.moved, desk.cancelled) == (1, [], [])
    desk.answers = ["rest"]
    desk.resolve(0, "none")
    desk.run(SECOND)
    assert len(desk.placed) == 2


def test_an_order_that_the_desk_no_longer_has_frees_its_place() -> None:
    desk = begin(levels=1)
    desk.open.clear()
    desk.run(10 * SECOND)
    desk.run(SECOND)
    assert told(desk)["lost_orders"] == 1
    assert len(desk.placed) == 2


def test_a_lost_cancel_is_asked_again() -> None:
    desk = begin(levels=1)
    desk.books[0].trust = int(BookTrust.SUSPECT)
    desk.run(1000)
    desk.waiting.clear()
    desk.cancelled.clear()
    desk.run(10 * SECOND)
    desk.run(SECOND)
    desk.run(SECOND)
    assert desk.open == {}


def test_quotes_are_taken_back_while_the_book_is_not_trusted() -> None:
    desk = begin(levels=2)
    assert len(desk.open) == 2
    desk.books[0].trust = int(BookTrust.SUSPECT)
    desk.strategy.on_book(desk.books[0])
    desk.run(1000)
    desk.run(1000)
    assert desk.open == {}
    desk.run(SECOND)
    assert len(desk.placed) == 2
    desk.show(BID, ASK)
    desk.run(1000)
    assert len(desk.placed) == 4


def test_nothing_is_asked_on_a_book_that_stood_still() -> None:
    """A fill after a pause is told before the book that it comes from."""
    desk = begin(levels=1)
    desk.still = True
    (bid,) = desk.quotes(Side.BUY)
    desk.run(5 * SECOND)
    desk.trade(bid)
    desk.run(SECOND)
    assert (len(desk.placed), desk.cancelled) == (1, [])
    desk.show(BID - 300, ASK - 300)
    assert len(desk.placed) == 3
    assert desk.placed[-1].ticks < bid.ticks


def test_after_the_stop_nothing_is_asked() -> None:
    desk = begin(levels=1)
    desk.strategy.on_stop()
    desk.show(BID - 500, ASK - 500)
    desk.run(10 * SECOND)
    assert (len(desk.placed), desk.moved) == (1, [])


def test_what_an_earlier_run_held_is_offered() -> None:
    desk = MakerDesk()
    desk.held[0] = 50_000
    desk.start(SpreadMaker(levels=1, **STILL))
    desk.show(BID, ASK)
    assert desk.quotes(Side.SELL)[0].lots == 50_000
    assert told(desk)["symbols"]["BTC/USD"]["inventory"] == "0.00050000 BTC"


def test_takers_are_measured_from_the_fair_price() -> None:
    desk = begin(levels=1, measure=True, arrival_depth_bps=1.0)
    before = told(desk)["symbols"]["BTC/USD"]
    for step in range(200):
        desk.strategy.on_trade(Trade(0, step % 2, int(FAIR + BPS * 4 * (1 - 2 * (step % 2))),
                                     10**6, step, desk.clock_us))
        desk.run(SECOND // 10)
    after = told(desk)["symbols"]["BTC/USD"]
    assert after["takers_seen"] == 200
    assert after["arrival_depth_bps"] == pytest.approx(4.0, rel=0.15)
    assert after["half_spread_bps"] > before["half_spread_bps"] + 1.0


def test_edge_is_what_fills_were_better_than_the_fair_price() -> None:
    desk = begin(levels=1, order_usd=Decimal(60))
    (bid,) = desk.quotes(Side.BUY)
    desk.trade(bid)
    away = (FAIR - bid.ticks) / FAIR
    assert told(desk)["edge"] == pytest.approx(60 * away, rel=0.01)
    assert (told(desk)["buys"], told(desk)["sells"]) == (1, 0)


@pytest.mark.parametrize(("told_too", "words"), [
    ({"levels": 0}, "must be positive"), ({"rest_us": -1}, "not negative"),
    ({"order_usd": Decimal(600)}, "MAKER_INVENTORY_USD: 500 must hold one quote"),
    ({"target_usd": Decimal(501)}, "MAKER_TARGET_USD 501"),
    ({"arrivals_per_s": 0.0}, "takers: rate, depth"), ({"model": "mine"}, "MAKER_MODEL")])
def test_what_cannot_be_meant_is_refused(told_too, words) -> None:
    with pytest.raises(ConfigError, match=words):
        SpreadMaker(**told_too)


def test_an_order_below_the_venue_s_minimum_is_refused_at_the_start() -> None:
    with pytest.raises(ConfigError, match="below the smallest value of 5"):
        begin(bitcoin(cost_min="5"), order_usd=Decimal(4))


def test_a_quote_below_one_lot_is_refused_at_the_start_and_told_later() -> None:
    """At the start the price may not be known yet."""
    coarse = bitcoin(lots_min=10**5)
    desk = MakerDesk(coarse)
    desk.books[0].set(BID, ASK)
    with pytest.raises(ConfigError, match=r"ORDER_SIZE_USD: 50 USD / 60001.0 = 0.00083"):
        desk.start(SpreadMaker(**STILL))
    desk = begin(coarse)
    assert desk.placed == []
    assert "it needs at least 0.00100000 * 60001.0 = 60.001 USD" in told(desk)["refused"]
    assert told(begin())["refused"] == ""


def test_settings_make_the_maker() -> None:
    made = build_strategy(Settings(strategy="spread_maker", maker_levels=3, maker_short=True,
                                   order_size_usd=Decimal(20), maker_model="avellaneda"))
    assert isinstance(made, SpreadMaker)
    assert (made.levels, made.short, made.sizes[0]) == (3, True, Decimal(20))
    assert (made.model.kind, made.model.risk, made.model.horizon_s) == ("avellaneda", 0.05, 5.0)
    with pytest.raises(ConfigError, match="ORDER_SIZE_PCT: the spread maker"):
        build_strategy(Settings(strategy="spread_maker", order_size_pct_e6=10_000))
    with pytest.raises(ConfigError, match=r"MAKER_INVENTORY_USD=2000 is above POSITION_USD_MAX"):
        build_strategy(Settings(strategy="spread_maker", maker_inventory_usd=Decimal(2000)))


@settings(max_examples=25, deadline=None)
@example(67286, False)  # An ask that was being made smaller, and another one beside it.
@given(st.integers(0, 2**32), st.booleans())
def test_inventory_and_book_are_respected_whatever_happens(seed: int, short: bool) -> None:
    """The desk itself asserts what must never be asked; here the venue answers at random."""
    rng = random.Random(seed)
    desk = MakerDesk(allow_short=short)
    desk.start(SpreadMaker(levels=2, short=short, order_usd=Decimal(60),
                           inventory_usd=Decimal(150), rest_us=SECOND))
    limit = 150 * 10**9 // (BID - 10_000)
    bid = BID
    for _ in range(150):
        bid += rng.randrange(-60, 61)
        desk.show(bid, bid + rng.randrange(1, 30), rng.randrange(1, 10**9),
                  rng.randrange(1, 10**9))
        desk.moves = rng.choice(("amend", "renew", "amend", "deny"))
        desk.answers = [rng.choice(("rest", "rest", "rest", "reject", "deny"))]
        desk.run(rng.randrange(1, 2 * SECOND))
        for order in list(desk.open.values()):
            asked = [late[1] for late in desk.waiting] + desk.cancelled
            if order.client_id not in asked and rng.random() < 0.15:
                desk.trade(order, rng.randrange(1, order.open_lots + 1))
        assert (-limit if short else 0) <= desk.held[0] <= limit
        assert len(desk.open) <= 8


def test_an_answer_that_comes_before_place_returns_leaves_the_place_free() -> None:
    desk = MakerDesk()
    placing = desk.place

    def sudden(*what, **named):
        client_id = placing(*what, **named)
        desk.answer(desk.open[client_id], "none")
        desk.waiting.clear()
        return client_id

    desk.place = sudden
    desk.start(SpreadMaker(levels=1, **STILL))
    desk.show(BID, ASK)
    assert told(desk)["working"] == 0
    desk.place = placing
    desk.run(SECOND)
    assert told(desk)["working"] == 1


def test_an_order_that_is_not_live_yet_is_not_moved() -> None:
    desk = MakerDesk()
    desk.start(SpreadMaker(levels=1, **STILL))
    desk.show(BID, ASK)
    desk.waiting.clear()
    desk.strategy.on_order(OrderAcked(0, "V", desk.clock_us, live=False))
    desk.show(BID - 500, ASK - 500)
    assert desk.moved == []
    desk.strategy.on_order(OrderAcked(0, "V", desk.clock_us))
    desk.show(BID - 501, ASK - 501)
    assert len(desk.moved) == 1
    assert desk.open[0].state == OrderState.SENT
