"""Execution engines that end unasked: a script forgets to close its own, or the exchange dies."""

from __future__ import annotations

import asyncio
import json
import os
import pathlib
import signal
import subprocess
import sys

import pytest

import fastcore
from hftbot.errors import HftbotError
from hftbot.execution import create_hft_engine

MOMENT_S = 0.01
# What is tested here: the tree's own sources, or what was installed.
SOURCES = pathlib.Path(fastcore.__file__).resolve().parents[1]
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


def test_an_exchange_that_dies_is_named(tmp_path: pathlib.Path) -> None:
    async def work() -> None:
        engine = create_hft_engine(state_dir=tmp_path / "state")
        bought = await engine.execute_order("BTC/USD", "buy", "market", None, 0.5)
        assert bought.status == "filled"
        facts = json.loads((tmp_path / "state" / "exchange" / "endpoint.json").read_text())
        os.kill(facts["pid"], signal.SIGKILL)
        while True:
            unheard = await engine.execute_order("BTC/USD", "buy", "market", None, 0.5,
                                                 timeout_s=0.05)
            assert unheard.executed_quantity == 0.0
            await asyncio.sleep(MOMENT_S)
    with pytest.raises(HftbotError, match="the embedded exchange ended by itself: exit code -9"):
        asyncio.run(work())


def test_the_loops_end_closes_the_engine(tmp_path: pathlib.Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(SOURCES), "TMPDIR": str(tmp_path)}
    with subprocess.Popen([sys.executable, "-c", SCRIPT], text=True, cwd=tmp_path,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env=environment) as process:
        told, errors = process.communicate(timeout=60)
    assert (process.returncode, told, errors) == (0, "filled open\n", "")
    assert list(tmp_path.iterdir()) == []
