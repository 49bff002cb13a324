"""Exposure against a list of orders that is scanned."""

from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.counts import examples
from twins import both

AMOUNT_MAX = 1 << 61
rooms = both("fastcore.money.exposure")
LEVELS = 4


class NaiveExposure:
    """Every order on its own: (side, ticks) many times, and the sums."""

    def __init__(self):
        self.orders = []
        self.lots = [0, 0]
        self.values = [0, 0]

    def add(self, side, ticks, lots):
        if (side not in (0, 1) or ticks < 1 or lots < 0 or self.lots[side] + lots > AMOUNT_MAX
                or self.values[side] + ticks * lots > AMOUNT_MAX):
            return -1
        prices = {t for s, t in self.orders if s == side}
        if ticks not in prices and len(prices) >= LEVELS:
            return -1
        self.orders.append((side, ticks))
        self.lots[side] += lots
        self.values[side] += ticks * lots
        return 0

    def reduce(self, side, ticks, lots):
        if (side not in (0, 1) or ticks < 1 or lots < 0 or self.lots[side] < lots
                or self.values[side] < ticks * lots):
            return -1
        self.lots[side] -= lots
        self.values[side] -= ticks * lots
        return 0

    def remove(self, side, ticks, lots):
        if (side, ticks) not in self.orders or self.reduce(side, ticks, lots) < 0:
            return -1
        self.orders.remove((side, ticks))
        return 0

    def best(self, side):
        prices = [t for s, t in self.orders if s == side]
        return (max if side == 0 else min)(prices, default=0)


WHAT = st.sampled_from(["add", "add", "remove", "reduce"])
ORDINARY = st.tuples(WHAT, st.integers(0, 1), st.integers(1, 6), st.integers(0, 2))
WHOLE = st.integers(-(1 << 63), (1 << 63) - 1)
WILD = st.tuples(WHAT, st.integers(-1, 2), st.one_of(st.integers(0, 7), WHOLE),
                 st.one_of(st.integers(0, 3), WHOLE))
STEPS = st.one_of(ORDINARY, ORDINARY, ORDINARY, WILD)


@settings(deadline=None, max_examples=examples(250), database=None)
@given(st.lists(STEPS, max_size=50))
def test_every_form_agrees_with_the_scan(steps):
    real = [room.Exposure(LEVELS) for room in rooms]
    naive = NaiveExposure()
    for what, side, ticks, lots in steps:
        expected = getattr(naive, what)(side, ticks, lots)
        assert [getattr(e, what)(side, ticks, lots) for e in real] == [expected] * len(real)
        for exposure in real:
            for s in (0, 1):
                assert exposure.best(s) == naive.best(s)
                assert exposure.open_lots(s) == naive.lots[s]
                assert exposure.open_value(s) == naive.values[s]
    assert len({exposure.state_hash() for exposure in real}) == 1
