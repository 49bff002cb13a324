"""Writes a small capture in the raw combined-stream format, from its documentation."""

from __future__ import annotations

import gzip
import json
import pathlib

START_US = 1_700_000_000_000_000


def write_capture(path: pathlib.Path, seconds: int) -> None:
    """``seconds`` of a quiet market around 60,000.0: snapshot, ten depth updates a second."""
    lines = []

    def add(at_us: int, message: object) -> None:
        lines.append(f"{at_us * 1000} {json.dumps(message, separators=(',', ':'))}\n")

    bids = [[f"{60000 - i * 0.1:.1f}", f"{0.5 + i * 0.001:.3f}"] for i in range(20)]
    asks = [[f"{60000.1 + i * 0.1:.1f}", f"{0.5 + i * 0.001:.3f}"] for i in range(20)]
    add(START_US, {"lastUpdateId": 1000, "E": START_US // 1000, "T": START_US // 1000,
                   "bids": bids, "asks": asks})
    update = 1000
    for step in range(seconds * 10):
        at_us = START_US + (step + 1) * 100_000
        update += 1
        lots = f"{0.1 + step % 7 * 0.1:.3f}"
        add(at_us, {"stream": "btcusdt@depth@0ms", "data": {
            "e": "depthUpdate", "E": at_us // 1000, "T": at_us // 1000, "s": "BTCUSDT",
            "U": update, "u": update, "pu": update - 1,
            "b": [["60000.0", lots]], "a": [["60000.1", lots]]}})
        if step % 3 == 0:
            add(at_us + 1, {"stream": "btcusdt@trade", "data": {
                "e": "trade", "E": at_us // 1000, "T": at_us // 1000, "s": "BTCUSDT",
                "t": step, "p": "60000.1", "q": "0.010", "X": "MARKET", "m": False}})
    path.write_bytes(gzip.compress("".join(lines).encode()))
