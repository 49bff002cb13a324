"""A running embedded exchange for tests of the execution door, and an engine on it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Coroutine, Iterator
from typing import Any

import fastcore
from hftbot.execution import create_hft_engine

# What is tested here: the tree's own sources, or what was installed.
SOURCES = pathlib.Path(fastcore.__file__).resolve().parents[1]
SETTINGS = ("KRAKEN_TIER=off", "SYMBOLS=BTC/USD,ETH/USD", "SIM_BALANCE_USD=1000000000",
            "SIM_NETWORK_US=0", "SIM_NETWORK_JITTER_US=0", "SIM_ENGINE_US=0",
            "SIM_ENGINE_JITTER_US=0")


@contextlib.contextmanager
def serving(folder: pathlib.Path) -> Iterator[dict[str, Any]]:
    """``hftbot exchange`` without delays, as its endpoint.json describes it."""
    with subprocess.Popen(
            [sys.executable, "-m", "hftbot", "exchange", "--json", "--state", str(folder),
             "--seed", "7", "--with-bot", "--linger", "0", *(f"--set={each}" for each in SETTINGS)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=folder,
            env={**os.environ, "PYTHONPATH": str(SOURCES)}) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("{")
        yield json.loads((folder / "exchange" / "endpoint.json").read_text())
        process.terminate()


class LiveEngine:
    """One engine on that exchange, on a loop that several tests share."""

    def __init__(self, facts: dict[str, Any]) -> None:
        self.facts = facts
        self.url: str = facts["rest_url"]
        self.loop = asyncio.new_event_loop()
        self.engine = create_hft_engine(self.url)

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine on the loop."""
        return self.loop.run_until_complete(work)

    def __enter__(self) -> LiveEngine:
        return self

    def __exit__(self, *_: object) -> None:
        self.run(self.engine.close())
        self.loop.close()
