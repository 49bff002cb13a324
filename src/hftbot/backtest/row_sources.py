"""From files of one format to rows that are in order and were looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from hftbot.backtest import numpy_file, parquet_file, tardis
from hftbot.backtest.capture_lines import lines
from hftbot.backtest.capture_rows import CaptureReader
from hftbot.backtest.event_file import refuse
from hftbot.backtest.event_order import correct_event_order, correct_local_timestamp, unfolded
from hftbot.backtest.event_rows import CHUNK_ROWS, EventRows, Rows, RowStore, bytes_of
from hftbot.backtest.grid import step_of
from hftbot.backtest.row_checks import RowChecks

ARRAY = "hftbacktest"
CAPTURE = "capture"
PARQUET = "parquet"
TARDIS = "tardis"
HEAD_BYTES = 64


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the caller of open_rows asks for; see there."""

    symbol: str | None = None
    tick_size: Decimal | None = None
    lot_size: Decimal | None = None
    base_latency_ns: int = 0
    repair: bool = False


@dataclass(slots=True)
class Found:
    """Rows as a format gives them, for each file or for all together.

    ``ordered``: for each file, and as a replay needs them. Else as they were received, and mine
    to change.
    """

    parts: list[Rows]
    symbol: str
    format: str
    ordered: bool
    tick_size: Decimal | None
    lot_size: Decimal | None
    notes: list[str]


def opened(paths: Sequence[Path], heads: Sequence[bytes], wishes: Wishes) -> EventRows:
    """Read, order and check. ``heads`` are the first bytes of each file. Raises DataError."""
    kinds = {_format(path, head) for path, head in zip(paths, heads, strict=True)}
    if len(kinds) > 1:
        raise refuse(paths[0], "", f"files of different formats cannot be joined "
                                   f"({', '.join(sorted(kinds))}); convert them first")
    read = {ARRAY: _arrays, PARQUET: _tables, TARDIS: _columns, CAPTURE: _captures}[kinds.pop()]
    found = read(paths, wishes)
    checks = RowChecks(wishes.tick_size or found.tick_size, wishes.lot_size or found.lot_size)
    if found.ordered:
        for path, part in zip(paths, found.parts, strict=True):
            checks.look(path, part)
        rows = found.parts[0] if len(found.parts) == 1 else _joined(found.parts)
    else:
        rows = _in_order(found, wishes.base_latency_ns)
        checks.look(paths[0], rows)
    checks.done()
    return EventRows(
        buffer=bytes_of(rows), symbol=found.symbol, tick_size=checks.tick.step,
        lot_size=checks.lot.step, first_ns=checks.first_ns, last_ns=checks.last_ns,
        rows=len(rows), notes=(*found.notes, *checks.notes()), format=found.format,
        paths=tuple(paths))


def _format(path: Path, head: bytes) -> str:
    if head.startswith((numpy_file.ZIP_MAGIC, numpy_file.NUMPY_MAGIC)):
        return ARRAY
    if head.startswith(parquet_file.MAGIC):
        return PARQUET
    first = next(iter(lines(path)), b"")
    return TARDIS if first.startswith(tardis.START) else CAPTURE


def _in_order(found: Found, base_latency_ns: int) -> Rows:
    rows = found.parts[0] if len(found.parts) == 1 else _joined(found.parts)
    shift_ns = correct_local_timestamp(rows, base_latency_ns)
    if shift_ns:
        found.notes.append(
            f"the receiver's clock is behind the exchange's: every receive time is moved by "
            f"{shift_ns / 1e9:.6f} s, so that the fastest message travelled "
            f"{base_latency_ns / 1e6:g} ms")
    return correct_event_order(rows)


def _arrays(paths: Sequence[Path], wishes: Wishes) -> Found:
    parts = [numpy_file.read(path) for path in paths]
    symbol = wishes.symbol or paths[0].name.split(".")[0].upper()
    if wishes.repair:
        parts = [unfolded(rows) for rows in parts]
    return Found(parts, symbol, ARRAY, not wishes.repair, None, None, [])


def _tables(paths: Sequence[Path], wishes: Wishes) -> Found:
    """Parquet that we wrote tells its market and grid; that of others is taken as an array is."""
    read = [parquet_file.read(path) for path in paths]
    told = read[0][1]
    parts = [unfolded(rows) if wishes.repair else rows for rows, _ in read]
    symbol = wishes.symbol or str(told.get("symbol") or paths[0].name.split(".")[0].upper())
    notes = told.get("notes", [])
    before = str(told.get("format", "unknown"))[:40]
    return Found(parts, symbol, before + parquet_file.SUFFIX, not wishes.repair,
                 step_of(str(told.get("tick_size"))), step_of(str(told.get("lot_size"))),
                 [str(note) for note in notes] if isinstance(notes, list) else [])


def _columns(paths: Sequence[Path], wishes: Wishes) -> Found:
    reader = tardis.TardisReader(paths, wishes.symbol)
    rows = reader.rows()
    return Found([rows], reader.symbol, reader.name, False, None, None, reader.remarks)


def _joined(parts: Sequence[Rows]) -> Rows:
    store = RowStore()
    for rows in parts:
        for start in range(0, len(rows), CHUNK_ROWS):
            store.add(rows[start:start + CHUNK_ROWS])
    return store.finished()


def _captures(paths: Sequence[Path], wishes: Wishes) -> Found:
    reader = CaptureReader(paths, wishes.symbol)
    rows = reader.rows()
    assert reader.dialect is not None
    tick, lot = reader.given()
    return Found([rows], reader.dialect.symbol, reader.dialect.name, False, tick, lot,
                 reader.notes())
