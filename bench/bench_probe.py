"""Measuring must cost less than what it measures."""

from __future__ import annotations

import random
from array import array

import pytest

from fastcore.probe.clock import mono_ns, now_us
from fastcore.probe.histogram import Histogram
from fastcore.probe.trackers import SEED_NAMES, Trackers
from harness import Gate

hdrh = pytest.importorskip("hdrh.histogram", reason="hdrhistogram has no wheel here")

HIGHEST = 3_600_000_000_000
CHUNK = 32


def latencies() -> list[int]:
    """Log-normal nanoseconds, as latencies are."""
    rng = random.Random(7)
    return [int(rng.lognormvariate(7.5, 1.0)) + 1 for _ in range(CHUNK)]


def test_record_from_python(gate: Gate) -> None:
    """One record call each, the for-loop included on both sides."""
    values = latencies()
    ours, theirs = Histogram(HIGHEST, 3), hdrh.HdrHistogram(1, HIGHEST, 3)

    def record() -> None:
        each = ours.record
        for value in values:
            each(value)

    def record_value() -> None:
        each = theirs.record_value
        for value in values:
            each(value)
    gate.compare("histogram record, from Python", ours=record, theirs=record_value,
                 reference="hdrhistogram", ops=CHUNK, at_least=10)


def test_record_in_a_compiled_loop(gate: Gate) -> None:
    """The same values through one compiled loop."""
    values = latencies()
    words = array("q", values * 8)
    ours, theirs = Histogram(HIGHEST, 3), hdrh.HdrHistogram(1, HIGHEST, 3)

    def record_value() -> None:
        each = theirs.record_value
        for value in values:
            each(value)
    gate.compare("histogram record, compiled loop", ours=lambda: ours.record_all(words),
                 theirs=record_value, reference="hdrhistogram", ops=CHUNK * 8, theirs_ops=CHUNK,
                 at_least=50)


def test_tracker_record(gate: Gate) -> None:
    """A tracker is a histogram with a name: by index it costs the same."""
    values = latencies()
    trackers, theirs = Trackers(SEED_NAMES), hdrh.HdrHistogram(1, HIGHEST, 3)

    def record() -> None:
        each = trackers.record
        for value in values:
            each(3, value)

    def record_value() -> None:
        each = theirs.record_value
        for value in values:
            each(value)
    gate.compare("tracker record, from Python", ours=record, theirs=record_value,
                 reference="hdrhistogram", ops=CHUNK, at_least=8)


def test_clock(gate: Gate) -> None:
    """now_us() against the usual expression for it, and mono_ns() beside it."""
    import time

    def ours() -> None:
        for _ in range(CHUNK):
            now_us()

    def monotonic() -> None:
        for _ in range(CHUNK):
            mono_ns()

    def theirs() -> None:
        for _ in range(CHUNK):
            time.time_ns() // 1000
    gate.compare("now_us, from Python", ours=ours, theirs=theirs, reference="time.time_ns()//1000",
                 ops=CHUNK, at_least=(1, None, None))
    gate.compare("mono_ns, from Python", ours=monotonic, theirs=theirs,
                 reference="time.time_ns()//1000", ops=CHUNK, at_least=(1, None, None))
