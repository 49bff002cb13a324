"""The golden grid from a cold start: python bench/cold_replay.py EVENTS.npy

Prints one JSON document: CPU seconds of this process from its beginning to the result, imports
included, its peak memory, and the trades it made.
"""

from __future__ import annotations

import json
import sys
import time

from fastcore.sim.fees import PER_VALUE, FeeModel
from fastcore.sim.grid_maker import GridMaker
from fastcore.sim.latency import OrderLatency
from fastcore.sim.queue import POWER_PROB
from fastcore.sim.replay import Replay


def peak_kib() -> int:
    """The most memory that this process ever held, in KiB, mapped files included."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))


def main() -> None:
    """One run, once."""
    import numpy

    rows = numpy.load(sys.argv[1], mmap_mode="r")
    replay = Replay()
    replay.add(rows, 0.1, 0.001, OrderLatency.constant(5_000_000, 5_000_000),
               FeeModel(PER_VALUE, -0.00005, 0.0007), queue=POWER_PROB)
    GridMaker().run(replay)
    print(json.dumps({"cpu_s": time.process_time(), "peak_kib": peak_kib(),
                      "trades": replay.trades_count(0)}))


if __name__ == "__main__":
    main()
