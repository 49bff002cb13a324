"""Executions of the scalper: how many at once, which first, when again, and how fast in a row."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hftbot.strategy.micro_scalper import MicroScalper
from hftbot.strategy.position_cycler import ExitRules
from hftbot.words.market import Side
from hftbot.words.order import Tif
from scripted_desk import ScriptedDesk, bitcoin

BID, ASK = 600_000, 600_001
SECOND = 1_000_000
EAGER = {"warm_up_us": 0, "updates_min": 1}


def begin(count=1, answers=("fill",), delay_us=1_000, fees=None, **parameters):
    """A desk with an eager scalper on it."""
    desk = ScriptedDesk(*(bitcoin(index, **(fees or {})) for index in range(count)),
                        answers=answers, delay_us=delay_us)
    parameters.setdefault("momentum", EAGER)
    desk.start(MicroScalper(**parameters))
    return desk


def push(desk, index=0, bid_lots=10**9, bid=BID):
    """A book that says up, the louder the more lots are bid."""
    desk.show(bid, bid + 1, bid_lots, 10**7, index)


def calm(desk, bid=BID, index=0):
    """A book that says nothing."""
    desk.show(bid, bid + 1, 10**8, 10**8, index)


def grow_calm(desk, index=0):
    """Until what stood before is forgotten."""
    for _ in range(3):
        desk.run(20_000, timers=False)
        calm(desk, index=index)


def buys(desk):
    """Instruments of the entries, in order."""
    return [order.instrument for order in desk.placed if order.side == Side.BUY]


# -- how many at once, which first

def test_three_entries_are_in_flight_and_the_strongest_of_the_others_is_next():
    desk = begin(6)
    for index, lots in enumerate((10**9, 10**9, 10**9, 2 * 10**7, 10**8, 5 * 10**7)):
        push(desk, index, lots)
    assert buys(desk) == [0, 1, 2]
    desk.run(desk.delay_us, timers=False)
    assert buys(desk)[3:] == [4, 5, 3]
    assert desk.most_open == 3
    assert desk.strategy.statistics()["queued_most"] >= 3


def test_a_signal_that_waits_for_too_long_is_never_used():
    desk = begin(4, delay_us=300_000)
    for index in range(4):
        push(desk, index)
    desk.run(desk.delay_us)
    assert buys(desk) == [0, 1, 2]
    assert desk.strategy.statistics()["expired_signals"] == 1


def test_a_signal_that_turned_while_it_waited_is_not_used():
    desk = begin(4, delay_us=100_000)
    for index in range(4):
        push(desk, index)
    grow_calm(desk, 3)
    desk.run(desk.delay_us)
    assert buys(desk) == [0, 1, 2]
    assert desk.strategy.statistics()["turned_signals"] == 1


def test_five_orders_are_in_flight_with_two_places_that_only_exits_have():
    desk = begin(9, max_positions=9)
    for index in range(6):
        push(desk, index)
        desk.run(desk.delay_us)
    assert sum(lots > 0 for lots in desk.held.values()) == 6
    for index in range(6, 9):
        push(desk, index)
    for index in range(6):
        calm(desk, 599_000, index)
    # Three entries and two exits; the other four exits leave as soon as there is room.
    assert len(desk.open) == 5
    assert len(desk.placed) == 6 + 3 + 2
    desk.run(desk.delay_us)
    desk.run(desk.delay_us)
    desk.run(desk.delay_us)
    assert desk.most_open == 5
    assert [desk.held[index] for index in range(6)] == [0] * 6


def test_a_late_or_doubtful_order_does_not_keep_an_exit_waiting():
    desk = begin(7, answers=("fill", "doubt", "doubt", "silent", "fill"), entries_in_flight=3,
                 orders_in_flight=3, max_positions=7)
    for index in range(4):
        push(desk, index)
        desk.run(desk.delay_us)
    calm(desk, 599_000)
    desk.run(100_000)
    assert desk.held[0] > 0 or len(desk.placed) == 5
    desk.run(500_000)
    calm(desk, 599_000)
    desk.run(desk.delay_us)
    assert desk.held[0] == 0
    assert desk.strategy.statistics()["late_orders"] >= 1


def test_of_several_exits_the_stop_goes_first():
    desk = begin(3, entries_in_flight=1, orders_in_flight=1)
    for index in range(3):
        push(desk, index)
        desk.run(desk.delay_us)
    desk.run(299 * SECOND, timers=False)
    for index, bid in ((0, 601_300), (1, 600_000), (2, 599_000)):
        desk.books[index].set(bid, bid + 1)
    for _ in range(3):
        desk.run(2 * SECOND)
    leaving = [order.instrument for order in desk.placed if order.side == Side.SELL]
    assert leaving == [2, 0, 1]


# -- tried again

def entry_times(desk, count):
    return [later - earlier for earlier, later in
            itertools.pairwise(desk.placed_us[:count])]


@pytest.mark.parametrize("answer", ["none", "busy"])
def test_an_entry_of_which_nothing_traded_is_tried_again_with_growing_pauses(answer):
    desk = begin(answers=(answer, answer, answer, answer, "fill"), cooldown_us=60 * SECOND)
    for _ in range(600):
        push(desk)
        desk.run(1_000)
    assert len(desk.placed) == 4
    assert entry_times(desk, 4) == [21_000, 41_000, 81_000]
    counted = desk.strategy.statistics()
    assert (counted["retries"], counted["unfilled_entries"]) == (3, 1)


def test_it_is_not_tried_again_after_its_deadline_or_when_the_signal_turned():
    late = begin(answers=("none",), delay_us=300_000, cooldown_us=60 * SECOND, entry_retries=9)
    for _ in range(100):
        push(late)
        late.run(10_000)
    assert len(late.placed) == 2
    turned = begin(answers=("none",), cooldown_us=60 * SECOND)
    push(turned)
    for _ in range(100):
        calm(turned)
        turned.run(10_000)
    assert len(turned.placed) == 1


@pytest.mark.parametrize("answer", ["reject", "deny", "doubt", "part"])
def test_nothing_but_a_proof_lets_it_try_again(answer):
    desk = begin(answers=(answer, "fill"), cooldown_us=60 * SECOND)
    for _ in range(60):
        push(desk)
        desk.run(10_000)
    assert len(buys(desk)) + desk.denied == 1


# -- rapid fire

def rounds(desk, seconds):
    """A price that climbs by what pays, each time we hold; entries made."""
    bid = BID
    for step in range(seconds * 100):
        if desk.held[0]:
            bid += 1_500
            calm(desk, bid)
        else:
            push(desk, bid=bid)
        desk.run(10_000, timers=step % 5 == 0)
    return len(buys(desk))


def test_rapid_fire_lets_an_entry_follow_an_exit_at_once():
    """The same market, the same cooldown of ten seconds: the switch is all that differs."""
    slow = begin(rapid_fire=False, cooldown_us=10 * SECOND)
    fast = begin(rapid_fire=True, cooldown_us=10 * SECOND)
    assert rounds(slow, 30) == 3
    assert rounds(fast, 30) > 500
    steps = [order.side for order in fast.placed[:6]]
    assert steps == [Side.BUY, Side.SELL] * 3


def test_rapid_fire_uses_the_signal_that_waited_behind_the_exit():
    desk = begin(rapid_fire=True, cooldown_us=10 * SECOND)
    push(desk)
    desk.run(desk.delay_us)
    calm(desk, 601_300)
    assert [order.side for order in desk.placed] == [Side.BUY, Side.SELL]
    push(desk, bid=601_300)
    desk.run(desk.delay_us, timers=False)
    # The end of the exit itself sent the entry: no book and no timer came in between.
    assert [order.side for order in desk.placed] == [Side.BUY, Side.SELL, Side.BUY]
    assert desk.placed_us[2] - desk.placed_us[1] == desk.delay_us


def test_rapid_fire_still_keeps_three_entries_in_flight():
    desk = begin(8, rapid_fire=True, max_positions=8)
    for step in range(400):
        for index in range(8):
            if desk.held[index]:
                calm(desk, 601_300, index)
            else:
                push(desk, index)
        desk.run(700 + step % 7, timers=step % 5 == 0)
        entries = [one for one in desk.open.values() if one.side == Side.BUY]
        assert len(entries) <= 3
        assert len(desk.open) <= 5
    assert desk.strategy.statistics()["trades"] > 100


def test_an_entry_that_failed_respects_the_cooldown_even_in_rapid_fire():
    desk = begin(rapid_fire=True, answers=("reject",), cooldown_us=SECOND)
    for _ in range(99):
        push(desk)
        desk.run(10_000)
    assert len(desk.placed) == 1


# -- pace

def test_the_pace_stops_entries_and_never_exits():
    desk = begin(rapid_fire=True, cooldown_us=0, target_day=100)
    assert rounds(desk, 30) == 8
    assert desk.held[0] == 0
    counted = desk.strategy.statistics()
    assert counted["paced_signals"] > 100
    assert counted["pace"]["opened_hour"] == counted["pace"]["opened_day"] == 8


def test_an_adopted_position_is_no_new_trade():
    desk = ScriptedDesk(bitcoin())
    desk.held[0] = 100_000
    desk.start(MicroScalper(momentum=EAGER, target_day=100))
    calm(desk)
    calm(desk, 602_000)
    desk.run(desk.delay_us)
    assert desk.held[0] == 0
    assert desk.strategy.statistics()["pace"]["opened_day"] == 0


# -- the trailing stop, through the whole strategy

def test_the_trailing_stop_is_an_exit_reason():
    desk = begin(rules=ExitRules(trailing_stop_e6=500, trailing_start_e6=1_000))
    push(desk)
    desk.run(desk.delay_us)
    calm(desk, 600_800)
    calm(desk, 600_450)
    desk.run(desk.delay_us)
    assert desk.held[0] == 0
    assert desk.reasons[1] == "exit trailing_stop"
    counted = desk.strategy.statistics()
    assert counted["exit_trailing_stop"] == 1
    assert counted["exits_by"]["trailing_stop"]["net"] > 0


# -- post-only entries

def test_a_post_only_entry_rests_at_the_touch_and_is_taken_back():
    desk = begin(answers=("rest",), post_only=True, entry_rest_us=SECOND)
    push(desk)
    order = desk.placed[0]
    assert (order.tif, order.ticks) == (Tif.GTC, BID)
    for _ in range(200):
        push(desk)
        desk.run(10_000)
        if desk.cancelled:
            break
    assert desk.clock_us - desk.placed_us[0] == pytest.approx(SECOND, abs=20_000)
    desk.run(desk.delay_us)
    assert desk.strategy.statistics()["unfilled_entries"] == 1


def test_a_post_only_entry_is_taken_back_when_the_signal_turns_and_not_when_it_fades():
    desk = begin(answers=("rest",), post_only=True)
    push(desk)
    desk.run(desk.delay_us)
    grow_calm(desk)
    assert desk.cancelled == []
    for _ in range(3):
        desk.run(20_000, timers=False)
        desk.show(BID, ASK, 10**7, 10**9)
    assert desk.cancelled == [0]


def test_an_entry_that_the_limits_deny_is_not_asked_for_at_once():
    desk = begin(answers=("deny",), cooldown_us=0)
    for _ in range(350):
        push(desk)
        desk.run(10_000)
    counted = desk.strategy.statistics()
    assert counted["rate_denials"] == counted["denied_entries"] == desk.denied == 4


def test_a_post_only_entry_that_filled_in_part_leaves_as_a_whole():
    desk = begin(answers=("rest", "fill"), post_only=True)
    push(desk)
    desk.run(desk.delay_us)
    desk.match(desk.open[0], desk.open[0].lots // 2)
    for _ in range(20):
        push(desk, bid=599_000)
        desk.run(desk.delay_us)
    assert desk.cancelled == [0]
    assert desk.placed[1].side == Side.SELL
    assert (desk.placed[1].tif, desk.held[0]) == (Tif.IOC, 0)


# -- whatever happens

STEPS = st.lists(st.tuples(
    st.integers(0, 2), st.integers(-900, 900), st.sampled_from([10**6, 10**8, 10**9]),
    st.integers(1_000, 40 * SECOND)), max_size=60)
ANSWERS = st.lists(st.sampled_from(["fill", "part", "none", "reject", "busy", "deny", "large",
                                    "sudden", "doubt", "silent", "rest"]), max_size=30)


def resolve_all(desk):
    """End what no answer is on its way for."""
    answered = {row[1] for row in desk.waiting}
    for client_id in [one for one in desk.open if one not in answered]:
        desk.resolve(client_id, "none")


@settings(max_examples=60, deadline=None)
@given(steps=STEPS, answers=ANSWERS, delay_us=st.integers(1, 2 * SECOND), rapid=st.booleans(),
       post_only=st.booleans(), target_day=st.sampled_from([0, 3, 100]))
def test_whatever_happens_its_limits_hold_and_it_gets_out(steps, answers, delay_us, rapid,
                                                          post_only, target_day):
    """ScriptedDesk.check holds for every order, never more than three entries are on their way,
    and at the end there is nothing left to sell."""
    desk = begin(3, (*answers, "fill"), delay_us, rapid_fire=rapid, post_only=post_only,
                 target_day=target_day, cooldown_us=SECOND,
                 rules=ExitRules(trailing_stop_e6=500))
    bids = [BID] * 3
    for index, move, bid_lots, wait_us in steps:
        bids[index] = max(BID // 2, bids[index] + move)
        desk.show(bids[index], bids[index] + 1, bid_lots, 10**7, index)
        assert sum(order.side == Side.BUY for order in desk.open.values()) <= 3
        assert desk.strategy.flight.entries <= 3
        desk.run(wait_us)
    desk.answers = ["fill"]
    for _ in range(60):
        desk.run(max(delay_us, 6 * SECOND))
        resolve_all(desk)
        for index in range(3):
            calm(desk, bids[index], index)
    assert all(lots < 5_000 for lots in desk.held.values())
    assert desk.strategy.flight.entries == len(desk.strategy.flight) == len(desk.open) == 0
    counted = desk.strategy.statistics()
    assert counted["trades"] == sum(row["trades"] for row in counted["exits_by"].values())
    if target_day:
        assert counted["pace"]["opened_day"] <= max(3, target_day)
