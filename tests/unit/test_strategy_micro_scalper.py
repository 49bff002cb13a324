"""The scalper against a scripted desk: entries, the four exits, and every way to be refused."""

from __future__ import annotations

import itertools
import random
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hftbot.errors import ConfigError
from hftbot.strategy.micro_scalper import MicroScalper
from hftbot.words.events import OrderFilled
from hftbot.words.market import BookTrust, Side, Trade
from scripted_desk import ScriptedDesk, bitcoin

BID, ASK = 600_000, 600_001
SECOND = 1_000_000
EAGER = {"warm_up_us": 0, "updates_min": 1}


def begin(*instruments, answers=("fill",), delay_us=1_000, **parameters):
    """A desk with an eager scalper on it."""
    desk = ScriptedDesk(*(instruments or (bitcoin(),)), answers=answers, delay_us=delay_us,
                        allow_short=parameters.get("allow_short", False))
    parameters.setdefault("momentum", EAGER)
    desk.start(MicroScalper(**parameters))
    return desk


def push(desk, bid=BID, index=0):
    """A book that says up."""
    desk.show(bid, bid + 1, 10**9, 10**7, index)


def calm(desk, bid=BID, index=0):
    """A book that says nothing."""
    desk.show(bid, bid + 1, 10**8, 10**8, index)


def enter(desk):
    """Until the position is there."""
    push(desk)
    desk.run(desk.delay_us)
    assert desk.held[0] > 0


def exits(desk):
    """The exit counters that are not zero."""
    return {name: count for name, count in desk.strategy.statistics().items()
            if name.startswith("exit_") and count}


def test_entry_is_an_ioc_a_little_beyond_the_touch_of_the_wanted_value():
    desk = begin(order_size_usd=Decimal(100))
    push(desk)
    order = desk.placed[0]
    assert (order.side, order.ticks) == (Side.BUY, ASK + ASK * 20 // 1_000_000)
    assert order.lots == 100 * 10**9 // order.ticks
    assert desk.reasons[0].startswith("momentum")


def test_nothing_is_entered_without_a_signal_a_trusted_book_or_when_falling():
    desk = begin()
    calm(desk)
    desk.show(BID, ASK, 10**7, 10**9)
    desk.books[0].top = (BID, 10**9, ASK, 10**7)
    desk.books[0].trust = int(BookTrust.SUSPECT)
    desk.strategy.on_book(desk.books[0])
    desk.show(ASK, BID, 10**9, 10**7)
    desk.show(0, ASK, 10**9, 10**7)
    assert desk.placed == []


def test_short_entry_needs_leave():
    desk = begin(allow_short=True)
    desk.show(BID, ASK, 10**7, 10**9)
    desk.run(desk.delay_us)
    assert desk.held[0] < 0
    calm(desk, BID - 1_300)
    desk.run(desk.delay_us)
    assert desk.held[0] == 0
    assert exits(desk) == {"exit_profit_target": 1}


@pytest.mark.parametrize(("wait_us", "bid", "reason"), [
    (SECOND, 601_203, "profit_target"),
    (SECOND, 599_400, "stop_loss"),
    (31 * SECOND, 600_602, "min_profit"),
    (300 * SECOND, BID, "max_hold"),
])
def test_each_exit_rule(wait_us, bid, reason):
    desk = begin()
    enter(desk)
    desk.run(wait_us, timers=False)
    calm(desk, bid)
    desk.run(desk.delay_us)
    assert desk.held[0] == 0
    assert exits(desk) == {f"exit_{reason}": 1}
    assert desk.placed[1].side == Side.SELL
    assert desk.placed[1].ticks == bid - bid * 500 // 1_000_000
    assert desk.reasons[1] == f"exit {reason}"


@pytest.mark.parametrize(("wait_us", "bid"), [
    (SECOND, 601_200), (SECOND, 599_402), (29 * SECOND, 600_700), (299 * SECOND, BID)])
def test_just_inside_the_rules_it_stays(wait_us, bid):
    desk = begin()
    enter(desk)
    desk.run(wait_us - desk.delay_us, timers=False)
    calm(desk, bid)
    assert len(desk.placed) == 1


def test_profits_are_net_of_the_account_s_fees():
    desk = begin(bitcoin(taker_fee_e6=500))
    enter(desk)
    calm(desk, 601_203)
    assert len(desk.placed) == 1
    calm(desk, 601_805)
    desk.run(desk.delay_us)
    assert exits(desk) == {"exit_profit_target": 1}


def test_a_standing_book_still_ages_the_position():
    desk = begin()
    enter(desk)
    desk.run(300 * SECOND)
    desk.run(desk.delay_us)
    assert desk.held[0] == 0
    assert exits(desk) == {"exit_max_hold": 1}


def test_partial_exits_are_repeated_until_flat():
    desk = begin(answers=("fill", "part", "none", "reject", "deny", "part", "fill"))
    enter(desk)
    calm(desk, 599_000)
    for _ in range(40):
        desk.run(SECOND // 10)
    assert desk.held[0] == 0
    assert exits(desk) == {"exit_stop_loss": 1}
    counted = desk.strategy.statistics()
    assert (counted["denied_exits"], counted["rejected"]) == (1, 1)
    assert counted["unfilled_exits"] == 4


def test_partial_entry_is_a_position():
    desk = begin(answers=("part", "fill"))
    enter(desk)
    first = desk.placed[0].lots
    assert desk.held[0] == (first + 1) // 2
    calm(desk, 599_000)
    desk.run(desk.delay_us)
    assert desk.held[0] == 0


@pytest.mark.parametrize("answer", ["deny", "reject", "none"])
def test_an_entry_that_fails_returns_to_flat_and_respects_the_cooldown(answer):
    desk = begin(answers=(answer, "fill"), cooldown_us=SECOND, entry_retries=0)
    for _ in range(19):
        push(desk)
        desk.run(SECOND // 20)
    assert len(desk.placed) + desk.denied == 1
    desk.run(SECOND // 20)
    desk.run(desk.delay_us)
    assert desk.held[0] > 0


def test_an_answer_before_place_returns_is_not_lost():
    desk = begin(answers=("sudden", "sudden"))
    push(desk)
    assert desk.held[0] > 0
    calm(desk, 599_000)
    assert desk.held[0] == 0
    assert exits(desk) == {"exit_stop_loss": 1}


def test_a_doubtful_entry_blocks_entries_and_a_doubtful_exit_blocks_exits():
    desk = begin(answers=("doubt", "doubt", "fill"))
    push(desk)
    desk.run(10 * SECOND)
    push(desk)
    assert len(desk.placed) == 1
    desk.resolve(0, "fill")
    calm(desk, 599_000)
    desk.run(10 * SECOND)
    calm(desk, 599_000)
    assert len(desk.placed) == 2
    desk.resolve(1, "none")
    desk.run(SECOND)
    desk.run(SECOND)
    assert desk.held[0] == 0
    assert desk.strategy.statistics()["doubts"] == 2


def test_what_a_doubtful_entry_filled_can_still_be_left():
    desk = begin(answers=("doubt", "fill"))
    push(desk)
    desk.run(desk.delay_us)
    order = desk.open[0]
    desk.match(order, order.lots // 2)
    calm(desk, 599_000)
    desk.run(desk.delay_us)
    assert desk.held[0] == 0


def test_an_order_that_the_desk_no_longer_has_frees_its_place():
    desk = begin(answers=("silent", "fill"))
    push(desk)
    desk.open.clear()
    desk.run(6 * SECOND)
    push(desk)
    desk.run(desk.delay_us)
    assert desk.held[0] > 0
    assert desk.strategy.statistics()["lost_orders"] == 1


def test_positions_are_counted_over_all_instruments():
    desk = begin(bitcoin(0), bitcoin(1), bitcoin(2), max_positions=2)
    for index in range(3):
        push(desk, index=index)
    desk.run(desk.delay_us)
    assert [desk.held[index] > 0 for index in range(3)] == [True, True, False]


def test_wide_spread_is_not_entered():
    desk = begin()
    desk.show(BID, BID + 300, 10**9, 10**7)
    assert desk.placed == []
    assert desk.strategy.statistics()["wide_spreads"] == 1


def test_stop_leaves_the_position_and_the_next_run_adopts_it():
    desk = begin()
    enter(desk)
    desk.strategy.on_stop()
    calm(desk, 599_000)
    desk.run(400 * SECOND)
    push(desk)
    held = desk.held[0]
    assert held > 0
    assert len(desk.placed) == 1

    later = desk.start(MicroScalper(momentum=EAGER))
    assert "first mid seen" in later.statistics()["adopted"]
    calm(desk)
    push(desk)
    assert len(desk.placed) == 1
    calm(desk, BID + 1_300)
    desk.run(desk.delay_us)
    assert desk.held[0] == 0
    assert exits(desk) == {"exit_profit_target": 1}


def test_dust_is_carried_into_the_next_position():
    desk = ScriptedDesk(bitcoin())
    desk.held[0] = 4_999
    desk.start(MicroScalper(momentum=EAGER))
    calm(desk)
    desk.run(400 * SECOND)
    assert desk.placed == []
    push(desk)
    desk.run(desk.delay_us)
    desk.run(SECOND)
    assert len(desk.placed) == 1
    desk.run(298 * SECOND)
    assert len(desk.placed) == 1
    desk.run(2 * SECOND)
    desk.run(desk.delay_us)
    assert desk.held[0] == 0


def test_what_an_exit_left_over_does_not_age_the_next_position():
    desk = begin()
    enter(desk)
    sold = desk.held[0] - 1_000
    desk.held[0] = 1_000
    desk.strategy.on_fill(OrderFilled(99, "", "", 0, Side.SELL, BID, sold, 0, False, 0))
    desk.run(400 * SECOND)
    push(desk)
    desk.run(298 * SECOND)
    assert len(desk.placed) == 2
    desk.run(3 * SECOND)
    desk.run(desk.delay_us)
    assert desk.held[0] == 0


def test_a_fill_that_was_not_told_is_settled_from_the_desk():
    desk = begin()
    enter(desk)
    desk.held[0] //= 2
    calm(desk, 599_000)
    desk.run(desk.delay_us)
    assert desk.held[0] == 0
    assert desk.strategy.statistics()["settled_lots"] > 0


def test_a_position_that_is_gone_is_not_sold():
    desk = begin()
    enter(desk)
    desk.held[0] = 0
    calm(desk, 599_000)
    assert len(desk.placed) == 1


def test_the_end_of_a_full_order_need_not_be_told():
    desk = begin()
    push(desk)
    order = desk.open.pop(0)
    desk.match(order, order.lots)
    desk.waiting.clear()
    calm(desk, 599_000)
    desk.run(desk.delay_us)
    assert desk.held[0] == 0


def test_a_position_that_a_human_closed_is_not_counted_as_open():
    desk = begin()
    enter(desk)
    assert desk.strategy.statistics()["open_positions"] == 1
    desk.held[0] = 0
    assert desk.strategy.statistics()["open_positions"] == 0


def test_attempts_to_leave_are_spaced_and_slow_down():
    desk = begin(answers=("fill", "none", "none", "none", "none", "fill"))
    enter(desk)
    times = []
    for _ in range(300):
        calm(desk, 599_000)
        if len(desk.placed) - 1 > len(times):
            times.append(desk.clock_us)
        desk.run(SECOND // 100)
    steps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert steps == [SECOND // 4, SECOND // 2, SECOND, SECOND]
    assert desk.held[0] == 0


def test_a_position_larger_than_an_order_may_be_leaves_in_slices():
    desk = begin(answers=("fill", "large", "large", "fill"))
    enter(desk)
    calm(desk, 599_000)
    for _ in range(100):
        desk.run(SECOND // 10)
    assert desk.held[0] == 0
    assert len(desk.placed) >= 4


def test_a_target_that_cannot_pay_its_fees_is_refused_with_the_arithmetic():
    desk = ScriptedDesk(bitcoin(taker_fee_e6=4_000))
    with pytest.raises(ConfigError) as caught:
        desk.start(MicroScalper())
    assert "0.4 % to enter + 0.4 % to leave = 0.8 %" in str(caught.value)
    assert "0.2 % - 0.8 % = -0.6 % net" in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_size_below_the_minimum_is_refused_with_the_arithmetic():
    desk = ScriptedDesk(bitcoin())
    desk.books[0].set(BID, ASK)
    with pytest.raises(ConfigError, match=r"2 USD / 60000\.1 = 0\.00003333 BTC"):
        desk.start(MicroScalper(order_size_usd=Decimal(2)))
    with pytest.raises(ConfigError, match="smallest value"):
        ScriptedDesk(bitcoin()).start(MicroScalper(order_size_usd=Decimal("0.4")))
    later = begin(order_size_usd=Decimal(2))
    push(later)
    assert later.placed == []
    assert "below the minimum of 0.00005000 BTC" in later.strategy.statistics()["refused"]


@pytest.mark.parametrize("parameters", [
    {"order_size_usd": Decimal(0)}, {"max_positions": 0}, {"cooldown_us": -1},
    {"entries_in_flight": 0}, {"entries_in_flight": 6}, {"entry_retries": -1},
    {"execution_deadline_us": 0}, {"target_day": -1}, {"momentum": {"windows": 3}},
    {"momentum": {"threshold_e6": 0}}])
def test_impossible_parameters_are_refused(parameters):
    with pytest.raises(ConfigError):
        MicroScalper(**parameters)


def test_trades_feed_the_signal_and_strangers_are_ignored():
    desk = begin(momentum={**EAGER, "threshold_e6": 100_000})
    calm(desk)
    assert desk.placed == []
    for _ in range(5):
        desk.strategy.on_trade(Trade(0, Side.BUY, ASK, 10**7))
    desk.strategy.on_trade(Trade(7, Side.BUY, ASK, 10**7))
    desk.strategy.on_fill(OrderFilled(99, "", "", 7, 0, ASK, 1, 0, False, 0))
    calm(desk)
    assert len(desk.placed) == 1


def test_holding_times_and_profit_are_told():
    desk = begin()
    enter(desk)
    desk.run(2 * SECOND, timers=False)
    calm(desk, 601_300)
    desk.run(desk.delay_us)
    counted = desk.strategy.statistics()
    assert counted["trades"] == counted["wins"] == 1
    assert counted["held_min_us"] == counted["held_mean_us"] == 2 * SECOND + desk.delay_us
    assert counted["gross"] == pytest.approx(desk.placed[0].lots * 1_299 * 1e-9)


STEPS = st.lists(st.tuples(
    st.integers(-900, 900), st.integers(1, 400), st.sampled_from([10**6, 10**8, 10**9]),
    st.sampled_from([10**6, 10**8, 10**9]), st.integers(1_000, 90 * SECOND)), max_size=40)
ANSWERS = st.lists(st.sampled_from(["fill", "part", "none", "reject", "deny", "large", "sudden",
                                    "doubt", "silent"]), max_size=25)


def resolve_some(desk, share):
    """End a share of the orders that no answer is on its way for."""
    answered = {row[1] for row in desk.waiting}
    for client_id in [one for one in desk.open if one not in answered]:
        if random.Random(client_id).random() < share:
            desk.resolve(client_id, "none")


@settings(max_examples=80, deadline=None)
@given(steps=STEPS, answers=ANSWERS, delay_us=st.integers(1, 5 * SECOND), short=st.booleans())
def test_whatever_happens_it_gets_out(steps, answers, delay_us, short):
    """ScriptedDesk.check holds for every order; and at the end there is nothing left to sell."""
    desk = begin(answers=(*answers, "fill"), delay_us=delay_us, allow_short=short)
    bid = BID
    for move, spread, bid_lots, ask_lots, wait_us in steps:
        bid += move
        desk.show(bid, bid + spread, bid_lots, ask_lots)
        desk.run(wait_us)
        resolve_some(desk, 0.5)
    desk.answers = ["fill"]
    for _ in range(60):
        desk.run(max(delay_us, 6 * SECOND))
        resolve_some(desk, 1.0)
        calm(desk, bid)
    assert abs(desk.held[0]) < 5_000
    assert desk.strategy.statistics()["entries"] <= len(desk.placed)


def test_it_enters_within_five_seconds_of_an_ordinary_market():
    """A hundred random walks of a few ticks with uneven sizes and trades on both sides."""
    slowest_us = 0
    for seed in range(100):
        rng = random.Random(seed)
        desk = begin(momentum={})
        began_us, bid, spread = desk.clock_us, BID, 1
        while not desk.placed and desk.clock_us - began_us < 20 * SECOND:
            desk.clock_us += int(rng.expovariate(20) * SECOND) + 1
            bid += rng.choice((-3, -2, -1, 0, 0, 0, 0, 1, 2, 3))
            spread = rng.choice((1, 1, 1, 2, 5))
            desk.show(bid, bid + spread, int(rng.lognormvariate(17, 1)),
                      int(rng.lognormvariate(17, 1)))
            if rng.random() < 0.2:
                desk.strategy.on_trade(Trade(0, rng.randrange(2), bid,
                                             int(rng.lognormvariate(15, 1))))
        slowest_us = max(slowest_us, desk.clock_us - began_us)
    assert slowest_us < 5 * SECOND
