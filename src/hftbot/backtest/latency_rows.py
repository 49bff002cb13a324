"""Rows of recorded order latency: when each order was sent, reached the exchange, was answered."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from hftbot.backtest.event_file import refuse
from hftbot.errors import DataError

NAMES = (("req_ts", "request_ts"), ("exch_ts",), ("resp_ts",))
BOTH_FLAGS = 3 << 30
SECOND_NS = 1_000_000_000
Columns = tuple[list[int], list[int], list[int]]


def read_latency_rows(path: Path) -> Columns:
    """The rows of hftbacktest's latency files (npz with the key ``data``, or npy).

    Raises DataError with file and row.
    """
    try:
        loaded = np.load(path, allow_pickle=False)
        if not isinstance(loaded, np.ndarray):
            with loaded:
                loaded = loaded["data"]
    except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise refuse(path, "", f"cannot be read as latency rows (.npz or .npy): {error}") from error
    names = loaded.dtype.names or ()
    columns = []
    for wanted in NAMES:
        found = [name for name in wanted if name in names]
        if not found or loaded.dtype[found[0]].kind not in "iu":
            raise refuse(path, "", f"holds no latency rows: {wanted[0]} is missing (fields: "
                         f"{', '.join(names) or 'none'})")
        columns.append([int(value) for value in loaded[found[0]]])
    _check(path, *columns)
    return columns[0], columns[1], columns[2]


def _check(path: Path, sent: list[int], reached: list[int], answered: list[int]) -> None:
    if not sent:
        raise refuse(path, "", "holds no rows")
    for row in range(len(sent)):
        if row and sent[row] < sent[row - 1]:
            raise refuse(path, f"row {row}", f"sent at {sent[row]}, before the row above; sort the "
                         "rows by the time of sending")
        if answered[row] < sent[row] or (reached[row] > 0
                                         and not sent[row] <= reached[row] <= answered[row]):
            raise refuse(path, f"row {row}", f"sent at {sent[row]}, reached at {reached[row]}, "
                         f"answered at {answered[row]}: that is no order")


def feed_latency_rows(rows: Any, factor: float = 1.0) -> Columns:
    """One row a second: an order takes ``factor`` times the data's feed latency, each way.

    Raises DataError if no row was both stamped by the exchange and received.
    """
    array = rows.array
    both = array[(array["ev"] & np.uint64(BOTH_FLAGS)) == BOTH_FLAGS]
    if not len(both):
        raise DataError(f"{rows.symbol}: no row has both an exchange and a receive stamp, so the "
                        "data tell no latency; give --latency ENTRY/RESPONSE")
    local_ns = both["local_ts"].astype(np.int64)
    last = np.flatnonzero(np.diff(local_ns // SECOND_NS, append=local_ns[-1] // SECOND_NS + 1))
    sent_ns = local_ns[last]
    way_ns = np.maximum(1, ((sent_ns - both["exch_ts"][last].astype(np.int64))
                            * factor).astype(np.int64))
    reached_ns = np.maximum.accumulate(sent_ns + way_ns)
    answered_ns = np.maximum.accumulate(reached_ns + way_ns)
    return sent_ns.tolist(), reached_ns.tolist(), answered_ns.tolist()
