"""What the execution door costs in memory, in a process of its own; prints one JSON document."""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import tracemalloc

ACTIVE = 660
HISTORY = 1_000


def resident_bytes() -> int:
    """This process's own memory that is in use now, shared pages left out."""
    with open("/proc/self/smaps_rollup", encoding="ascii") as file:
        return sum(int(line.split()[1]) for line in file if line.startswith("Private_")) * 1024


async def main() -> dict[str, float]:
    before = resident_bytes()
    from hftbot.execution import create_hft_engine

    async with create_hft_engine(sys.argv[1], order_timeout_s=0.001) as engine:
        await engine.execute_order("BTC/USD", "buy", "market", None, 0.01)
        told = {"engine_mb": (resident_bytes() - before) / 1e6}
        gc.collect()
        tracemalloc.start()
        base = tracemalloc.get_traced_memory()[0]
        for number in range(ACTIVE):
            await engine.execute_order("BTC/USD", "buy", "limit", 50_000 + number, 0.01)
        assert len(engine.active_orders) == ACTIVE
        gc.collect()
        told["active_order_bytes"] = (tracemalloc.get_traced_memory()[0] - base) / ACTIVE
        await engine.cancel_all_orders()
        engine.execution_history = []
        gc.collect()
        base = tracemalloc.get_traced_memory()[0]
        for number in range(HISTORY):
            await engine.execute_order("BTC/USD", ("buy", "sell")[number % 2], "market", None,
                                       0.001, timeout_s=5.0)
        assert len(engine.execution_history) == HISTORY
        gc.collect()
        told["history_bytes"] = tracemalloc.get_traced_memory()[0] - base
        return told


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main())))
