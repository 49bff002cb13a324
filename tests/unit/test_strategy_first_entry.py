"""The scalper finds its first entry in the embedded exchange's market, whatever the seed."""

from __future__ import annotations

from hftbot.exchange.market import SyntheticMarket
from hftbot.exchange.settings import LISTINGS
from hftbot.strategy.micro_scalper import MicroScalper
from scripted_desk import ScriptedDesk, bitcoin

LONGEST_US = 5_000_000


def first_entry_us(seed: int) -> int:
    """Market time until the first order, with every change of the touch shown."""
    market = SyntheticMarket(LISTINGS["BTC/USD"], seed)
    desk = ScriptedDesk(bitcoin())
    desk.start(MicroScalper())
    began_us, seen = desk.clock_us, None
    market.open(began_us)
    while not desk.placed and desk.clock_us - began_us < 4 * LONGEST_US:
        desk.clock_us = market.next_due_us()
        market.step(desk.clock_us)
        matcher = market.matcher
        bid, ask = matcher.best(0), matcher.best(1)
        touch = (bid, ask, matcher.lots_at(0, bid), matcher.lots_at(1, ask))
        if touch != seen and bid and ask:
            seen = touch
            desk.show(*touch)
    return desk.clock_us - began_us


def test_the_first_entry_comes_within_five_seconds_for_a_hundred_seeds():
    slow = {seed: waited for seed in range(1, 101)
            if (waited := first_entry_us(seed)) > LONGEST_US}
    assert slow == {}
