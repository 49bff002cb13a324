"""kill -9 in the middle of a run: the next one knows what it owned and what it had asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from hftbot.engine.recover import Carried, Held, carry
from hftbot.words.ports import Strategy
from world import killing
from world.killing import disagreements, live_and_die
from world.tamper import Quoter, Trader


def quick(seed: int) -> Strategy:
    return Quoter(seed) if seed % 4 else Trader()


@pytest.mark.law(1, 2, 3, 4, 9)
@pytest.mark.fault("P1")
@pytest.mark.parametrize("seed", range(1, 36))
def test_world_killed_bot_is_recovered(seed: int) -> None:
    lives = live_and_die(seed, 1, quick)
    assert disagreements(lives) == []
    assert lives.last.ring.session.reconciler.report.run == 1


@pytest.mark.law(1, 2, 3, 4, 9)
@pytest.mark.fault("P1")
@pytest.mark.parametrize("seed", range(101, 106))
def test_world_killed_again_and_again(seed: int) -> None:
    """The second and third may die while they recover: nothing is forgotten for that."""
    assert disagreements(live_and_die(seed, 3, quick)) == []


class Both(Quoter):
    """A Quoter in each of two markets, in turn."""

    def on_start(self, desk: Any) -> None:
        super().on_start(desk)
        self.turn = 0

    def on_book(self, book: Any) -> None:
        self.turn += 1
        if book.instrument == 0:
            super().on_book(book)
        elif self.turn % 7 == 0:
            held = self.desk.position_lots(1)
            side = int(held >= 10_000_000 and self.chance.random() < 0.5)
            self.desk.place(1, side, book.best_bid() if side else book.best_ask(), 10_000_000,
                            self.chance.choice([0, 1]))


@pytest.mark.law(1, 2, 3, 4, 9)
@pytest.mark.parametrize("seed", range(201, 206))
def test_world_killed_bot_with_two_markets(seed: int) -> None:
    lives = live_and_die(seed, 1, Both, bot={"symbols": ("BTC/USD", "ETH/USD")})
    assert disagreements(lives) == []
    first = lives.all[0].ring.world.ledger
    assert first.positions[1].traded_lots > 0


@pytest.mark.long
@pytest.mark.law(1, 2, 3, 4, 9)
@pytest.mark.fault("P1")
@pytest.mark.parametrize("block", range(10))
def test_world_killed_200_times(block: int) -> None:
    for seed in range(1000 + 5 * block, 1005 + 5 * block):
        assert disagreements(live_and_die(seed, 4, quick)) == [], seed


def no_orders(told: Carried) -> Carried:
    return replace(told, orders=(), ended=())


def no_position(told: Carried) -> Carried:
    return replace(told, positions=tuple(Held() for _ in told.positions))


def no_keys(told: Carried) -> Carried:
    return replace(told, keys=())


@pytest.mark.parametrize("forget", [no_orders, no_position, no_keys])
def test_world_recovery_that_forgets_is_caught(forget: Callable[[Carried], Carried],
                                               monkeypatch: pytest.MonkeyPatch) -> None:
    """The judge is judged: a start that leaves out one part is seen within a few seeds."""
    monkeypatch.setattr(killing, "carry", lambda *told: forget(carry(*told)))
    assert any(disagreements(live_and_die(seed, 1, quick)) for seed in range(1, 21))
