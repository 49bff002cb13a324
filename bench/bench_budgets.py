"""The seed's own six budgets, on a whole bot trading with the embedded exchange over loopback."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from harness import Gate

BUDGETS_US = {"loop_iteration": 5_000, "intent_generation": 1_000, "risk_check": 500,
              "fair_price_calc": 300, "book_update": 200, "order_placement": 100_000}
SECONDS = 8


@pytest.fixture(scope="module")
def latency(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, float]]:
    """What ``hftbot run --json`` says of its trackers after a short run."""
    folder: Path = tmp_path_factory.mktemp("run")
    done = subprocess.run([sys.executable, "-m", "hftbot", "run", "--profile", "hft",
                           "--duration", str(SECONDS), "--json", "--state", str(folder / "state")],
                          cwd=folder, capture_output=True, text=True, check=False, timeout=90)
    assert done.returncode == 0, done.stderr
    figures: dict[str, dict[str, float]] = json.loads(done.stdout)["latency"]
    return figures


@pytest.mark.parametrize("tracker", BUDGETS_US)
def test_budget(gate: Gate, latency: dict[str, dict[str, float]], tracker: str) -> None:
    """p99 of the tracker is within the seed's budget (order_placement: signal to order)."""
    gate.budget(tracker, latency[tracker], BUDGETS_US[tracker])
