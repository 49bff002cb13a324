"""Rows of order latency: when a request left, reached the exchange, and was answered here."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fastcore.lane import desk
from hftbot.backtest.event_file import refuse
from hftbot.backtest.event_rows import BOTH_FLAGS, CHUNK_ROWS, Rows
from hftbot.store import journal_reader

LATENCY = np.dtype([("req_ts", "<i8"), ("exch_ts", "<i8"), ("resp_ts", "<i8"),
                    ("_padding", "<i8")])
BUCKET_NS = 1_000_000_000
KEY = "data"

LatencyRows = npt.NDArray[Any]
"""An array of LATENCY, in order of req_ts."""


def from_feed(rows: Rows, entry_times: float = 1.0, answer_times: float = 1.0,
              entry_add_ns: int = 0, answer_add_ns: int = 0) -> LatencyRows:
    """Latencies guessed from those of the feed: one row for each second that has an event.

    A request takes ``entry_times`` as long as the last market event of that second took to come
    here, plus ``entry_add_ns``; its answer likewise. This is hftbacktest's own guess.
    """
    last: list[Rows] = []
    for start in range(0, len(rows), CHUNK_ROWS):
        part = rows[start:start + CHUNK_ROWS]
        both = part[(part["ev"] & np.uint64(BOTH_FLAGS)) == BOTH_FLAGS]
        last.append(both[_ends(both["local_ts"] // BUCKET_NS)])
    ends = np.concatenate(last) if last else rows[:0]
    ends = ends[_ends(ends["local_ts"] // BUCKET_NS)]
    feed_ns = (ends["local_ts"] - ends["exch_ts"]).astype(np.float64)
    exch_ns = ends["local_ts"] + (entry_times * feed_ns).astype(np.int64) + entry_add_ns
    return _rows(ends["local_ts"], exch_ns,
                 exch_ns + (answer_times * feed_ns).astype(np.int64) + answer_add_ns)


def _rows(req_ns: npt.NDArray[np.int64], exch_ns: npt.NDArray[np.int64],
          resp_ns: npt.NDArray[np.int64]) -> LatencyRows:
    """No request overtakes another one, and no answer does."""
    made = np.zeros(len(req_ns), LATENCY)
    made["req_ts"] = req_ns
    made["exch_ts"] = np.maximum.accumulate(exch_ns) if len(exch_ns) else exch_ns
    made["resp_ts"] = np.maximum.accumulate(resp_ns) if len(resp_ns) else resp_ns
    return made


def _ends(buckets: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    ends = np.ones(len(buckets), bool)
    ends[:-1] = buckets[:-1] != buckets[1:]
    return ends


def from_state(folder: Path) -> LatencyRows:
    """What the orders of a state directory took, from the journals of all its runs.

    A journal knows when an order left and when its answer was here; the exchange's moment is
    taken to be in the middle. Raises DataError if no order was ever answered.
    """
    pairs: list[tuple[int, int]] = []
    try:
        for name in journal_reader.names(folder / "journal"):
            copy = journal_reader.read_copy(folder / "journal" / name)
            pairs += _answered(copy.words())
    except OSError as error:
        raise refuse(folder, "", f"its journals cannot be read: {error.strerror or error}"
                     ) from error
    if not pairs:
        raise refuse(folder, "", "no order of its journals was answered, so nothing is known of "
                                 "latency")
    times = np.array(sorted(pairs), np.int64)
    return _rows(times[:, 0] * 1_000, times.sum(axis=1) * 500, times[:, 1] * 1_000)


def _answered(words: Iterable[tuple[int, int, Any]]) -> list[tuple[int, int]]:
    """(left, answered) in microseconds of each order's first answer."""
    left: dict[int, int] = {}
    pairs = []
    for _, kind, row in words:
        if kind == desk.KIND_ORDER:
            left[row[0]] = row[5]
        elif kind == desk.KIND_ACK and row[0] in left:
            pairs.append((left.pop(row[0]), row[6]))
    return pairs


def read(path: Path) -> LatencyRows:
    """Rows of a file of hftbacktest's (.npz with ``data``, .npy). Raises DataError with the row."""
    try:
        loaded: Any = np.load(path, allow_pickle=False)
        if not isinstance(loaded, np.ndarray):
            with loaded:
                if KEY not in loaded.files:
                    raise refuse(path, "", f"no array named {KEY!r} in it")
                loaded = loaded[KEY]
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise refuse(path, "", "cannot be read as rows of order latency: "
                               f"{str(error).splitlines()[0]}") from error
    if loaded.dtype != LATENCY or loaded.ndim != 1 or not len(loaded):
        raise refuse(path, "", "not rows of order latency (req_ts, exch_ts, resp_ts, _padding)")
    wrong = np.flatnonzero(np.diff(loaded["req_ts"]) < 0)
    if wrong.size:
        raise refuse(path, f"row {wrong[0] + 1}", "req_ts goes backwards")
    bad = np.flatnonzero((loaded["exch_ts"] > 0) & ((loaded["exch_ts"] < loaded["req_ts"])
                                                    | (loaded["resp_ts"] < loaded["exch_ts"])))
    if bad.size:
        raise refuse(path, f"row {bad[0]}", "its three times are out of order")
    rows: LatencyRows = loaded
    return rows


def write(path: Path, rows: LatencyRows) -> None:
    """Write them as hftbacktest reads them: .npy, or .npz if the name ends so. Raises OSError."""
    with open(path, "wb") as file:
        if path.suffix == ".npz":
            np.savez_compressed(file, data=rows)
        else:
            np.save(file, rows)
