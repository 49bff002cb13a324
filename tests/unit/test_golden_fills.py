"""The replay makes hftbacktest's fills, to the nanosecond, on a real recording.

Recording and fills are not shipped: the test is skipped where ``HFTBOT_SHARED`` has none. One of
the twelve also runs interpreted, with the same balance to the last bit.
"""

import csv
import json
import os
import pathlib

import pytest

import fastcore
from fastcore.sim import grid_maker as grid_room
from fastcore.sim import replay as replay_room
from fastcore.sim.fees import PER_VALUE, FeeModel
from fastcore.sim.latency import OrderLatency
from fastcore.sim.queue import NAMES
from twins import interpreted

SHARED = pathlib.Path(os.environ.get("HFTBOT_SHARED")
                      or pathlib.Path(__file__).resolve().parents[2].parent / "shared")
ORACLE = SHARED / "backtest_oracle"
QUEUES = {"riskadverse": "risk-averse", "logprob": "log-prob", "logprob2": "log-prob2",
          "powerprob3": "power-prob", "powerprob2_3": "power-prob2",
          "powerprob3_3": "power-prob3"}
WAKE_NS = 10_000_000

pytestmark = pytest.mark.skipif(not ORACLE.exists(), reason="no golden fills in ../shared")
CASES = [(queue, latency) for queue in QUEUES for latency in ("const", "intp")]
if not fastcore.compiled:
    CASES = CASES[:1]  # 492,000 rows each


@pytest.fixture(scope="module")
def recording():
    numpy = pytest.importorskip("numpy")
    latency = numpy.load(ORACLE / "lat_btcusdt.npz")["data"]
    return (numpy.load(ORACLE / "btcusdt.npz")["data"],
            [latency[name] for name in ("req_ts", "exch_ts", "resp_ts")])


def expected_fills(name):
    with open(ORACLE / f"fills_{name}.csv", newline="") as file:
        return [(int(row["seen_ts"]), int(row["exch_ts"]), int(row["order_id"]),
                 int(row["side"]), int(row["exec_tick"]), round(float(row["exec_qty"]) * 1000),
                 int(row["maker"])) for row in csv.DictReader(file)]


def played(recording, queue, latency, replays=replay_room, grids=grid_room):
    """The golden grid's run: (replay, its fills as the golden files have them, wake-ups)."""
    events, latency_rows = recording
    replay = replays.Replay()
    order_latency = (OrderLatency.constant(5_000_000, 5_000_000) if latency == "const"
                     else OrderLatency.interpolated(*latency_rows))
    replay.add(events, 0.1, 0.001, order_latency, FeeModel(PER_VALUE, -0.00005, 0.0007),
               queue=NAMES[QUEUES[queue]])
    grid = grids.GridMaker()
    assert replay.elapse(WAKE_NS) == 0
    start_ns = replay.now_ns
    grid.decide(replay)
    steps = grid.run(replay) + 1
    # The files have the wake-up that first saw a fill, our list the time of its arrival.
    fills = sorted((start_ns - (start_ns - seen_ns) // WAKE_NS * WAKE_NS, exch_ns, order_id,
                    1 - 2 * side, ticks, lots, maker)
                   for _, order_id, side, ticks, lots, maker, exch_ns, seen_ns in replay.fills())
    return replay, fills, steps


@pytest.mark.parametrize(("queue", "latency"), CASES)
def test_the_grid_is_filled_as_in_hftbacktest(recording, queue, latency):
    golden = json.loads((ORACLE / "grid.json").read_text())["results"][f"grid_{queue}_{latency}"]
    replay, fills, steps = played(recording, queue, latency)
    assert fills == expected_fills(f"grid_{queue}_{latency}")
    assert steps == golden["steps"]
    assert replay.trades_count(0) == golden["num_trades"]
    assert replay.balance(0) == pytest.approx(golden["balance"], abs=1e-6)
    assert replay.fee(0) == pytest.approx(golden["fee"], abs=1e-6)
    assert replay.equity(0) == pytest.approx(golden["equity_end"], abs=1e-6)
    assert replay.position(0) == round(golden["position"] * 1000)


@pytest.mark.skipif(not fastcore.compiled, reason="the case above is the interpreted one")
def test_the_interpreted_twin_gives_the_same_bits(recording):
    compiled, fills, _ = played(recording, "powerprob3", "const")
    twin, twin_fills, _ = played(recording, "powerprob3", "const",
                                 interpreted("fastcore.sim.replay"),
                                 interpreted("fastcore.sim.grid_maker"))
    assert twin_fills == fills
    assert twin.state_hash() == compiled.state_hash()
    assert (twin.balance(0), twin.fee(0), twin.equity(0)) == (
        compiled.balance(0), compiled.fee(0), compiled.equity(0))
