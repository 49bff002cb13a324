"""What the copying thread costs an append, how fast a journal is read, how soon a fault halts.

An append is paced: the bench spins until the next one is due and times only the call. At 100 and
1,000 records a second the thousand samples of the other benches would take minutes, so a block has
fewer there and the percentiles are taken over all blocks together.
"""

from __future__ import annotations

import os
import resource
import statistics
import threading
import time
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fastcore.money.journal import Journal
from harness import BLOCKS, Gate, Percentiles, Row, block, medians, over, percentiles, side_j
from hftbot.store.journal_file import COPY_INTERVAL_S, JournalFile, recover
from hftbot.store.journal_part import Disk
from hftbot.store.journal_reader import read_both
from hftbot.store.state_dir import StateDir

CAPACITY = 1 << 20
RECORDS = 1_000_000
RECOVERIES = 3
HEADER = b"bench"
WARM = 100
TRIALS = 60
WORDS = (7, 1 << 32, 600_000, 100_000, 10**15, 10**15, 10**15, 9)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateDir]:
    """A state directory on this disk; its hot journals go to the machine's shared memory."""
    with StateDir(tmp_path / "state") as opened:
        yield opened


def paced(append: Callable[..., int], rate: int, samples: int) -> array[int]:
    """Nanoseconds of appends that come at a rate (a second); what is late is not caught up."""
    clock = time.perf_counter_ns
    times = array("q", bytes(8 * samples))
    gap = 10**9 // rate
    for _ in range(WARM):
        append(1, *WORDS)
    due = clock()
    for index in range(samples):
        due = max(due + gap, clock())
        while clock() < due:
            continue
        started = clock()
        append(1, *WORDS)
        times[index] = clock() - started
    return times


class Sides:
    """The same appends with the copying thread and without."""

    def __init__(self, state: StateDir, rate: int, samples: int) -> None:
        self.state, self.rate, self.samples = state, rate, samples
        self.path = (state.hot_journal() or state.path) / "off"

    def copied(self) -> array[int]:
        """One block beside a running JournalFile."""
        file = JournalFile(self.state, 1, CAPACITY, HEADER)
        try:
            return paced(file.journal.append_words, self.rate, self.samples)
        finally:
            file.close()
            for path in self.state.journal.iterdir():
                path.unlink()

    def alone(self) -> array[int]:
        """One block on a journal that nobody copies, in the same memory."""
        self.path.parent.mkdir(mode=0o700, exist_ok=True)
        journal = Journal(str(self.path), CAPACITY, HEADER)
        try:
            return paced(journal.append_words, self.rate, self.samples)
        finally:
            journal.close()
            self.path.unlink()


def compare(bench: str, sides: Sides, pooled: bool) -> Row:
    """Interleaved blocks: with the thread, without, and without again."""
    calls = (sides.copied, sides.alone, sides.alone)
    seen: list[list[Percentiles]] = [[], [], []]
    every = [array("q"), array("q"), array("q")]
    for number in range(BLOCKS):
        for turn in range(3):
            place = (turn + number) % 3
            times = calls[place]()
            every[place].extend(times)
            seen[place].append(percentiles(times, 1))
    if pooled:
        ours, theirs, again = (percentiles(times, 1) for times in every)
        ratio, same = over(ours, theirs), over(theirs, again)
    else:
        ours, theirs = medians(seen[0]), medians(seen[1])
        ratio = medians([over(a, b) for a, b in zip(seen[0], seen[1], strict=True)])
        same = medians([over(a, b) for a, b in zip(seen[1], seen[2], strict=True)])
    return Row(bench, "the same without the thread", ours, theirs, ratio, same,
               (None, None, 3.0), "at most")


@pytest.mark.parametrize(("rate", "samples"), [(20_000, 1000), (1_000, 150), (100, 25)])
def test_append_beside_the_copying_thread(gate: Gate, state: StateDir, rate: int, samples: int
                                          ) -> None:
    """The 99th percentile at most three times that of a journal which nobody copies."""
    sides = Sides(state, rate, samples)
    gate.settle(lambda: compare(f"journal append at {rate:,}/s, copied every 50 ms", sides,
                                samples < 1000))


def test_a_million_records_are_read(gate: Gate, state: StateDir) -> None:
    """Both copies checked and every row taken as eight words: at most 2 J a record."""
    hot, disk = state.path / "hot", state.path / "run-00001.journal"
    for path, count in ((hot, RECORDS), (disk, RECORDS - 1000)):
        journal = Journal(str(path), RECORDS * 88 + 8192, HEADER)
        for _ in range(count):
            journal.append_words(1, *WORDS)
        journal.close()
    held = 0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    def measure() -> Row:
        nonlocal held
        figures, units = [], []
        for _ in range(RECOVERIES):
            units.append(percentiles(block(side_j, 1000, time.perf_counter_ns), 1))
            started = time.perf_counter_ns()
            copy, trouble = read_both(hot, disk)
            total = sum(words[2] == 600_000 for _sequence, _kind, words in copy.words())
            figures.append((time.perf_counter_ns() - started) / RECORDS)
            assert (total, trouble) == (RECORDS, "")
            held = len(copy.content)
        ours, unit = statistics.median(figures), medians(units)
        ratio = ours / unit[0]
        return Row("journal read, a record of a million", "J = json.loads of 176 bytes",
                   (ours, ours, ours), unit, (ratio, ratio, ratio), (1.0, 1.0, 1.0),
                   (2.0, None, None), "at most")

    gate.settle(measure)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    started = time.perf_counter_ns()
    assert recover(hot, disk)
    took_s = (time.perf_counter_ns() - started) / 1e9
    gate.notes.append(
        f"journal of {RECORDS:,} records: {held / 1e6:.0f} MB a copy, {grown / 1e3:.0f} MB held "
        f"at most while both are read; brought home and synced in {took_s:.2f} s")


class Failing(Disk):
    """Refuses to sync once it is told to."""

    def __init__(self) -> None:
        self.broken = False

    def sync(self, handle: int) -> None:
        """As the kernel says that pages were lost."""
        if self.broken:
            raise OSError(5, os.strerror(5))
        super().sync(handle)


def test_a_disk_fault_is_told_in_time(gate: Gate, state: StateDir) -> None:
    """From the first record that the disk does not take to the one who halts: 100 ms."""
    times = []
    for trial in range(TRIALS):
        disk = Failing()
        file = JournalFile(state, 1, CAPACITY, HEADER, disk=disk)
        heard = threading.Event()
        file.watch(lambda _reason, heard=heard: heard.set())
        # The trials spread over the interval between two copies.
        threading.Event().wait(COPY_INTERVAL_S * trial / TRIALS)
        started = time.perf_counter_ns()
        disk.broken = True
        file.journal.append_words(1, *WORDS)
        assert heard.wait(10)
        times.append(time.perf_counter_ns() - started)
        assert file.journal.append_words(1, *WORDS) == -1
        file.close()
    # The last trial left its hot copy: the next run takes it home.
    JournalFile(state, 2, CAPACITY, HEADER).close()
    p50, p95, p99 = percentiles(times, 1000)
    gate.budget("disk fault to halt", {"p50_us": p50, "p95_us": p95, "p99_us": p99,
                                       "count": len(times)}, 100_000)
