"""The same sources compiled, interpreted, and (with HFTBOT_PYPY=/path/to/python) under PyPy."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

import pytest

import fastcore
from harness import Gate
from workloads import WORKLOADS

SCRIPT = pathlib.Path(__file__).with_name("workloads.py")


def measured(python: str, pure: bool) -> dict[str, float]:
    """ns per call of every workload on an interpreter, in a process of its own."""
    environment = {**os.environ, "FASTCORE_PURE": "1" if pure else "0"}
    done = subprocess.run([python, str(SCRIPT)], env=environment, capture_output=True, text=True,
                          check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert figures["core"] == ("interpreted" if pure else "compiled")
    return figures["ns"]


@pytest.mark.skipif(not fastcore.compiled, reason="the core is interpreted here")
def test_compiled_against_interpreted(gate: Gate) -> None:
    """Publishes each room's cost; the compiled one must win, everywhere and clearly."""
    ours, theirs = measured(sys.executable, False), measured(sys.executable, True)
    pypy = os.environ.get("HFTBOT_PYPY")
    third = measured(pypy, True) if pypy else {}
    gate.notes.append(f"{'ns per call from Python':<48}{'compiled':>10}{'interpreted':>13}"
                      f"{'ratio':>8}{'PyPy':>10}")
    for name in WORKLOADS:
        under_pypy = f"{third[name]:.1f}" if third else "-"
        gate.notes.append(f"{name:<48}{ours[name]:>10.1f}{theirs[name]:>13.1f}"
                          f"{theirs[name] / ours[name]:>8.1f}{under_pypy:>10}")
    assert all(theirs[name] > 2 * ours[name] for name in WORKLOADS)
