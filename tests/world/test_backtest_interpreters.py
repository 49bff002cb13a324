"""The same inputs give byte-equal fill files on every interpreter."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest

from hftbot.backtest.fill_file import fills_text
from world.backtest_rig import Run, random_market
from world.test_backtest_world import Maker

ROOT = pathlib.Path(__file__).resolve().parents[2]
SECONDS = 6.0
PROGRAM = f"""
import sys
sys.path[:0] = ["src", "tests"]
import fastcore
assert not fastcore.compiled
from hftbot.backtest.fill_file import fills_text
from world.backtest_rig import Run, random_market
from world.test_backtest_world import Maker
for queue in sys.argv[1:]:
    sys.stdout.write(fills_text(Run(random_market(9, {SECONDS}), queue=queue).go(Maker(9))))
"""
QUEUES = ("risk-averse", "log-prob", "log-prob2", "power-prob:3", "power-prob2:2.5",
          "power-prob3:0.25")


def elsewhere(interpreter: str) -> str:
    """The fills of all queue models on another interpreter, without the compiled core."""
    done = subprocess.run([interpreter, "-c", PROGRAM, *QUEUES], cwd=ROOT, check=False, text=True,
                          capture_output=True, timeout=110,
                          env={**os.environ, "FASTCORE_PURE": "1"})
    assert done.returncode == 0, done.stderr
    return done.stdout


def here() -> str:
    """The same in this process."""
    return "".join(fills_text(Run(random_market(9, SECONDS), queue=queue).go(Maker(9)))
                   for queue in QUEUES)


def test_interpreted_fills_are_those_of_the_compiled_core() -> None:
    ours = here()
    assert len(ours.splitlines()) > 100
    assert elsewhere(sys.executable) == ours


@pytest.mark.skipif(not os.environ.get("HFTBOT_PYPY"), reason="HFTBOT_PYPY names no PyPy")
def test_pypys_fills_are_those_of_the_compiled_core() -> None:
    assert elsewhere(os.environ["HFTBOT_PYPY"]) == here()
