"""The gate: is one way of doing a thing N times as fast as another, on a shared machine?

Both are timed in the same process in short interleaved blocks, so that whatever else the machine
does falls on both. A block takes at least 1,000 samples of each side and gives the ratio of their
p50, p95 and p99; the figure of a bench is the median of each ratio over at least 15 blocks.

The reference is timed twice in every block, and the ratio of it to itself (A/A) says how far this
machine can be believed: a percentile whose A/A leaves 0.8..1.25 is printed 'too noisy' and not
gated; more than two such percentiles in a bench are red. A red measurement is repeated up to twice.

A *side* is a callable without arguments that does the thing ``ops`` times; one call is one sample,
and its time is divided by ``ops``. The call itself (about 60 ns) is part of both sides.
"""

from __future__ import annotations

import gc
import json
import platform
import statistics
import time
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

Side = Callable[[], object]
Percentiles = tuple[float, float, float]

BLOCKS = 15
SAMPLES = 1000
ATTEMPTS = 3
NOISY_MAX = 2
BELIEVED = (0.8, 1.25)
NAMES = ("p50", "p95", "p99")
RESULTS = Path(__file__).with_name("results.json")

# One Kraken book update of 176 bytes; J is the time of json.loads on it in the same block.
FRAME_J = (b'{"channel":"book","type":"update","data":[{"symbol":"BTC/USD","bids":[],"asks":['
           b'{"price":45283.5,"qty":0.10}],"checksum":3310070434,'
           b'"timestamp":"2023-10-06T17:35:55.440295Z"}]}')
assert len(FRAME_J) == 176


def side_j() -> object:
    """The unit J: json.loads of one fixed frame."""
    return json.loads(FRAME_J)


@dataclass
class Row:
    """One line of the table. Times in nanoseconds per operation, medians over the blocks.

    ``ratio`` is reference / ours where ``bar_kind`` is 'at least' (bigger is better) and
    ours / reference where it is 'at most' (smaller is better).
    """

    bench: str
    reference: str
    ours_ns: Percentiles
    theirs_ns: Percentiles
    ratio: Percentiles
    same: Percentiles
    bars: tuple[float | None, float | None, float | None]
    bar_kind: str
    attempts: int = 1
    notes: str = ""

    @property
    def noisy(self) -> list[bool]:
        """For each percentile, whether the reference differs too much from itself."""
        return [not BELIEVED[0] <= same <= BELIEVED[1] for same in self.same]

    def failures(self) -> list[str]:
        """What is red: bars not held, or too much noise to tell."""
        found = []
        gated = [noisy for noisy, bar in zip(self.noisy, self.bars, strict=True)
                 if bar is not None]
        if sum(gated) > NOISY_MAX:
            found.append(f"{self.bench}: too noisy at {sum(gated)} percentiles, A/A {self.same}")
        for name, ratio, bar, noisy in zip(NAMES, self.ratio, self.bars, self.noisy, strict=True):
            if bar is None or noisy:
                continue
            if (ratio < bar) if self.bar_kind == "at least" else (ratio > bar):
                found.append(f"{self.bench}: {name} ratio {ratio:.2f}, must be {self.bar_kind} "
                             f"{bar:g} (against {self.reference})")
        return found


@dataclass
class Absolute:
    """A published figure against a fixed budget, in microseconds."""

    bench: str
    p50_us: float
    p95_us: float
    p99_us: float
    budget_us: float
    count: int

    def failures(self) -> list[str]:
        """Red if the 99th percentile is over the budget, or nothing was measured."""
        if not self.count:
            return [f"{self.bench}: no samples"]
        if self.p99_us > self.budget_us:
            return [f"{self.bench}: p99 {self.p99_us:.1f} us is over {self.budget_us:g} us"]
        return []


def percentiles(samples: Sequence[int], ops: int) -> Percentiles:
    """p50, p95, p99 in nanoseconds per operation, by nearest rank."""
    ranked = sorted(samples)
    last = len(ranked) - 1
    return (ranked[last * 50 // 100] / ops, ranked[last * 95 // 100] / ops,
            ranked[last * 99 // 100] / ops)


def block(side: Side, samples: int, clock: Callable[[], int]) -> array[int]:
    """Times of that many calls, nanoseconds."""
    times = array("q", bytes(8 * samples))
    for index in range(samples):
        started = clock()
        side()
        times[index] = clock() - started
    return times


def medians(rows: list[Percentiles]) -> Percentiles:
    """The median of each column."""
    one, two, three = (statistics.median(column) for column in zip(*rows, strict=True))
    return one, two, three


def over(above: Percentiles, below: Percentiles) -> Percentiles:
    """Each percentile of one over that of the other."""
    one, two, three = (a / max(b, 1e-9) for a, b in zip(above, below, strict=True))
    return one, two, three


@dataclass
class Gate:
    """Measures benches and collects their rows. ``clock`` is in nanoseconds."""

    clock: Callable[[], int] = time.perf_counter_ns
    blocks: int = BLOCKS
    samples: int = SAMPLES
    rows: list[Row] = field(default_factory=list)
    budgets: list[Absolute] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def compare(self, bench: str, *, ours: Side, theirs: Side, reference: str, ops: int = 1,
                theirs_ops: int = 0, at_least: float | Sequence[float | None] = 0.0,
                before: Side | None = None) -> Row:
        """Gate: the reference takes at least that many times as long as ours.

        ``at_least`` is one bar for p50, p95 and p99, or three (None: published, not gated).
        ``before`` runs untimed ahead of each block. Raises AssertionError if it stays red.
        """
        bars = _three(at_least)
        return self.settle(lambda: self._measure(bench, ours, theirs, reference, ops,
                                                  theirs_ops or ops, bars, "at least", before))

    def in_units(self, bench: str, *, ours: Side, unit: Side, reference: str, ops: int = 1,
                 at_most: Sequence[float | None], before: Side | None = None) -> Row:
        """Gate: each percentile of ours is at most that many times the unit's *median*."""
        bars = _three(at_most)
        return self.settle(lambda: self._measure(bench, ours, unit, reference, ops, 1, bars,
                                                  "at most", before))

    def budget(self, bench: str, figures: dict[str, float], budget_us: float) -> None:
        """Gate: a tracker's p99 stays within the seed's budget."""
        row = Absolute(bench, figures["p50_us"], figures["p95_us"], figures["p99_us"], budget_us,
                       int(figures["count"]))
        self.budgets.append(row)
        assert not row.failures(), "\n".join(row.failures())

    def settle(self, measure: Callable[[], Row]) -> Row:
        """Keep the row that ``measure`` returns, measured up to three times until it is green."""
        for attempt in range(1, ATTEMPTS + 1):
            row = measure()
            row.attempts = attempt
            if not row.failures():
                break
        self.rows.append(row)
        assert not row.failures(), "\n".join(row.failures())
        return row

    def _measure(self, bench: str, ours: Side, theirs: Side, reference: str, ops: int,
                 theirs_ops: int, bars: tuple[float | None, float | None, float | None],
                 kind: str, before: Side | None) -> Row:
        sides = [(ours, ops), (theirs, theirs_ops), (theirs, theirs_ops)]
        seen: list[list[Percentiles]] = [[], [], []]
        ratios: list[Percentiles] = []
        for side, _ in sides:  # warm caches, branch predictors and the interpreter's own caches
            block(side, max(10, self.samples // 10), self.clock)
        enabled = gc.isenabled()
        try:
            for number in range(self.blocks):
                gc.collect()
                gc.disable()
                took: list[Percentiles] = [(0.0, 0.0, 0.0)] * 3
                for turn in range(3):
                    place = (turn + number) % 3
                    side, count = sides[place]
                    if before:
                        before()
                    took[place] = percentiles(block(side, self.samples, self.clock), count)
                for place in range(3):
                    seen[place].append(took[place])
                ratios.append(over(took[1], took[0]) if kind == "at least"
                              else over(took[0], (took[1][0],) * 3))
                gc.enable()
        finally:
            if enabled:
                gc.enable()
            else:
                gc.disable()
        same = [over(a, b) for a, b in zip(seen[1], seen[2], strict=True)]
        if kind == "at most":  # only the unit's median is used
            same = [(row[0],) * 3 for row in same]
        return Row(bench, reference, medians(seen[0]), medians(seen[1]), medians(ratios),
                   medians(same), bars, kind)

    def table(self) -> str:
        """Everything measured, for people."""
        lines = []
        if self.rows:
            lines.append(f"{'bench (ns per operation)':<48}{'p50':>11}{'p95':>12}{'p99':>12}   "
                         f"{'ratio p50':>9}{'p95':>8}{'p99':>8}   bar, against")
        for row in self.rows:
            cells = _cells(row.ours_ns)
            ratios = [f"{value:.2f}" + ("*" if noisy else "")
                      for value, noisy in zip(row.ratio, row.noisy, strict=True)]
            lines.append(f"{row.bench:<48}{cells}   {ratios[0]:>9}{ratios[1]:>8}{ratios[2]:>8}   "
                         f"{row.bar_kind} {_bars(row.bars)}, {row.reference}")
            lines.append(f"{'  ' + row.reference:<48}{_cells(row.theirs_ns)}")
        if any(any(row.noisy) for row in self.rows):
            lines.append("* too noisy: the reference differs from itself by more than 0.8..1.25")
        if self.budgets:
            lines.append(f"{'budget (us)':<48}{'p50':>11}{'p95':>12}{'p99':>12}   {'budget':>9}")
        for budget in self.budgets:
            lines.append(f"{budget.bench:<48}{budget.p50_us:>11.2f}{budget.p95_us:>12.2f}"
                         f"{budget.p99_us:>12.2f}   {budget.budget_us:>9,.0f}")
        return "\n".join(lines + self.notes)

    def keep(self, path: Path = RESULTS) -> None:
        """Write everything measured as JSON."""
        path.write_text(json.dumps({
            "python": platform.python_version(),
            "implementation": platform.python_implementation(),
            "machine": platform.processor() or platform.machine(),
            "blocks": self.blocks,
            "samples": self.samples,
            "rows": [{**vars(row), "noisy": row.noisy, "failures": row.failures()}
                     for row in self.rows],
            "budgets": [{**vars(row), "failures": row.failures()} for row in self.budgets],
            "notes": self.notes,
        }, indent=1) + "\n")


def _three(bars: float | Sequence[float | None]
           ) -> tuple[float | None, float | None, float | None]:
    if isinstance(bars, int | float):
        return float(bars), float(bars), float(bars)
    one, two, three = bars
    return one, two, three


def _bars(bars: Sequence[float | None]) -> str:
    texts = ["-" if bar is None else f"{bar:g}" for bar in bars]
    return texts[0] if len(set(texts)) == 1 else "/".join(texts)


def _cells(figures: Percentiles) -> str:
    one, two, three = (_figure(value) for value in figures)
    return f"{one:>11}{two:>12}{three:>12}"


def _figure(nanoseconds: float) -> str:
    return f"{nanoseconds:.1f}" if nanoseconds < 1000 else f"{nanoseconds:,.0f}"
