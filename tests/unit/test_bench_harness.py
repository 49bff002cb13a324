"""The gate measures what it says: a made-up clock makes each side as slow as we like."""

from __future__ import annotations

import importlib.util
import json
import pathlib
import sys

import pytest

PATH = pathlib.Path(__file__).resolve().parents[2] / "bench" / "harness.py"
spec = importlib.util.spec_from_file_location("bench_harness", PATH)
assert spec is not None
assert spec.loader is not None
harness = importlib.util.module_from_spec(spec)
sys.modules["bench_harness"] = harness
spec.loader.exec_module(harness)


class Clock:
    """Nanoseconds that pass only when a side says so."""

    def __init__(self) -> None:
        self.now = 0
        self.calls = 0

    def __call__(self) -> int:
        return self.now

    def side(self, *costs: int):
        """A side that costs these, in turn."""
        def run() -> None:
            self.now += costs[self.calls % len(costs)]
            self.calls += 1
        return run


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def gate(clock: Clock, monkeypatch: pytest.MonkeyPatch):
    # A sweep of all that the other tests loaded takes a second, and there is one a block.
    monkeypatch.setattr(harness.gc, "collect", lambda: 0)
    return harness.Gate(clock=clock, blocks=4, samples=40)


def test_ratio_is_reference_over_ours(gate, clock):
    row = gate.compare("x", ours=clock.side(10), theirs=clock.side(300), reference="y",
                       at_least=30)
    assert row.ratio == (30, 30, 30)
    assert row.same == (1, 1, 1)
    assert row.ours_ns == (10, 10, 10)
    assert not row.failures()


def test_slower_than_the_bar_is_red_after_three_attempts(gate, clock):
    with pytest.raises(AssertionError, match=r"p50 ratio 29.00, must be at least 30"):
        gate.compare("x", ours=clock.side(10), theirs=clock.side(290), reference="y", at_least=30)
    assert gate.rows[0].attempts == 3


def test_a_bar_may_be_open_at_one_percentile(gate, clock):
    row = gate.compare("x", ours=clock.side(10), theirs=clock.side(290), reference="y",
                       at_least=(29, None, 1))
    assert "29/-/1" in gate.table()
    assert not row.failures()


def test_ops_divide_the_time(gate, clock):
    row = gate.compare("x", ours=clock.side(100), theirs=clock.side(500), reference="y", ops=10,
                       theirs_ops=5, at_least=10)
    assert row.ours_ns[0] == 10
    assert row.theirs_ns[0] == 100


def drifting(clock: Clock):
    """Costs 100 and 1,000 in turn, a block each, after the warm-up calls of both its turns."""
    calls = iter(range(10**9))

    def run() -> None:
        number = next(calls) - 20
        clock.now += 1000 if number >= 0 and number // 40 % 2 else 100
    return run


def test_a_reference_unlike_itself_cannot_be_believed(gate, clock):
    with pytest.raises(AssertionError, match="too noisy at 3"):
        gate.compare("x", ours=clock.side(10), theirs=drifting(clock), reference="y", at_least=200)
    assert gate.rows[0].noisy == [True, True, True]
    assert "* too noisy" in gate.table()


def test_up_to_two_noisy_percentiles_are_only_printed():
    def row(*same: float):
        return harness.Row("x", "y", (1, 1, 1), (9, 9, 9), (9, 1, 1), same, (5, 5, 5), "at least")
    assert not row(1.0, 0.7, 1.3).failures()
    assert "p95 ratio 1.00" in row(1.0, 1.0, 1.3).failures()[0]
    assert "too noisy at 3" in row(0.7, 0.7, 0.7).failures()[0]


def test_units_gate_against_the_median_of_the_unit(gate, clock):
    row = gate.in_units("x", ours=clock.side(200), unit=clock.side(100), reference="J",
                        at_most=(3, None, 9))
    assert row.ratio == (2, 2, 2)
    with pytest.raises(AssertionError, match="must be at most 1"):
        gate.in_units("x", ours=clock.side(200), unit=clock.side(100), reference="J",
                      at_most=(1, None, 9))


def test_budget(gate):
    figures = {"count": 5, "p50_us": 1.0, "p95_us": 2.0, "p99_us": 3.0}
    gate.budget("loop", figures, 5.0)
    with pytest.raises(AssertionError, match="over 2 us"):
        gate.budget("loop", figures, 2.0)
    with pytest.raises(AssertionError, match="no samples"):
        gate.budget("loop", {**figures, "count": 0}, 5.0)


def test_results_are_kept(gate, clock, tmp_path):
    gate.compare("x", ours=clock.side(10), theirs=clock.side(300), reference="y", at_least=30)
    gate.keep(tmp_path / "results.json")
    kept = json.loads((tmp_path / "results.json").read_text())
    assert kept["rows"][0]["ratio"] == [30, 30, 30]
    assert kept["rows"][0]["failures"] == []


def test_the_unit_is_the_fixed_frame():
    assert len(harness.FRAME_J) == 176
    assert harness.side_j()["channel"] == "book"
