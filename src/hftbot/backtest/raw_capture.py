"""Reads a raw Binance capture: lines of ``<receive ns> <combined-stream JSON>``, gzip or plain.

Rows leave in exchange order although trades and depth arrive on streams of their own: they wait
until the capture has moved REORDER_NS further, which is several times the disorder seen.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator
from decimal import Decimal
from heapq import heappop, heappush
from pathlib import Path
from typing import IO, Any

from hftbot.backtest.event_file import CLEAR, DEPTH, SNAPSHOT, TRADE, EventFile, Row, refuse
from hftbot.backtest.grid import Grid, exact_units, grid_step, step_decimal

REORDER_NS = 500_000_000
LINE_BYTES_MAX = 16 << 20
LINES_TO_SNAPSHOT_MAX = 20_000
_GZIP = b"\x1f\x8b"
_NS_MAX = 1 << 62
_QUIET = frozenset({"result", "id", "error"})

Message = tuple[int, dict[str, Any]]


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
    """One pass over the capture: the depth chain, and the queue that restores exchange order."""

    def __init__(self, owner: CaptureEvents) -> None:
        self.owner = owner
        self.path = owner.path
        self.tick = Grid(owner.tick_size, "price")
        self.lot = Grid(owner.lot_size, "size", rounding=True)
        self.queue: list[tuple[int, int, list[Row]]] = []
        self.pushed = 0
        self.seen_ns = 0
        self.depth_ns = 0
        self.update_id = -1
        self.joined = False
        self.early: list[Message] = []
        owner.gaps = owner.late = owner.rounded = owner.skipped = 0

    def rows(self) -> Iterator[Row]:
        owner = self.owner
        first = True
        for line_number, message in _messages(self.path):
            try:
                self.take(message)
            except (KeyError, TypeError, ValueError, IndexError) as error:
                raise refuse(self.path, f"line {line_number}", _why(error)) from error
            owner.rounded = self.lot.rounded
            ready_ns = self.seen_ns - REORDER_NS
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

    def take(self, message: dict[str, Any]) -> None:
        if "lastUpdateId" in message:
            self.snapshot(message)
            return
        data = message.get("data")
        if data is None:
            self.owner.skipped += 1
            return
        kind = data.get("e")
        if kind not in ("depthUpdate", "trade") or data["s"] != self.owner.symbol:
            self.owner.skipped += 1
            return
        exch_ns = _time_ns(data)
        self.seen_ns = max(self.seen_ns, exch_ns)
        if self.update_id < 0:
            self.early.append((exch_ns, data))
            del self.early[:-LINES_TO_SNAPSHOT_MAX]
        elif kind == "trade":
            self.trade(exch_ns, data)
        else:
            self.depth(exch_ns, data)

    def trade(self, exch_ns: int, data: dict[str, Any]) -> None:
        ticks = self.tick.steps(data["p"])
        lots = self.lot.steps(data["q"])
        # m says that the buyer was the maker, so the taker sold.
        side = 1 if data["m"] is True else 0
        if ticks and lots:
            self.push(exch_ns, [(exch_ns, TRADE, side, ticks, lots)])

    def depth(self, exch_ns: int, data: dict[str, Any]) -> None:
        first_id, last_id = int(data["U"]), int(data["u"])
        chained = "pu" in data
        if last_id < self.update_id + (0 if chained and not self.joined else 1):
            return
        if self.joined:
            follows = (int(data["pu"]) == self.update_id if chained
                       else first_id == self.update_id + 1)
        else:
            follows = first_id <= self.update_id + (0 if chained else 1)
            self.joined = True
        if not follows:
            self.owner.gaps += 1
        self.update_id = last_id
        # Depth never overtakes depth, or an old size would stay in the book.
        self.depth_ns = exch_ns = max(self.depth_ns, exch_ns)
        self.push(exch_ns, [(exch_ns, DEPTH, side, self.tick.steps(price), self.lot.steps(size))
                            for side, price, size in _levels(data, "b", "a")])

    def snapshot(self, message: dict[str, Any]) -> None:
        exch_ns = max(_time_ns(message) if "T" in message or "E" in message else self.seen_ns,
                      self.depth_ns)
        self.depth_ns = exch_ns
        self.seen_ns = max(self.seen_ns, exch_ns)
        self.update_id = int(message["lastUpdateId"])
        self.joined = False
        rows: list[Row] = [(exch_ns, CLEAR, 0, 0, 0), (exch_ns, CLEAR, 1, 0, 0)]
        for side, price, size in _levels(message, "bids", "asks"):
            rows.append((exch_ns, SNAPSHOT, side, self.tick.steps(price), self.lot.steps(size)))
        self.push(exch_ns, rows)
        waiting, self.early = self.early, []
        for early_ns, data in waiting:
            if data["e"] == "depthUpdate":
                self.depth(early_ns, data)
            elif early_ns > exch_ns:
                self.trade(early_ns, data)


def _probe(path: Path) -> tuple[str, dict[str, Any], int, list[dict[str, Any]]]:
    """The symbol, the first snapshot, its line, and the depth messages before it."""
    symbol = ""
    early: list[dict[str, Any]] = []
    line_number = 0
    for line_number, message in _messages(path):
        if "lastUpdateId" in message:
            try:
                list(_levels(message, "bids", "asks"))
                symbol = symbol or str(message.get("symbol", "")) or _next_symbol(path, line_number)
            except (KeyError, TypeError, ValueError) as error:
                raise refuse(path, f"line {line_number}", _why(error)) from error
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
    for _, *level in _levels(snapshot, "bids", "asks"):
        numbers.append(exact_units(level[column]))
    for data in early:
        try:
            numbers += [exact_units(level[column]) for _, *level in _levels(data, "b", "a")]
        except (KeyError, TypeError, ValueError):
            continue
    step = grid_step(numbers)
    if step <= 0:
        raise ValueError("the snapshot has no levels")
    return step_decimal(step)


def _levels(data: dict[str, Any], bids: str, asks: str) -> Iterator[tuple[int, str, str]]:
    for side, key in ((0, bids), (1, asks)):
        levels = data[key]
        if not isinstance(levels, list):
            raise TypeError(f"{key} is not a list of levels")
        for level in levels:
            price, size = level[0], level[1]
            if not isinstance(price, str) or not isinstance(size, str):
                raise TypeError(f"level {str(level)[:60]} is not a pair of decimal texts")
            yield side, price, size


def _time_ns(data: dict[str, Any]) -> int:
    """Exchange time: T where the message has it (spot depth has only E), milliseconds."""
    stamp = data["T"] if "T" in data else data["E"]
    if type(stamp) is not int or not 0 < stamp * 1_000_000 < _NS_MAX:
        raise ValueError(f"{str(stamp)[:40]!r} is not a time in milliseconds")
    return stamp * 1_000_000


def _messages(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Numbered messages without bookTicker, which carries nothing that depth does not."""
    decode = json.JSONDecoder(parse_float=str).decode
    for line_number, line in enumerate(_lines(path), 1):
        if b'@bookTicker"' in line[:96]:
            continue
        stamp, _, text = line.partition(b" ")
        if not stamp.isdigit() or not text:
            if not line.strip():
                continue
            raise refuse(path, f"line {line_number}", "does not begin with a receive time in "
                         f"nanoseconds and a space: {line[:40]!r}")
        try:
            message = decode(text.decode())
        except (ValueError, RecursionError) as error:
            raise refuse(path, f"line {line_number}", f"bad JSON: {_why(error)}") from error
        if not _known(message):
            raise refuse(path, f"line {line_number}", "is no Binance combined-stream message: "
                         f"{text[:60]!r}")
        yield line_number, message


def _known(message: object) -> bool:
    if not isinstance(message, dict):
        return False
    if "lastUpdateId" in message:
        return True
    if isinstance(message.get("data"), dict):
        return "stream" in message
    return bool(message) and _QUIET.issuperset(message)


def _lines(path: Path) -> Iterable[bytes]:
    line_number = 0
    try:
        with open(path, "rb") as raw:
            packed = raw.read(2) == _GZIP
            raw.seek(0)
            file: IO[bytes] | gzip.GzipFile = gzip.GzipFile(fileobj=raw) if packed else raw
            while line := file.readline(LINE_BYTES_MAX + 1):
                line_number += 1
                if len(line) > LINE_BYTES_MAX:
                    raise refuse(path, f"line {line_number}", f"is longer than {LINE_BYTES_MAX} "
                                                              "bytes")
                yield line
    except EOFError as error:
        raise refuse(path, f"after line {line_number}", "the gzip stream is cut off") from error
    except (OSError, zlib.error) as error:
        raise refuse(path, f"after line {line_number}", f"cannot be read: {error}") from error


def _why(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"the key {error} is missing"
    return str(error) or type(error).__name__
