"""latency.hlog: the trackers of a run as an HdrHistogram log, one interval a report."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastcore.probe.histogram import Histogram
from fastcore.probe.histogram_codec import LogReader, LogWriter
from fastcore.probe.trackers import summary
from hftbot.errors import HftbotError, StoreError

_Snapshot = dict[str, Histogram]
_Job = tuple[_Snapshot, int, int]


class LatencyLog:
    """Writes what was recorded since the last ``append``; live trackers are copied, never reset.

    Copying six trackers takes about a millisecond, encoding them ten and more: a thread does the
    latter. ``start_us`` and ``now_us`` are wall-clock microseconds. A full disk stops the log, not
    the run: ``failed`` says why. Raises StoreError if the file cannot be opened.
    """

    def __init__(self, path: Path | str, trackers: Any, start_us: int) -> None:
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        except OSError as reason:
            raise StoreError(f"cannot write {path}: {reason.strerror or reason}") from None
        self._file = os.fdopen(descriptor, "w", encoding="ascii")
        self.failed = ""
        self._trackers = trackers
        self._last_us = start_us
        self._written: _Snapshot = {}
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._writer = LogWriter(self._file, start_us)
        self._thread = threading.Thread(target=self._write_all, name="latency-log", daemon=True)
        self._thread.start()

    def append(self, now_us: int) -> None:
        """One interval for each tracker, up to now."""
        snapshot: _Snapshot = {}
        for name in self._trackers.names():
            snapshot[name] = _copy(self._trackers.get(name))
        self._jobs.put((snapshot, self._last_us, now_us))
        self._last_us = now_us

    def close(self, now_us: int) -> None:
        """Append the last interval, write everything, close the file."""
        if self._file.closed:
            return
        self.append(now_us)
        self._jobs.put(None)
        self._thread.join()
        try:
            self._file.close()
        except OSError as reason:
            self.failed = self.failed or str(reason)

    def _write_all(self) -> None:
        while (job := self._jobs.get()) is not None:
            snapshot, start_us, end_us = job
            try:
                for name, histogram in snapshot.items():
                    fresh = _since(histogram, self._written.get(name))
                    if fresh.count:
                        self._writer.interval(fresh, start_us, end_us, "_".join(name.split()))
                self._file.flush()
            except (OSError, ValueError) as reason:
                self.failed = str(reason)
            self._written = snapshot


def read(path: Path | str) -> Mapping[str, Mapping[str, float]]:
    """Statistics of each tracker over the whole log, as ``latency_report`` takes them.

    Raises HftbotError if there is no log, StoreError if it is damaged; the torn last line of a
    killed bot is skipped.
    """
    try:
        with open(path, encoding="ascii", errors="replace", newline="\n") as file:
            totals = LogReader(file).totals()
    except FileNotFoundError:
        raise HftbotError(f"no latencies yet: {path} is missing (start a bot with `hftbot run`, "
                          "or name its directory with --state)") from None
    except OSError as reason:
        raise StoreError(f"cannot read {path}: {reason.strerror or reason}") from None
    except (ValueError, OverflowError, MemoryError) as reason:
        raise StoreError(f"{path} is damaged: {reason}") from None
    return {name or "untagged": summary(histogram) for name, histogram in totals.items()}


def _copy(histogram: Histogram) -> Histogram:
    copy = Histogram(histogram.highest, histogram.significant_figures, histogram.lowest)
    copy.merge(histogram)
    return copy


def _since(now: Histogram, before: Histogram | None) -> Histogram:
    """What was recorded between two snapshots; its ends are those of its buckets."""
    if before is None or before.count == 0:
        return now
    fresh = Histogram(now.highest, now.significant_figures, now.lowest)
    if now.count > before.count:
        for index in range(now.index_of(now.max) + 1):
            gained = now.count_at(index) - before.count_at(index)
            if gained > 0:
                fresh.add_at(index, gained)
    return fresh
