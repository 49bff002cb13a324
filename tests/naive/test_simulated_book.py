"""The simulated book of the execution door against what may never happen in a market."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hftbot.execution.queue_position import MODELS, QueuePositionManager
from hftbot.execution.simulated_book import SimulatedBook
from hftbot.words.instrument import Instrument
from hftbot.words.order import Tif

GRID = Instrument(0, "made", "BTC/USD", "BTC", "USD", 0, 0)
SIDES, TICKS, LOTS = st.integers(0, 1), st.integers(99, 102), st.integers(0, 6)
STEPS = st.lists(st.one_of(
    st.tuples(st.just("depth"), SIDES, TICKS, LOTS),
    st.tuples(st.just("trade"), SIDES, TICKS, st.integers(1, 12)),
    st.tuples(st.just("place"), SIDES, TICKS, st.integers(1, 9),
              st.sampled_from([Tif.GTC, Tif.IOC, Tif.FOK])),
    st.tuples(st.just("cancel"), st.integers(1, 12))), min_size=20, max_size=60)


class Checked:
    """A book, and beside it what each level still has to give and each order to get."""

    def __init__(self, model: str) -> None:
        self.book = SimulatedBook(GRID)
        self.model = QueuePositionManager(model)
        self.left: dict[tuple[int, int], int] = {}
        self.wanted: dict[int, int] = {}
        self.limits: dict[int, tuple[int, int]] = {}

    def step(self, kind: str, *words: Any) -> None:
        getattr(self, kind)(*words)
        levels = self.book.levels
        if levels.has_bid() and levels.has_ask():
            assert levels.best_bid() < levels.best_ask()
        assert all(order.leaves == self.wanted[order.client_id] > 0
                   for order in self.book.resting)

    def took(self, matches: list[Any]) -> int:
        for match in matches:
            side, ticks = self.limits[match.client_id]
            assert match.lots > 0
            assert match.ticks <= ticks if side == 0 else match.ticks >= ticks
            self.wanted[match.client_id] -= match.lots
            assert self.wanted[match.client_id] == match.leaves >= 0
        return sum(match.lots for match in matches)

    def depth(self, side: int, ticks: int, lots: int) -> None:
        fronts = {order.client_id: order.front for order in self.book.resting
                  if (order.side, order.ticks) == (side, ticks)}
        matches = self.book.depth(self.model, side, ticks, lots)
        assert all(match.maker and match.side != side for match in matches)
        self.took(matches)
        self.left[side, ticks] = lots
        for order in self.book.resting:
            if order.client_id in fronts:
                assert order.front <= max(fronts[order.client_id], 0.0), "a queue moved back"
                assert order.front <= lots

    def trade(self, side: int, ticks: int, lots: int) -> None:
        matches = self.book.trade(self.model, side, ticks, lots)
        assert all(match.maker and match.side != side for match in matches)
        self.took(matches)
        assert sum(match.lots for match in matches if match.ticks == ticks) <= lots, \
            "our orders got more than was traded"

    def place(self, side: int, ticks: int, lots: int, tif: int) -> None:
        client_id = len(self.wanted) + 1
        self.wanted[client_id], self.limits[client_id] = lots, (side, ticks)
        front = float(self.book.levels.lots_at(side, ticks))
        matches, rests = self.book.place(client_id, side, ticks, lots, tif, front)
        taken = self.took(matches)
        for match in matches:
            assert not match.maker
            self.left[1 - side, match.ticks] -= match.lots
            assert self.left[1 - side, match.ticks] >= 0, "a level gave more than it showed"
        assert rests is (tif == Tif.GTC and taken < lots)
        if tif == Tif.FOK:
            assert taken in (0, lots)

    def cancel(self, client_id: int) -> None:
        before = any(order.client_id == client_id for order in self.book.resting)
        assert self.book.cancel(client_id) is before
        assert not self.book.cancel(client_id)


@settings(max_examples=300)
@given(st.sampled_from(sorted(MODELS)), STEPS)
def test_nothing_is_made_of_nothing(model: str, steps: list[tuple[Any, ...]]) -> None:
    """No fill beyond its limit, its order, the level that it takes or the trade that it is of."""
    checked = Checked(model)
    for step in steps:
        checked.step(*step)


@pytest.mark.parametrize("model", sorted(MODELS))
def test_an_order_that_a_trade_reached_stays_next(model: str) -> None:
    """The trade went to another order of ours: whatever the level shows then, this one is next."""
    checked = Checked(model)
    for step in (("place", 1, 99, 2, Tif.GTC), ("place", 1, 99, 1, Tif.GTC), ("trade", 0, 99, 2),
                 ("depth", 1, 99, 1), ("depth", 1, 99, 1)):
        checked.step(*step)
    (order,) = checked.book.resting
    assert order.front <= 0.0


@given(STEPS)
def test_the_cautious_model_is_never_ahead_of_trades(steps: list[tuple[Any, ...]]) -> None:
    """Risk-averse: an order trades at its price only after as much traded there as stood before."""
    checked = Checked("RiskAverse")
    stood: dict[int, float] = {}
    for kind, *words in steps:
        if kind == "trade":
            side, ticks, lots = words
            for order in checked.book.resting:
                if (order.side, order.ticks) == (1 - side, ticks):
                    stood[order.client_id] = order.front - lots
        fills = dict(checked.wanted)
        checked.step(kind, *words)
        if kind == "trade":
            for client_id, front in stood.items():
                # Fronts are whole here, as all quantities are.
                assert fills[client_id] - checked.wanted[client_id] <= max(0.0, -front)
            stood.clear()
