"""One seed: a plan of faults, a strategy, a run, and what the laws say of it.

``PYTHONPATH=tests python -m world.trial SEED`` replays one and prints its plan.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hftbot.exchange.faults import Fault, FaultInjector, draw
from hftbot.words.ports import Strategy
from laws.watch import Broken, Watch
from world.ring import Ring, run_ring
from world.tamper import GENEROUS, Quoter, Trader

SECONDS = 60.0
Plant = Callable[[Ring], None]


@dataclass
class Trial:
    """What became of one seed."""

    seed: int
    plan: tuple[Fault, ...]
    ring: Ring
    watch: Watch
    broken: list[Broken]
    done: dict[str, int]

    def text(self) -> str:
        """For a person who has to find the cause; the first line replays it."""
        lines = [f"replay: PYTHONPATH=tests python -m world.trial {self.seed}"]
        lines += [f"  {fault}" for fault in self.plan]
        lines += [f"  {broken}" for broken in self.broken[:8]]
        return "\n".join(lines)


def strategy_of(seed: int) -> Strategy | None:
    """A quoter, a trader, or the run's own scalper."""
    return (Quoter(seed), Trader(), None)[seed % 3]


def try_seed(seed: int, seconds: float = SECONDS, plant: Plant | None = None,
             **told: Any) -> Trial:
    """Run one seed under its plan, with the laws on. ``plant`` may spoil the bot first."""
    plan = draw(seed, round(seconds * 1e6))
    kept: list[tuple[Watch, FaultInjector]] = []

    def script(ring: Ring) -> None:
        kept.append((Watch(ring), FaultInjector(ring.venue.face, plan, seed)))
        if plant is not None:
            plant(ring)

    told["bot"] = {**GENEROUS, **told.pop("bot", {})}
    ring = run_ring(seed, seconds, strategy=strategy_of(seed), script=script, **told)
    watch, injector = kept[0]
    return Trial(seed, plan, ring, watch, watch.end(), injector.counts)


if __name__ == "__main__":
    trial = try_seed(int(sys.argv[1]))
    print(trial.text())
    print(f"faults {trial.done}, {trial.watch.events} events, {trial.ring.venue.frames} frames, "
          f"{len(trial.watch.adds)} orders, {len(trial.watch.trades)} trades")
    sys.exit(1 if trial.broken else 0)
