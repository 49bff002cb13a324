"""Timing under the names that the microsecond handbook uses.

::

    from hftbot.timing import Stopwatch, print_latency_report, track_latency

    watch = Stopwatch().start()
    ...
    track_latency("my_step", watch.elapsed_us())
    print_latency_report()

Durations are kept in nanoseconds and reported in microseconds.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any, TextIO

from fastcore.probe.clock import Stopwatch, mono_ns, now_ns, now_us
from fastcore.probe.histogram import Histogram
from fastcore.probe.trackers import Trackers

__all__ = ["LATENCY_TRACKERS", "LatencyTrackers", "Stopwatch", "get_all_latency_stats",
           "latency_report", "mono_ns", "now_ns", "now_us", "print_latency_report",
           "track_latency"]

RULE = "=" * 80
NS_MAX = 1 << 62


class LatencyTrackers(Mapping[str, Histogram]):
    """The trackers by name: the seed's six first, then whatever was tracked.

    ``trackers`` is the table itself, which the compiled rooms record into.
    """

    def __init__(self, trackers: Trackers) -> None:
        self.trackers = trackers

    def __getitem__(self, name: str) -> Histogram:
        return self.trackers.get(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.trackers.names())

    def __len__(self) -> int:
        return len(self.trackers)

    def __repr__(self) -> str:
        return f"LatencyTrackers({', '.join(self)})"


LATENCY_TRACKERS = LatencyTrackers(Trackers())


def track_latency(name: str, us: float) -> None:
    """Count one duration in microseconds; a new name gets a tracker of its own.

    A negative or endless duration counts as the nearest one that can be. Raises ValueError for
    NaN, and beyond 256 names.
    """
    ns = us * 1000
    LATENCY_TRACKERS.trackers.record_named(name, round(min(max(ns, -1), NS_MAX)))


def get_all_latency_stats() -> dict[str, dict[str, float]]:
    """For each name: count, min_us, avg_us, p50_us, p95_us, p99_us, max_us."""
    return LATENCY_TRACKERS.trackers.statistics()


def latency_report(stats: Mapping[str, Mapping[str, Any]]) -> str:
    """The report of such statistics, as text that ends with a line end.

    From 10 microseconds up values are whole, below they have two decimals.
    """
    lines = [RULE, "LATENCY REPORT (microseconds)", RULE]
    for position, (name, row) in enumerate(stats.items()):
        count = f"{int(row['count']):,}"
        total = f" ({count} total ops)" if position == 0 else ""
        lines += ["", f"{name}:", f"  Count: {count} samples{total}"]
        if row["count"]:
            lines += [f"  {label + ':':<6} {_us_text(row[key])}" for label, key in _ROWS]
    return "\n".join(lines) + "\n"


def print_latency_report(file: TextIO | None = None) -> None:
    """Print the report of all trackers, by default on standard output."""
    stream = sys.stdout if file is None else file
    report = latency_report(get_all_latency_stats())
    try:
        stream.write(report)
    except UnicodeEncodeError:
        # A terminal without the micro sign still gets its figures.
        stream.write(report.replace("µs", "us"))


_ROWS = (("Min", "min_us"), ("Avg", "avg_us"), ("p50", "p50_us"), ("p95", "p95_us"),
         ("p99", "p99_us"), ("Max", "max_us"))


def _us_text(us: float) -> str:
    return f"{us:.2f}µs" if round(us, 2) < 10 else f"{us:,.0f}µs"
