"""Signal to final state of an IOC with five in flight; and what a thread for each would cost.

The seed asks for less than 100 ms. The venue is the embedded exchange over loopback sockets, with
its usual latency model: 1.5 ms each way and 1 ms in the engine, jitter beside.
"""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
import time
from pathlib import Path

from bench_engine import FRAMES, Bot
from harness import Gate, percentiles, side_j

STRATEGY = Path(__file__).with_name("five_in_flight.py")
BUDGET_US = 100_000.0
SECONDS = 8
SIGNALS = 1_000
FRAMES_BETWEEN = 20
WORKERS = 3


def test_signal_to_final_state_with_five_in_flight(gate: Gate, tmp_path: Path) -> None:
    """The gate: p99 below the seed's 100 ms, five orders at once, none refused."""
    done = subprocess.run([sys.executable, "-m", "hftbot", "run", "--profile", "hft",
                           "--duration", str(SECONDS), "--json", "--strategy",
                           f"{STRATEGY}:FiveInFlight", "--state", str(tmp_path / "state"),
                           "--set", "MAX_ORDERS_PER_MIN=6000", "--set", "SAME_ORDER_WINDOW_MS=0",
                           "--set", "FILLS_IN_ROW_MAX=10000", "--set", "LOSS_USD_DAY_MAX=10000"],
                          cwd=tmp_path, capture_output=True, text=True, check=False, timeout=90)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)["strategy"]["five_in_flight"]
    assert told["most"] == 5
    assert told["full"] > 20
    assert told["rejected"] == 0
    gate.budget("signal -> IOC final state, 5 in flight", told["entry"], BUDGET_US)
    gate.budget("order sent -> IOC final state, 5 in flight", told["order"], BUDGET_US)


def test_three_threads_beside_one(gate: Gate, tmp_path: Path) -> None:
    """Published: how long a signal waits until its order is written, on one thread and on three.

    The feed thread goes on decoding, twenty small frames a signal, while the three workers wait on
    a priority queue, as the design of the seed has it; one interpreter lock serves them all.
    """
    bot = Bot(tmp_path)
    alone: list[int] = []
    for _ in range(FRAMES - 1):
        seen_ns = time.perf_counter_ns()
        bot.run()
        alone.append(time.perf_counter_ns() - seen_ns)
    waiting: queue.PriorityQueue[tuple[int, int]] = queue.PriorityQueue()
    waits: list[int] = []

    def work() -> None:
        while True:
            priority, seen_ns = waiting.get()
            if priority > 0:
                return
            waits.append(time.perf_counter_ns() - seen_ns)

    workers = [threading.Thread(target=work) for _ in range(WORKERS)]
    for worker in workers:
        worker.start()
    for number in range(SIGNALS):
        waiting.put((-number, time.perf_counter_ns()))
        for _ in range(FRAMES_BETWEEN):
            side_j()
    for _ in workers:
        waiting.put((1, 0))
    for worker in workers:
        worker.join()
    for name, took in (("one thread, frame in to order out", alone),
                       ("three threads, signal to the worker that takes it", waits)):
        p50, p95, p99 = (figure / 1000 for figure in percentiles(took, 1))
        gate.notes.append(f"{name} (us): p50 {p50:,.1f}  p95 {p95:,.1f}  p99 {p99:,.1f}")
