"""Reads a raw Binance capture: lines of ``<receive ns> <combined-stream JSON>``, gzip or plain.

Rows leave in exchange order although trades and depth arrive on streams of their own: they wait
until the capture has moved REORDER_NS further, which is several times the disorder seen.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from heapq import heappop, heappush
from pathlib import Path
from typing import Any

from hftbot.backtest.capture_lines import frames, reason
from hftbot.backtest.depth_chain import DepthChain, is_message, levels_of
from hftbot.backtest.event_file import EventFile, Row, refuse
from hftbot.backtest.grid import Grid, exact_units, grid_step, step_decimal

REORDER_NS = 500_000_000
LINES_TO_SNAPSHOT_MAX = 20_000


class CaptureEvents(EventFile):
    """One instrument's depth and trades, streamed.

    The book starts at the capture's REST snapshot: depth before it is dropped or applied after it
    by the exchange's U/u rules, older trades are dropped, bookTicker is ignored. ``gaps``
    counts places where the depth chain is broken, ``late`` rows stamped later than the exchange
    did because they came out of order by more than REORDER_NS, ``rounded`` different sizes off the
    lot grid (spot books hold a few odd lots), ``skipped`` other messages.
    """

    format = "binance capture"

    def __init__(self, path: Path, tick_size: Decimal | None = None,
                 lot_size: Decimal | None = None) -> None:
        self.gaps = 0
        self.late = 0
        self.rounded = 0
        self.skipped = 0
        symbol, snapshot, line, early = _probe(path)
        try:
            tick = tick_size or _step_of(snapshot, early, 0)
            lot = lot_size or _step_of(snapshot, early, 1)
        except ValueError as error:
            raise refuse(path, f"line {line}", f"bad snapshot: {error}") from error
        super().__init__(path, symbol, tick, lot)

    def events(self) -> Iterator[Row]:
        """See EventFile.events."""
        return _Reader(self).rows()


class _Reader:
    """One pass over the capture with the queue that restores exchange order."""

    def __init__(self, owner: CaptureEvents) -> None:
        self.owner = owner
        self.path = owner.path
        self.lot = Grid(owner.lot_size, "size", rounding=True)
        self.chain = DepthChain(owner, Grid(owner.tick_size, "price"), self.lot, self.push)
        self.queue: list[tuple[int, int, list[Row]]] = []
        self.pushed = 0
        owner.late = owner.rounded = 0

    def rows(self) -> Iterator[Row]:
        owner = self.owner
        first = True
        for line_number, message in _messages(self.path):
            try:
                self.chain.take(message)
            except (KeyError, TypeError, ValueError, IndexError) as error:
                raise refuse(self.path, f"line {line_number}", reason(error)) from error
            owner.rounded = self.lot.rounded
            ready_ns = self.chain.seen_ns - REORDER_NS
            while self.queue and self.queue[0][0] <= ready_ns:
                if first:
                    owner.first_ns, first = self.queue[0][0], False
                yield from self.pop()
        while self.queue:
            if first:
                owner.first_ns, first = self.queue[0][0], False
            yield from self.pop()

    def pop(self) -> list[Row]:
        exch_ns, _, rows = heappop(self.queue)
        owner = self.owner
        if exch_ns < owner.last_ns:
            owner.late += len(rows)
            exch_ns = owner.last_ns
            return [(exch_ns, *row[1:]) for row in rows]
        owner.last_ns = exch_ns
        return rows

    def push(self, exch_ns: int, rows: list[Row]) -> None:
        if rows:
            heappush(self.queue, (exch_ns, self.pushed, rows))
            self.pushed += 1


def _probe(path: Path) -> tuple[str, dict[str, Any], int, list[dict[str, Any]]]:
    """The symbol, the first snapshot, its line, and the depth messages before it."""
    symbol = ""
    early: list[dict[str, Any]] = []
    line_number = 0
    for line_number, message in _messages(path):
        if "lastUpdateId" in message:
            try:
                list(levels_of(message, "bids", "asks"))
                symbol = symbol or str(message.get("symbol", "")) or _next_symbol(path, line_number)
            except (KeyError, TypeError, ValueError) as error:
                raise refuse(path, f"line {line_number}", reason(error)) from error
            return symbol, message, line_number, early
        data = message.get("data")
        if isinstance(data, dict) and data.get("e") in ("depthUpdate", "trade"):
            symbol = symbol or str(data.get("s", ""))
            if data["e"] == "depthUpdate":
                early.append(data)
        if line_number >= LINES_TO_SNAPSHOT_MAX:
            break
    raise refuse(path, f"lines 1 to {line_number}", "no depth snapshot (lastUpdateId) was found, "
                 "so there is no book to start from; a capture that continues another one cannot "
                 "be replayed alone")


def _next_symbol(path: Path, after: int) -> str:
    for line_number, message in _messages(path):
        data = message.get("data")
        if line_number > after and isinstance(data, dict) and "s" in data:
            return str(data["s"])
    raise ValueError("no stream message follows the snapshot")


def _step_of(snapshot: dict[str, Any], early: list[dict[str, Any]], column: int) -> Decimal:
    numbers: list[int] = []
    for _, *level in levels_of(snapshot, "bids", "asks"):
        numbers.append(exact_units(level[column]))
    for data in early:
        try:
            numbers += [exact_units(level[column]) for _, *level in levels_of(data, "b", "a")]
        except (KeyError, TypeError, ValueError):
            continue
    step = grid_step(numbers)
    if step <= 0:
        raise ValueError("the snapshot has no levels")
    return step_decimal(step)


def _messages(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Numbered messages without bookTicker, which carries nothing that depth does not."""
    for line_number, _, message in frames(path, b'@bookTicker"'):
        if not is_message(message):
            raise refuse(path, f"line {line_number}", "is no Binance combined-stream message: "
                         f"{json.dumps(message)[:60]!r}")
        yield line_number, message
