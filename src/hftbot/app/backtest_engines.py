"""``hftbot backtest --engine hftbacktest``: the requests of our run through hftbacktest itself."""

from __future__ import annotations

import importlib.util
import os
import sys

from fastcore.sim import queue as queues
from hftbot.app.backtest_models import QueueChoice
from hftbot.app.backtest_run import Plan, asset_of
from hftbot.backtest.comparison import (
    Comparison,
    RequestTape,
    Setting,
    compare,
    refuse_unknown,
)
from hftbot.backtest.result import BacktestResult, SimAsset
from hftbot.errors import ConfigError

VARIABLE = "HFTBOT_HFTBACKTEST"
PARTIAL, L3 = "partial", "l3-fifo"


def interpreter() -> str:
    """The Python that has hftbacktest. Raises ConfigError with the remedy if there is none."""
    named = os.environ.get(VARIABLE, "")
    if named:
        if not os.access(named, os.X_OK):
            raise ConfigError(f"{VARIABLE}={named[:200]} is no program; name the python of an "
                              "environment that has hftbacktest")
        return named
    if importlib.util.find_spec("hftbacktest") is not None:
        return sys.executable
    raise ConfigError("--engine hftbacktest: it is not installed here; `pip install "
                      f"'hftbot[hftbacktest]'`, or set {VARIABLE} to the python of an environment "
                      "that has it")


class Beside:
    """Records our run (``tape`` goes into it as ``wrap``) and sends it through hftbacktest.

    Made before the run: what hftbacktest cannot do, or its absence, is refused at once, by
    ConfigError.
    """

    def __init__(self, plan: Plan, queue: QueueChoice) -> None:
        self.python = interpreter()
        self.plan = plan
        self.queue = queue
        for index in range(len(plan.markets)):
            refuse_unknown(self._setting(index))
        self._tapes: list[RequestTape] = []

    def tape(self, replay: object) -> RequestTape:
        """What to put before the replay of the run that is compared."""
        self._tapes.append(RequestTape(replay))
        return self._tapes[-1]

    def comparisons(self, result: BacktestResult) -> list[Comparison]:
        """Every market of the run that was recorded last. Raises HftbotError."""
        found = []
        for index, asset in enumerate(result.assets):
            fills = [fill for fill in result.fills if fill.asset == index]
            requests = self._tapes[-1].requests.get(index, [])
            found.append(compare(self.python, self._setting(index, asset), requests, fills))
        return found

    def _setting(self, index: int, asset: SimAsset | None = None) -> Setting:
        market, plan = self.plan.markets[index], self.plan
        name = next(name for name, kind in queues.NAMES.items() if kind == self.queue.kind)
        return Setting(
            asset=asset or asset_of(market, plan),
            events=market.rows.buffer, queue=L3 if plan.exchange == L3 else name,
            power=self.queue.power, partial=plan.exchange == PARTIAL, fees=market.fees.model,
            latency=market.latency.make())
