"""``hftbot convert``: recorded market data from one format to another, looked at on the way."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hftbot.backtest.data import BASE_LATENCY_NS, KIND_NAMES, open_rows
from hftbot.errors import ConfigError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from hftbot.backtest.event_rows import EventRows
    from hftbot.backtest.local_book import LocalBook

    Watch = Callable[[int, int, LocalBook], None]

FORMATS = (".npy", ".npz", ".parquet")
SAMPLE_ROWS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvertOptions:
    """Options of ``hftbot convert``; see its help."""

    inputs: tuple[str, ...]
    output: str
    symbol: str | None = None
    tick_size: Decimal | None = None
    lot_size: Decimal | None = None
    base_latency_ns: int = BASE_LATENCY_NS
    repair: bool = False
    force: bool = False
    strict: bool = False
    order_latency: bool = False
    times: float = 1.0
    json: bool = False


def convert(options: ConvertOptions) -> int:
    """Read, check, write, and tell what there was; 1 with ``strict`` if anything was odd.

    Raises DataError naming file and row, ConfigError for an output that cannot be meant.
    """
    output = Path(options.output)
    suffixes = FORMATS[:2] if options.order_latency else FORMATS
    if output.suffix not in suffixes:
        raise ConfigError(f"{output}: the format is told by the end of its name, one of "
                          f"{', '.join(suffixes)}")
    if output.exists() and not options.force:
        raise ConfigError(f"{output} is there already; --force replaces it")
    if options.order_latency:
        return _latency(options, output)
    found = open_rows(options.inputs, symbol=options.symbol, tick_size=options.tick_size,
                      lot_size=options.lot_size, base_latency_ns=options.base_latency_ns,
                      repair=options.repair)
    content = described(found)
    odd = [note for note in content["notes"] if not note.endswith("all equal")]
    found = replace(found, notes=tuple(content["notes"]))
    _write(output, found)
    content["written"] = str(output)
    content["bytes"] = output.stat().st_size
    if options.json:
        print(json.dumps(content, indent=2))
    else:
        print("\n".join(text(content)))
        print(f"written {output}, {content['bytes']:,} bytes")
    return 1 if options.strict and odd else 0


def described(found: EventRows, watch: Watch | None = None) -> dict[str, Any]:
    """What is in rows of events, as one JSON object; follows the book through all of them.

    ``watch(receive ns, row, book)`` is called after each moment.
    """
    import numpy as np

    from hftbot.backtest.event_rows import CHUNK_ROWS, EXCHANGE_FLAG, KIND_MASK
    from hftbot.backtest.local_book import LocalBook
    rows = found.array
    counts = np.zeros(KIND_MASK + 1, np.int64)
    slowest_ns = 0
    for start in range(0, len(rows), CHUNK_ROWS):
        part = rows[start:start + CHUNK_ROWS]
        made = part["ev"][(part["ev"] & np.uint64(EXCHANGE_FLAG)) != 0]
        counts += np.bincount((made & np.uint64(KIND_MASK)).astype(np.int64),
                              minlength=KIND_MASK + 1)
        slowest_ns = max(slowest_ns, int((part["local_ts"] - part["exch_ts"]).max()))
    sample = rows[::len(rows) // SAMPLE_ROWS + 1]
    feed_us = np.percentile(sample["local_ts"] - sample["exch_ts"], (50, 99)) / 1e3
    book, moments = LocalBook(), 0
    for local_ns, row in book.follow(rows):
        moments += 1
        if watch is not None:
            watch(local_ns, row, book)
    notes = list(found.notes)
    if book.crossed:
        notes.append(f"the book is crossed or locked after {book.crossed} of {moments} moments "
                     f"(first after row {book.crossed_row})")
    return {"paths": [str(path) for path in found.paths], "format": found.format,
            "symbol": found.symbol, "tick_size": f"{found.tick_size:f}",
            "lot_size": f"{found.lot_size:f}", "rows": found.rows,
            "kinds": {KIND_NAMES.get(kind, f"kind {kind}"): int(counts[kind])
                      for kind in np.flatnonzero(counts).tolist()},
            "moments": moments, "first_ns": found.first_ns, "last_ns": found.last_ns,
            "span_s": (found.last_ns - found.first_ns) / 1e9,
            "feed_latency_us": {"p50": float(feed_us[0]), "p99": float(feed_us[1]),
                                "max": slowest_ns / 1e3},
            "crossed": book.crossed, "notes": notes}


def text(content: dict[str, Any]) -> list[str]:
    """The same for people."""
    from datetime import UTC, datetime
    begin = datetime.fromtimestamp(content["first_ns"] / 1e9, UTC)
    kinds = ", ".join(f"{count:,} {name}" for name, count in content["kinds"].items())
    feed = content["feed_latency_us"]
    return [f"{content['symbol']}: {content['format']}, {content['rows']:,} rows ({kinds}) in "
            f"{content['moments']:,} moments",
            f"  from {begin:%Y-%m-%d %H:%M:%S} UTC on, {content['span_s']:.1f} s; tick "
            f"{content['tick_size']}, lot {content['lot_size']}",
            f"  feed latency p50 {feed['p50'] / 1000:.3f} ms, p99 {feed['p99'] / 1000:.3f} ms, "
            f"max {feed['max'] / 1000:.3f} ms",
            *(f"  note: {note}" for note in content["notes"])]


def _write(output: Path, found: EventRows) -> None:
    """Whole or not at all: under another name first."""
    from hftbot.backtest import numpy_file, parquet_file
    unfinished = output.with_name(f".{output.stem}-unfinished{output.suffix}")
    try:
        if output.suffix == ".parquet":
            parquet_file.write(unfinished, found)
        else:
            numpy_file.write(unfinished, found.array)
        os.replace(unfinished, output)
    except OSError as error:
        raise StoreError(f"cannot write {output}: {error.strerror or error}") from None
    finally:
        unfinished.unlink(missing_ok=True)


def _latency(options: ConvertOptions, output: Path) -> int:
    """Rows of order latency, from a state directory or guessed from a feed."""
    import numpy as np

    from hftbot.backtest import order_latency
    first = Path(options.inputs[0])
    if first.is_dir():
        rows = order_latency.from_state(first)
        source = "measured on its orders; the exchange's moment is taken to be in the middle"
    else:
        found = open_rows(options.inputs, symbol=options.symbol, tick_size=options.tick_size,
                          lot_size=options.lot_size, base_latency_ns=options.base_latency_ns,
                          repair=options.repair)
        rows = order_latency.from_feed(found.array, options.times, options.times)
        source = f"guessed: {options.times:g} times the latency of the feed, each way"
    try:
        order_latency.write(output, rows)
    except OSError as error:
        raise StoreError(f"cannot write {output}: {error.strerror or error}") from None
    there = np.percentile((rows["exch_ts"] - rows["req_ts"]) / 1e6, (50, 99))
    back = np.percentile((rows["resp_ts"] - rows["exch_ts"]) / 1e6, (50, 99))
    content = {"written": str(output), "rows": len(rows), "source": source,
               "entry_us": {"p50": there[0] * 1e3, "p99": there[1] * 1e3},
               "answer_us": {"p50": back[0] * 1e3, "p99": back[1] * 1e3}}
    if options.json:
        print(json.dumps(content, indent=2))
    else:
        print(f"{len(rows):,} rows of order latency, {source}\n"
              f"  to the exchange p50 {there[0]:.3f} ms, p99 {there[1]:.3f} ms; back p50 "
              f"{back[0]:.3f} ms, p99 {back[1]:.3f} ms\nwritten {output}")
    return 0
