"""Backtests beside hftbacktest: the same loops on the same recording, in CPU time.

HFTBOT_HFTBACKTEST=/path/to/python names an interpreter that has hftbacktest 2.4.4; its loops are
those of hftbacktest_loops.py, compiled by numba, on its fast depth. The recording is the one of the
golden fills, and a side counts only if it made the golden trades. Each figure is the median of
eight runs after one that warms up; half of ours run before and half after theirs.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import fastcore
from fastcore.sim.fees import PER_VALUE, FeeModel
from fastcore.sim.grid_maker import GridMaker
from fastcore.sim.latency import OrderLatency
from fastcore.sim.queue import POWER_PROB
from fastcore.sim.replay import Replay
from harness import Gate, Row, side_j
from hftbot.app import backtest_models as models
from hftbot.app import backtest_run
from hftbot.backtest.data import open_rows
from hftbot.backtest.market import instrument_of
from hftbot.config.schema import Settings
from hftbot.words.ports import Strategy
from python_grid import PythonGrid

np = pytest.importorskip("numpy", reason="the recording is a NumPy file")
HERE = Path(__file__).parent
ORACLE = Path(os.environ.get("HFTBOT_SHARED") or HERE.parents[1] / "shared") / "backtest_oracle"
RUNS = 8
LATENCY_NS = 5_000_000
MAKER, TAKER = -0.00005, 0.0007
TICK_SIZE, LOT_SIZE = 0.1, 0.001
STEP_NS = 10_000_000
GOLDEN = "grid_powerprob3_const"
COLD_BAR = 20.0
MEMORY_KIB_MAX = 80 * 1024
WAKE_BAR_J = 1.1
WAKES = 256

pytestmark = [
    pytest.mark.skipif(not fastcore.compiled, reason="the core is interpreted here"),
    pytest.mark.skipif(not ORACLE.exists(), reason="no recording in ../shared"),
]


@pytest.fixture(scope="module")
def golden() -> dict[str, Any]:
    """Parameters of the golden grid and what it came to."""
    return json.loads((ORACLE / "grid.json").read_text())


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The events as a plain .npy, which both sides can map."""
    path = tmp_path_factory.mktemp("recording") / "btcusdt.npy"
    np.save(path, np.load(ORACLE / "btcusdt.npz")["data"])
    return path


@pytest.fixture(scope="module")
def hftbacktest_python() -> str:
    """The interpreter that has hftbacktest."""
    path = os.environ.get("HFTBOT_HFTBACKTEST", "")
    if not path:
        pytest.skip("HFTBOT_HFTBACKTEST names no interpreter with hftbacktest")
    return path


def theirs(python: str, recording: Path, golden: dict[str, Any], what: str,
           runs: int) -> dict[str, Any]:
    """What hftbacktest measured of itself; see hftbacktest_loops.py."""
    job = {"data": str(recording), "what": what, "runs": runs, "roi": [30_000, 90_000],
           "maker": MAKER, "taker": TAKER, "tick_size": TICK_SIZE, "lot_size": LOT_SIZE,
           "entry_ns": LATENCY_NS, "response_ns": LATENCY_NS, "grid": golden["params"]}
    done = subprocess.run([python, str(HERE / "hftbacktest_loops.py"), json.dumps(job)],
                          capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def fresh(rows: Any) -> Replay:
    """A replay of the recording, as the golden files have it."""
    replay = Replay()
    replay.add(rows, TICK_SIZE, LOT_SIZE, OrderLatency.constant(LATENCY_NS, LATENCY_NS),
               FeeModel(PER_VALUE, MAKER, TAKER), queue=POWER_PROB)
    return replay


def only_time(replay: Replay) -> None:
    """The clock, every 10 ms."""
    while replay.elapse(STEP_NS) == 0:
        pass


def compiled_grid(replay: Replay) -> None:
    """The golden grid as a compiled strategy."""
    GridMaker().run(replay)


def python_grid(replay: Replay) -> None:
    """The same as a plain Python class."""
    PythonGrid(replay, json.loads((ORACLE / "grid.json").read_text())["params"]).run()


LOOPS: dict[str, tuple[str, Callable[[Replay], None], float, float]] = {
    "replay only, 10 ms": ("replay", only_time, 2.0, 2.5),
    "golden grid, Python strategy": ("grid", python_grid, 2.0, 3.0),
    "golden grid, compiled strategy": ("grid", compiled_grid, 4.0, 5.0),
}


@pytest.mark.parametrize("bench", list(LOOPS))
def test_against_hftbacktest(gate: Gate, golden: dict[str, Any], recording: Path,
                             hftbacktest_python: str, bench: str) -> None:
    """CPU time of the whole recording; the note says whether the target is met, too."""
    what, loop, bar, target = LOOPS[bench]
    rows = np.load(recording, mmap_mode="r")
    trades = golden["results"][GOLDEN]["num_trades"] if what == "grid" else 0

    def ours(runs: int) -> list[float]:
        took = []
        for _ in range(runs):
            replay = fresh(rows)
            began = time.process_time()
            loop(replay)
            took.append(time.process_time() - began)
            assert replay.trades_count(0) == trades
        return took

    def measure() -> Row:
        mine = ours(1 + RUNS // 2)[1:]
        found = theirs(hftbacktest_python, recording, golden, what, 1 + RUNS)
        assert all(run["trades"] == trades for run in found["runs"])
        other = [run["cpu_s"] for run in found["runs"][1:]]
        mine += ours(RUNS // 2)
        each = [1e9 * statistics.median(took) / len(rows) for took in (mine, other)]
        same = statistics.median(other[::2]) / statistics.median(other[1::2])
        return Row(f"{bench}, CPU ns a row", "hftbacktest, numba, ROIVector", (each[0],) * 3,
                   (each[1],) * 3, (each[1] / each[0],) * 3, (same,) * 3, (bar, None, None),
                   "at least")
    row = gate.settle(measure)
    gate.notes.append(f"{bench}: {1e3 / row.ours_ns[0]:.1f} M rows/s of CPU, hftbacktest "
                      f"{1e3 / row.theirs_ns[0]:.1f}; target {target:g}x, "
                      f"{'met' if row.ratio[0] >= target else 'not met'}")


def cold(recording: Path) -> dict[str, Any]:
    """One run of ours in a process of its own."""
    done = subprocess.run([sys.executable, str(HERE / "cold_replay.py"), str(recording)],
                          capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_cold_start(gate: Gate, golden: dict[str, Any], recording: Path,
                    hftbacktest_python: str) -> None:
    """From nothing to the golden result: a twentieth of hftbacktest's CPU seconds at most."""
    def measure() -> Row:
        mine = statistics.median(cold(recording)["cpu_s"] for _ in range(3))
        other = theirs(hftbacktest_python, recording, golden, "grid", 1)["first_result_cpu_s"]
        return Row("cold start to the golden result, CPU", "hftbacktest", (1e9 * mine,) * 3,
                   (1e9 * other,) * 3, (other / mine,) * 3, (1.0,) * 3, (COLD_BAR, None, None),
                   "at least")
    gate.settle(measure)


def test_memory(gate: Gate, golden: dict[str, Any], recording: Path) -> None:
    """The mapped recording and 80 MB at most; hftbacktest's peak beside it."""
    found = cold(recording)
    mapped_kib = recording.stat().st_size // 1024
    beside = ""
    if python := os.environ.get("HFTBOT_HFTBACKTEST"):
        peak = theirs(python, recording, golden, "grid", 1)["peak_kib"]
        beside = f"; hftbacktest {peak / 1024:.0f} MiB"
    gate.notes.append(f"memory of a backtest: {found['peak_kib'] / 1024:.0f} MiB, of it "
                      f"{mapped_kib / 1024:.0f} MiB mapped data{beside}")
    assert found["trades"] == golden["results"][GOLDEN]["num_trades"]
    assert found["peak_kib"] - mapped_kib <= MEMORY_KIB_MAX


def test_wake_up_on_the_replay(gate: Gate, recording: Path) -> None:
    """One wake-up of a Python class that looks at touch, answers and position."""
    rows = np.load(recording, mmap_mode="r")[:2].copy()
    rows["exch_ts"], rows["local_ts"] = (0, 1 << 60), (0, 1 << 60)
    replay = fresh(rows)

    def wake() -> None:
        elapse, best, told, position = (replay.elapse, replay.best, replay.responses,
                                        replay.position)
        for _ in range(WAKES):
            elapse(1000)
            told()
            best(0, 0)
            best(0, 1)
            position(0)
    gate.in_units("wake-up of a Python class on a Replay", ours=wake, unit=side_j,
                  reference="J: json.loads of 176 bytes", ops=WAKES,
                  at_most=(WAKE_BAR_J, None, None))


class Sleeper(Strategy):
    """Sleeps; only the engine's timer runs."""

    name = "sleeper"
    wakes = "timer"


class Looker(Strategy):
    """Looks at the touch whenever its book changed."""

    name = "looker"
    wakes = "feed"
    seen = 0

    def on_book(self, book: Any) -> None:
        """One wake-up."""
        self.seen += 1
        book.best_bid()
        book.best_ask()


def test_wake_up_behind_the_engine(gate: Gate, recording: Path) -> None:
    """The same through the live engine, guard and book, with all that a run keeps of each wake-up.

    It is one run that looks at each change of its book, less one that sleeps beside it; the median
    of such pairs.
    """
    rows = open_rows(recording, symbol="BTCUSDT")
    free = models.fee_choice("free", "BTC/USDT")
    latency = models.LatencyChoice(lambda: OrderLatency.constant(LATENCY_NS, LATENCY_NS), "5 ms")
    grid = instrument_of(0, rows.symbol, rows.tick_size, rows.lot_size, 0, 0)
    settings = backtest_run.adjusted(Settings(loop_interval_us=1_000_000), [grid.symbol])
    plan = backtest_run.Plan(settings, (backtest_run.Market(rows, grid, free, latency),))
    queue = models.queue_choice("risk-averse")

    def took(strategy: Strategy) -> float:
        return backtest_run.run(plan, "bench", queue, lambda name, part: None, strategy).cpu_s

    def measure() -> Row:
        each, unit = [], []
        for _ in range(RUNS):
            slept_s, looker = took(Sleeper()), Looker()
            each.append((took(looker) - slept_s) / looker.seen)
            began = time.process_time()
            for _ in range(10_000):
                side_j()
            unit.append((time.process_time() - began) / 10_000)
        ratio = statistics.median(wake / j for wake, j in zip(each, unit, strict=True))
        return Row("wake-up of a strategy behind the engine", "J: json.loads of 176 bytes",
                   (1e9 * statistics.median(each),) * 3, (1e9 * statistics.median(unit),) * 3,
                   (ratio,) * 3, (1.0,) * 3, (WAKE_BAR_J, None, None), "at most")
    gate.settle(measure)
