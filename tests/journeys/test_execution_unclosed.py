"""A script that forgets to close its execution engine ends by itself, and leaves nothing behind."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

SOURCES = pathlib.Path(__file__).resolve().parents[2] / "src"
SCRIPT = """
import asyncio
from hftbot.execution import create_hft_engine

async def main():
    engine = create_hft_engine()
    bought = await engine.execute_order("BTC/USD", "buy", "market", None, 0.5)
    rests = await engine.execute_order("BTC/USD", "buy", "limit", 50000, 0.5, timeout_s=0.05)
    print(bought.status, rests.status)

asyncio.run(main())
"""


def test_the_loops_end_closes_the_engine(tmp_path: pathlib.Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(SOURCES), "TMPDIR": str(tmp_path)}
    with subprocess.Popen([sys.executable, "-c", SCRIPT], text=True, cwd=tmp_path,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env=environment) as process:
        told, errors = process.communicate(timeout=60)
    assert (process.returncode, told, errors) == (0, "filled open\n", "")
    assert list(tmp_path.iterdir()) == []
