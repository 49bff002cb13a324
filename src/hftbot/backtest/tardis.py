"""Tardis CSV files: incremental_book_L2 and trades, gzip or plain."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from hftbot.backtest.capture_lines import NS_MAX, lines, reason
from hftbot.backtest.dialect import Dialect, LevelBook
from hftbot.backtest.event_file import refuse
from hftbot.backtest.event_rows import RowList, Rows, RowStore

START = b"exchange,symbol,timestamp,local_timestamp,"
BOOK = ["exchange", "symbol", "timestamp", "local_timestamp", "is_snapshot", "side", "price",
        "amount"]
TRADES = ["exchange", "symbol", "timestamp", "local_timestamp", "id", "side", "price", "amount"]
_BOOK_SIDES = {"bid": 0, "ask": 1}
_TAKERS = {"buy": 0, "sell": 1}
_TRUTHS = {"true": True, "false": False}


class TardisReader(Dialect):
    """Reads the files of one market; trades come first where a book row has the same time.

    Book rows before the first snapshot are left out. A later snapshot gives what it changes.
    """

    name = "tardis csv"

    def __init__(self, paths: Sequence[Path], symbol: str | None = None) -> None:
        self._list = RowList(RowStore())
        super().__init__(symbol, self._list.extend)
        self.paths = sorted(paths, key=lambda path: _header(path) != TRADES)
        self.book = LevelBook()
        self.early = self.unsided = 0
        self._snapshot: tuple[list[tuple[float, float]], list[tuple[float, float]]] = ([], [])
        self._snapshot_ns = self._made_ns = 0

    def rows(self) -> Rows:
        """All rows. Raises DataError naming file and line."""
        for path in self.paths:
            header = _header(path)
            if header not in (BOOK, TRADES):
                raise refuse(path, "line 1", "the columns are neither those of Tardis' "
                             f"incremental_book_L2 nor of its trades: {','.join(header)[:120]}")
            take = self._trade if header == TRADES else self._level
            for line_number, cells in _cells(path):
                try:
                    if len(cells) != len(header):
                        raise ValueError(f"{len(cells)} columns and not {len(header)}")
                    take(cells)
                except (KeyError, ValueError) as error:
                    raise refuse(path, f"line {line_number}", reason(error)) from error
            self._end_snapshot()
        if self.early:
            self.remarks.append(f"{self.early} book rows before the first snapshot are left out")
        if self.unsided:
            self.remarks.append(f"{self.unsided} trades without a side are left out")
        self._list.flush()
        rows = self._list.store.finished()
        if not len(rows):
            raise refuse(self.paths[0], "", "it holds no rows" + (
                f" of {self.wanted} (markets seen: {', '.join(sorted(self.markets)[:8])})"
                if self.wanted and self.markets else ""))
        return rows

    def take(self, message: object) -> None:
        """Tardis files have columns and no messages."""
        raise TypeError(f"no frame of a socket: {str(message)[:40]}")

    def _level(self, cells: list[str]) -> None:
        exch_ns, recv_ns = _ns(cells[2]), _ns(cells[3])
        if not self.mine(cells[1]):
            return
        snapshot, side = _truth(cells[4]), _side(cells[5], _BOOK_SIDES)
        price, size = self.prices.steps(cells[6]), self.sizes.steps(cells[7])
        if snapshot:
            if self._snapshot_ns != recv_ns:
                self._end_snapshot()
            self._snapshot[side].append((price, size))
            self._snapshot_ns, self._made_ns = recv_ns, exch_ns
            return
        self._end_snapshot()
        if not self.book.known:
            self.early += 1
            return
        self.recv_ns = recv_ns
        self.keep(exch_ns, [self.book.put(side, price, size)])

    def _end_snapshot(self) -> None:
        if self._snapshot_ns:
            self.recv_ns, self._snapshot_ns = self._snapshot_ns, 0
            self.keep(self._made_ns, self.book.replaced(*self._snapshot))
            self._snapshot = ([], [])

    def _trade(self, cells: list[str]) -> None:
        exch_ns, self.recv_ns = _ns(cells[2]), _ns(cells[3])
        if not self.mine(cells[1]):
            return
        if cells[5] == "unknown":
            self.unsided += 1
        else:
            self.trade(exch_ns, _side(cells[5], _TAKERS), cells[6], cells[7])


def _header(path: Path) -> list[str]:
    for line in lines(path):
        return line.decode("utf-8", "replace").strip().split(",")
    return []


def _cells(path: Path) -> Iterator[tuple[int, list[str]]]:
    texts = (line.decode("utf-8", "replace") for line in lines(path))
    line_number = 0
    try:
        for line_number, cells in enumerate(csv.reader(texts), 1):
            if line_number > 1 and cells:
                yield line_number, cells
    except csv.Error as error:
        raise refuse(path, f"line {line_number + 1}", f"no CSV: {error}") from error


def _ns(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or not 0 < int(text[:20]) * 1_000 < NS_MAX:
        raise ValueError(f"{text[:40]!r} is not a time in microseconds")
    return int(text) * 1_000


def _truth(text: str) -> bool:
    if text not in _TRUTHS:
        raise ValueError(f"is_snapshot {text[:20]!r} is neither true nor false")
    return _TRUTHS[text]


def _side(text: str, known: dict[str, int]) -> int:
    if text not in known:
        raise ValueError(f"side {text[:20]!r} is neither {' nor '.join(known)}")
    return known[text]
