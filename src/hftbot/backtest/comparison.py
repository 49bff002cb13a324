"""The same orders through hftbacktest: what it makes of them beside what we made of them.

Our run's requests are recorded as they leave; hftbacktest gets the same data, models and requests,
each at its own moment, in a process of the interpreter that has it. Since both engines are asked
the same, every difference is one of their answers, fill by fill.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastcore.sim import model_codes as kinds
from fastcore.sim.fees import FeeModel
from fastcore.sim.latency import OrderLatency
from hftbot.backtest import hftbacktest_run as runner
from hftbot.backtest.result import BINARY, SimAsset, SimFill
from hftbot.errors import ConfigError, HftbotError

SHOWN = 5
MONEY_EQUAL = 1e-6
FEE_KINDS = {kinds.PER_VALUE: "value", kinds.PER_QUANTITY: "quantity", kinds.FLAT: "flat"}
Request = tuple[int, int, int, int, int, int, int, int]
"""When it left in ns, what (hftbacktest_run's SUBMIT, CANCEL, MODIFY), order id, side, ticks, lots,
time in force, order type; zeros where a request has none."""
Key = tuple[int, int, int, int]
"""A fill as both engines know it: order id, exchange time in ns, ticks, lots."""


class RequestTape:
    """Stands before a Replay, hands everything on, and keeps each request that it took."""

    def __init__(self, replay: Any) -> None:
        self._replay = replay
        self.requests: dict[int, list[Request]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._replay, name)

    def _keep(self, asset: int, *request: int) -> None:
        at_ns = int(self._replay.now_ns)
        self.requests.setdefault(asset, []).append((at_ns, *request))  # type: ignore[arg-type]

    def submit(self, asset: int, order_id: int, side: int, ticks: int, lots: int, tif: int,
               order_type: int = 0) -> int:
        """Replay.submit, kept if it left."""
        code = int(self._replay.submit(asset, order_id, side, ticks, lots, tif, order_type))
        if code == 0:
            self._keep(asset, runner.SUBMIT, order_id, side, ticks, lots, tif, order_type)
        return code

    def cancel(self, asset: int, order_id: int) -> int:
        """Replay.cancel, kept if it left."""
        code = int(self._replay.cancel(asset, order_id))
        if code == 0:
            self._keep(asset, runner.CANCEL, order_id, 0, 0, 0, 0, 0)
        return code

    def modify(self, asset: int, order_id: int, ticks: int, lots: int) -> int:
        """Replay.modify, kept if it left."""
        code = int(self._replay.modify(asset, order_id, ticks, lots))
        if code == 0:
            self._keep(asset, runner.MODIFY, order_id, 0, ticks, lots, 0, 0)
        return code


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One asset of a run as hftbacktest has to be told it.

    ``events`` is the buffer of 64-byte rows; ``queue`` a name of fastcore.sim.queue.
    """

    asset: SimAsset
    events: Any
    queue: str
    power: float
    partial: bool
    fees: FeeModel
    latency: OrderLatency


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """What one engine made of the requests: position in lots, money in the asset's."""

    engine: str
    fills: int
    position_lots: float
    balance: float
    fee: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Both engines on one asset; ``only_ours`` and ``only_theirs`` are the fills not shared."""

    symbol: str
    requests: int
    ours: Side
    theirs: Side
    equal: int
    only_ours: tuple[Key, ...]
    only_theirs: tuple[Key, ...]
    cpu_s: float

    @property
    def same(self) -> bool:
        """Whether no fill and no money differs."""
        ours, theirs = self.ours, self.theirs
        return not self.only_ours and not self.only_theirs and all(
            abs(a - b) <= MONEY_EQUAL * max(1.0, abs(a)) for a, b in (
                (ours.position_lots, theirs.position_lots), (ours.balance, theirs.balance),
                (ours.fee, theirs.fee)))


def refuse_unknown(setting: Setting) -> None:
    """Raise ConfigError for what hftbacktest cannot do, before anything is run."""
    symbol = setting.asset.symbol
    if setting.fees.kind not in FEE_KINDS:
        raise ConfigError(f"{symbol}: hftbacktest has no fee curve; compare with --fees in bps, "
                          "qty: or flat:")
    if setting.latency.kind == kinds.JITTERED:
        raise ConfigError(f"{symbol}: hftbacktest has no random latency; compare with a constant "
                          "one such as --latency 5ms/5ms, feed, or a file of latency rows")
    if setting.asset.contract == BINARY:
        raise ConfigError(f"{symbol}: hftbacktest has no binary contracts")


def compare(python: str, setting: Setting, requests: Sequence[Request],
            fills: Sequence[SimFill]) -> Comparison:
    """Run one asset's requests through the hftbacktest of that interpreter.

    Raises ConfigError for what it cannot do, HftbotError with its own words where it fails.
    """
    refuse_unknown(setting)
    with tempfile.TemporaryDirectory(prefix="hftbot-") as folder:
        place = Path(folder) / "job.json"
        place.write_text(json.dumps(_job(Path(folder), setting, requests)))
        try:
            done = subprocess.run([python, runner.__file__, str(place)], capture_output=True,
                                  text=True, check=False)
        except OSError as error:
            raise ConfigError(f"cannot run {python}: {error.strerror or error}; name an "
                              "interpreter that has hftbacktest") from None
    if done.returncode != 0:
        words = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        raise HftbotError(f"hftbacktest ended with {done.returncode}: {words[0]}")
    return _compared(setting.asset, requests, fills, json.loads(done.stdout.splitlines()[-1]))


def _job(folder: Path, setting: Setting, requests: Sequence[Request]) -> dict[str, Any]:
    import numpy

    data = folder / "events.npy"
    fields = [("ev", "u8"), ("exch_ts", "i8"), ("local_ts", "i8"), ("px", "f8"), ("qty", "f8"),
              ("order_id", "u8"), ("ival", "i8"), ("fval", "f8")]
    numpy.save(data, numpy.frombuffer(setting.events, dtype=numpy.dtype(fields, align=True)))
    latency: dict[str, Any] = {"entry_ns": setting.latency.entry_ns,
                               "response_ns": setting.latency.response_ns}
    if setting.latency.kind == kinds.INTERPOLATED:
        latency = {"rows": list(zip(*setting.latency.recorded(), strict=True))}
    asset = setting.asset
    return {"folder": str(folder), "data": [str(data)], "latency": latency,
            "queue": setting.queue, "power": setting.power, "partial": setting.partial,
            "contract": asset.contract, "contract_size": asset.contract_size,
            "tick_size": asset.tick_size, "lot_size": asset.lot_size, "requests": list(requests),
            "fees": {"kind": FEE_KINDS[setting.fees.kind], "maker": setting.fees.maker,
                     "taker": setting.fees.taker}}


def _compared(asset: SimAsset, requests: Sequence[Request], fills: Sequence[SimFill],
              found: dict[str, Any]) -> Comparison:
    ours = Counter((fill.order_id, fill.exch_ns, fill.ticks, fill.lots) for fill in fills)
    theirs = Counter((order_id, exch_ns, ticks, round(quantity / asset.lot_size))
                     for order_id, exch_ns, ticks, quantity in found["fills"])
    signs = [1 - 2 * fill.side for fill in fills]
    mine = Side(engine="ours", fills=len(fills),
                position_lots=sum(sign * fill.lots for sign, fill in zip(signs, fills,
                                                                         strict=True)),
                balance=-sum(sign * asset.amount(fill.ticks, fill.lots)
                             for sign, fill in zip(signs, fills, strict=True)),
                fee=sum(fill.fee for fill in fills))
    other = Side(engine=f"hftbacktest {found['version']}", fills=len(found["fills"]),
                 position_lots=found["position"] / asset.lot_size, balance=found["balance"],
                 fee=found["fee"])
    return Comparison(symbol=asset.symbol, requests=len(requests), ours=mine, theirs=other,
                      equal=sum((ours & theirs).values()), cpu_s=found["cpu_s"],
                      only_ours=tuple(sorted((ours - theirs).elements())),
                      only_theirs=tuple(sorted((theirs - ours).elements())))


def comparison_text(comparison: Comparison) -> str:
    """For people: both accounts side by side, and the first fills that only one engine has."""
    ours, theirs = comparison.ours, comparison.theirs
    lines = [f"{comparison.symbol}: {comparison.requests:,} requests, the same to both engines",
             f"  {'':<20}{'fills':>10}{'position, lots':>18}{'balance':>20}{'fees':>16}"]
    for side in (ours, theirs):
        lines.append(f"  {side.engine:<20}{side.fills:>10,}{side.position_lots:>18,.6g}"
                     f"{side.balance:>20,.6f}{side.fee:>16,.6f}")
    if comparison.same:
        lines.append(f"  no difference in {comparison.equal:,} fills, to the nanosecond")
    else:
        lines.append(f"  {comparison.equal:,} fills are the same to the nanosecond")
        for name, only in (("ours", comparison.only_ours), ("hftbacktest", comparison.only_theirs)):
            for order_id, exch_ns, ticks, lots in only[:SHOWN]:
                lines.append(f"  only {name}: order {order_id}, {lots} lots at {ticks} ticks, "
                             f"exchange time {exch_ns} ns")
            if len(only) > SHOWN:
                lines.append(f"  only {name}: {len(only) - SHOWN:,} more")
    lines.append(f"  hftbacktest took {comparison.cpu_s:.1f} CPU seconds, its compiler included")
    return "\n".join(lines)


def comparison_json(comparison: Comparison) -> dict[str, Any]:
    """The same for programs."""
    def side(one: Side) -> dict[str, Any]:
        return {name: getattr(one, name) for name in one.__slots__}
    return {"symbol": comparison.symbol, "requests": comparison.requests,
            "same": comparison.same, "equal_fills": comparison.equal,
            "ours": side(comparison.ours), "hftbacktest": side(comparison.theirs),
            "only_ours": [list(key) for key in comparison.only_ours[:SHOWN]],
            "only_hftbacktest": [list(key) for key in comparison.only_theirs[:SHOWN]],
            "cpu_s": comparison.cpu_s}
