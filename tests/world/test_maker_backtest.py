"""The spread maker in the backtest: the object that trades on the embedded exchange, unchanged."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from hftbot.app.strategies import build_strategy
from hftbot.backtest.result import BacktestResult
from hftbot.config.schema import Settings
from world.backtest_rig import LOT, TICK, Run, random_market

# A market one tick wide that moves a tick now and then: quotes at the touch.
MAKER = {"strategy": "spread_maker", "order_size_usd": Decimal(600), "maker_move_e6": 1,
         "maker_inventory_usd": Decimal(1_800), "maker_edge_e6": 0, "maker_rest_us": 200_000,
         "position_usd_max": Decimal(10_000), "maker_level_gap_e6": 2, "maker_measure": False,
         "maker_arrival_depth_e6": 1, "maker_risk_e6": 1}


def played(seed: int, seconds: float = 20.0, **told: Any) -> BacktestResult:
    """A backtest of the maker that the settings name."""
    settings = {**MAKER, **told}
    run = Run(random_market(seed, seconds), fees=(0.0, 0.0), told=settings)
    return run.go(build_strategy(Settings(**settings)))


@pytest.mark.parametrize("short", [False, True])
def test_it_is_filled_as_a_maker_within_its_inventory(short: bool) -> None:
    result = played(3, maker_short=short)
    assert result.ended == "end of data"
    assert len(result.fills) > 4
    assert all(fill.maker for fill in result.fills)
    limit = int(1_800 / (600_000 * float(TICK) * float(LOT))) + 1
    held = 0
    for fill in result.fills:
        held += fill.lots if fill.side == 0 else -fill.lots
        assert (-limit if short else 0) <= held <= limit
    assert {fill.side for fill in result.fills} == {0, 1}
    assert held == result.samples.positions[0][-1]


def test_the_same_data_give_the_same_fills() -> None:
    first, again = played(5), played(5)
    assert first.fills == again.fills
    assert first.wakes == again.wakes
    assert played(6).fills != first.fills


def test_the_future_changes_nothing_that_was_done_before_it() -> None:
    """Two markets that part after twelve seconds: until then the same orders and fills."""
    whole = random_market(7, 20.0)
    parted = [row for row in whole if row[0] < whole[0][0] + 12_000_000_000]
    other = parted + [row for row in random_market(8, 20.0)
                      if row[0] >= whole[0][0] + 12_000_000_000]
    results = []
    for rows in (whole, other):
        run = Run(rows, fees=(0.0, 0.0), told=MAKER)
        results.append(run.go(build_strategy(Settings(**MAKER))))
    seen = [[fill for fill in result.fills if fill.seen_ns < parted[-1][1]] for result in results]
    assert seen[0] == seen[1]
    assert seen[0]
