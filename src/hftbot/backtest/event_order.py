"""Puts rows into the order that a replay needs, and their receive times after their making."""

from __future__ import annotations

import numpy as np

from hftbot.backtest.event_rows import (
    BOTH_FLAGS,
    CHUNK_ROWS,
    EXCHANGE_FLAG,
    LOCAL_FLAG,
    Rows,
    RowStore,
)


def correct_local_timestamp(rows: Rows, base_latency_ns: int) -> int:
    """Shift receive times in place if a row was received before it was made; returns the shift.

    The two clocks differ then. The row that travelled fastest is taken to have travelled
    ``base_latency_ns``; every receive time moves by the same amount. 0 if nothing was moved.
    """
    if not len(rows):
        return 0
    fastest_ns = min(int((rows["local_ts"][start:start + CHUNK_ROWS]
                          - rows["exch_ts"][start:start + CHUNK_ROWS]).min())
                     for start in range(0, len(rows), CHUNK_ROWS))
    if fastest_ns >= 0:
        return 0
    shift_ns = base_latency_ns - fastest_ns
    rows["local_ts"] += shift_ns
    return shift_ns


def correct_event_order(rows: Rows) -> Rows:
    """The rows in an order that is right at the exchange and here, as a replay needs it.

    A row whose two times disagree with its neighbours stands twice: once where the exchange made
    it, valid there only, and once where it was received, valid here only. All others are valid at
    both. Flags that the rows had are replaced. Needs 40 bytes of memory a row besides the rows.
    """
    count = len(rows)
    by_exchange = np.lexsort((rows["local_ts"], rows["exch_ts"]))
    rank = np.empty(count, np.int64)
    rank[by_exchange] = np.arange(count)
    by_local = np.argsort(rows["local_ts"], kind="stable")
    local_rank = rank[by_local]
    # A row is still unseen at the exchange if no row received before it was made after it.
    both = local_rank == np.maximum.accumulate(local_rank) if count else np.zeros(0, bool)
    alone = np.ones(count, bool)
    alone[local_rank[both]] = False
    alone_rank = np.flatnonzero(alone)
    # Such a row stands before the first one made after it that is valid at both.
    both_at = np.flatnonzero(both)
    before = both_at[np.searchsorted(local_rank[both], alone_rank)]
    place = np.concatenate((before * 2, np.arange(count) * 2 + 1))
    source = np.concatenate((by_exchange[alone_rank], by_local))
    flags = np.concatenate((np.full(len(alone_rank), EXCHANGE_FLAG, np.uint64),
                            np.where(both, BOTH_FLAGS, LOCAL_FLAG).astype(np.uint64)))
    order = np.argsort(place, kind="stable")
    store = RowStore()
    for start in range(0, len(order), CHUNK_ROWS):
        part = order[start:start + CHUNK_ROWS]
        chunk = rows[source[part]]
        chunk["ev"] = (chunk["ev"] & np.uint64(~BOTH_FLAGS & 0xFFFFFFFFFFFFFFFF)) | flags[part]
        store.add(chunk)
    return store.finished()


def unfolded(rows: Rows) -> Rows:
    """Rows as they were before ``correct_event_order``: each one once, in order of receipt."""
    here = np.flatnonzero((rows["ev"] & np.uint64(BOTH_FLAGS)) != EXCHANGE_FLAG)
    return rows[here[np.argsort(rows["local_ts"][here], kind="stable")]]
