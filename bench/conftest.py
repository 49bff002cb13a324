"""Collects what the benches measure, prints the table, keeps it as bench/results.json."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from harness import Gate

GATE = Gate()


@pytest.fixture(scope="session", autouse=True)
def one_cpu() -> Iterator[None]:
    """HFTBOT_BENCH_CPU=n pins the measuring to one processor; without it nothing is pinned."""
    wanted = os.environ.get("HFTBOT_BENCH_CPU")
    if not wanted:
        yield
        return
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {int(wanted)})
    yield
    os.sched_setaffinity(0, allowed)


@pytest.fixture
def gate() -> Gate:
    """The one gate of this run."""
    return GATE


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The table, whether green or red."""
    if GATE.rows or GATE.budgets or GATE.notes:
        terminalreporter.write_line("\n" + GATE.table())
        GATE.keep()
