"""``hftbot replay``: plays recorded market data back for people, and says what is in it."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from hftbot.app.converting import described, text
from hftbot.backtest.data import BASE_LATENCY_NS, open_rows

if TYPE_CHECKING:
    from hftbot.backtest.local_book import Level, LocalBook

LINES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayOptions:
    """Options of ``hftbot replay``; see its help."""

    inputs: tuple[str, ...]
    symbol: str | None = None
    tick_size: Decimal | None = None
    lot_size: Decimal | None = None
    base_latency_ns: int = BASE_LATENCY_NS
    every_s: float | None = None
    speed: float | None = None
    json: bool = False


def replay(options: ReplayOptions) -> int:
    """Print the best prices as time goes by, then what there was. Raises DataError."""
    opened_s = time.perf_counter()
    found = open_rows(options.inputs, symbol=options.symbol, tick_size=options.tick_size,
                      lot_size=options.lot_size, base_latency_ns=options.base_latency_ns)
    begun_s = time.perf_counter()
    every_ns = (max(1, (found.last_ns - found.first_ns) // LINES) if options.every_s is None
                else round(options.every_s * 1e9))
    player = _Player(every_ns, options.speed, options.json)
    content = described(found, player.watch)
    lasted_s = time.perf_counter() - begun_s
    content["opened_s"] = round(begun_s - opened_s, 3)
    content["followed_s"] = round(lasted_s, 3)
    content["rows_per_s"] = round(found.rows / lasted_s)
    content["tops"] = player.tops
    if options.json:
        print(json.dumps(content, indent=2))
        return 0
    print("\n".join(text(content)))
    if options.speed is None:
        print(f"  opened and checked in {content['opened_s']:.2f} s, followed at "
              f"{content['rows_per_s']:,} rows/s")
    else:
        print(f"  followed in {lasted_s:.1f} s")
    return 0


class _Player:
    """A line each ``every_ns`` of market time, at the wanted speed."""

    def __init__(self, every_ns: int, speed: float | None, quiet: bool) -> None:
        self.tops: list[dict[str, Any]] = []
        self._every_ns = every_ns
        self._speed = speed
        self._quiet = quiet
        self._begin_ns = 0
        self._begin_s = time.perf_counter()
        self._due_ns = 0

    def watch(self, local_ns: int, row: int, book: LocalBook) -> None:
        """After each moment: wait for it if a speed is wanted, and tell it if it is due."""
        if not self._begin_ns:
            self._begin_ns = self._due_ns = local_ns
        if self._speed is not None:
            ahead_s = (local_ns - self._begin_ns) / 1e9 / self._speed \
                - (time.perf_counter() - self._begin_s)
            if ahead_s > 0:
                time.sleep(ahead_s)
        if local_ns < self._due_ns:
            return
        self._due_ns = local_ns - (local_ns - self._due_ns) % self._every_ns + self._every_ns
        bid, ask = book.top()
        self.tops.append({"local_ns": local_ns, "row": row, "bid": bid, "ask": ask,
                          "trades": book.trades})
        if not self._quiet:
            moment = datetime.fromtimestamp(local_ns / 1e9, UTC)
            print(f"{moment:%H:%M:%S.%f}  {_side(bid)} | {_side(ask)}  {book.trades:,} trades",
                  flush=self._speed is not None)


def _side(level: Level | None) -> str:
    return f"{level[1]:>12g} @ {level[0]:<12.10g}" if level else f"{'-':>12}   {'':<12}"
