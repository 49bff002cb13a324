"""Looks through rows of events for what no replay could believe, and names the row."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hftbot.backtest.event_file import CLEAR, DEPTH, SNAPSHOT, refuse
from hftbot.backtest.event_rows import (
    BOTH_FLAGS,
    CHUNK_ROWS,
    EXCHANGE_FLAG,
    KIND_MASK,
    LOCAL_FLAG,
    Rows,
)
from hftbot.backtest.grid import exact_units, grid_step, step_decimal

BBO = 5
ADD = 10
FILL = 13
CUSTOM = 100
NS_MAX = 1 << 62
PLACES_MAX = 8
ODD_ONE_IN = 1_000
QUIET_NS = 60_000_000_000
_UNITS_MAX = 2.0**52

Floats = npt.NDArray[np.float64]
Marks = npt.NDArray[np.bool_]


class Step:
    """Finds the step on which the numbers of a column lie, or holds them to one that is given.

    With ``odd`` one number in ODD_ONE_IN may lie beside the step (spot books hold odd lots);
    ``beside`` counts them and ``beside_row`` is the first.
    """

    def __init__(self, what: str, given: Decimal | None, odd: bool) -> None:
        self.path = Path("-")
        self.what = what
        self.given = given
        self.beside = 0
        self.beside_row = -1
        self._seen = 0
        self._odd = odd
        self._places = 0
        self._common = 0

    def add(self, numbers: Floats, rows: npt.NDArray[np.int64]) -> None:
        """Numbers that are finite and not negative, and the rows they stand in."""
        if not len(numbers):
            return
        self._seen += len(numbers)
        if self.given is not None:
            step = np.float64(exact_units(str(self.given))) / np.float64(10**12)
            self._count(self._off(numbers / step), rows)
            return
        wrong = int(numbers.argmax())
        for places in range(self._places, PLACES_MAX + 1):
            scaled = numbers * 10.0**places
            if scaled.max() > _UNITS_MAX:
                # Too large to be counted in steps as fine as the others need.
                wrong = int(numbers.argmax())
                break
            off = self._off(scaled)
            if off.sum() * ODD_ONE_IN <= len(numbers) * self._odd:
                self._common *= 10**(places - self._places)
                self._places = places
                self._join(np.rint(scaled[~off]).astype(np.int64))
                self._count(off, rows)
                return
            wrong = int(off.argmax())
        raise refuse(self.path, f"row {rows[wrong]}",
                     f"{self.what} {numbers[wrong]} is on no grid of at most {PLACES_MAX} decimal "
                     f"places; it is not an exact market number (give the {self.what} step if it "
                     "is)")

    @property
    def step(self) -> Decimal:
        """The coarsest listed step (1, 2, 2.5 or 5 times a power of ten) that fits."""
        if self.given is not None:
            return self.given
        return step_decimal(grid_step([self._common]) or 1, self._places)

    def _off(self, scaled: Floats) -> Marks:
        return np.asarray(np.abs(scaled - np.rint(scaled)) > scaled * 1e-15 + 1e-7)

    def _join(self, units: npt.NDArray[np.int64]) -> None:
        rest = units % self._common if self._common else units
        rest = rest[rest > 0]
        if rest.size:
            self._common = int(np.gcd(np.gcd.reduce(rest), self._common))

    def _count(self, off: Marks, rows: npt.NDArray[np.int64]) -> None:
        beside = np.flatnonzero(off)
        if not beside.size:
            return
        if self.beside_row < 0:
            self.beside_row = int(rows[beside[0]])
        self.beside += int(beside.size)
        if not self._odd:
            raise refuse(self.path, f"row {self.beside_row}",
                         f"{self.what} is not a multiple of {self.step:f}")
        if self.beside * 50 > max(self._seen, 1_000):
            raise refuse(self.path, f"row {self.beside_row}",
                         f"{self.what} is not a multiple of {self.step:f}, and so are "
                         f"{self.beside} of {self._seen}: give the step that it is")


class RowChecks:
    """One pass over rows: the order of time, numbers that are none, kinds, the two steps.

    ``look`` takes one file after the other, ``done`` comes last. Both raise DataError naming file
    and row. ``quiet`` lists pauses of the feed longer than QUIET_NS as (file, row, ns), ``notes``
    what is odd and no error.
    """

    def __init__(self, tick_size: Decimal | None = None, lot_size: Decimal | None = None) -> None:
        self.path = Path("-")
        self.tick = Step("price", tick_size, odd=False)
        self.lot = Step("size", lot_size, odd=True)
        self.kinds: dict[int, int] = {}
        self.first_ns = self.last_ns = 0
        self.quiet: list[tuple[Path, int, int]] = []
        self._exchange_ns = self._local_ns = -1
        self._started = False

    def look(self, path: Path, rows: Rows) -> None:
        """Look at all rows of one file."""
        self.path = self.tick.path = self.lot.path = path
        if not len(rows):
            raise refuse(path, "", "it holds no rows")
        for start in range(0, len(rows), CHUNK_ROWS):
            self._chunk(rows[start:start + CHUNK_ROWS], start)

    def done(self) -> None:
        """After the last file: there has to be a book."""
        if not any(self.kinds.get(kind) for kind in (DEPTH, SNAPSHOT, ADD)):
            raise refuse(self.path, "", "none of its rows is a depth row, so there is no book to "
                                        "trade on")
        self.last_ns = max(self._local_ns, self._exchange_ns)

    def notes(self) -> list[str]:
        """Sentences about what is odd."""
        told = []
        if self.lot.beside:
            told.append(f"{self.lot.beside} sizes (first in row {self.lot.beside_row}) are no "
                        f"multiple of the lot {self.lot.step:f} and are rounded to it")
        if self.quiet:
            path, row, pause_ns = max(self.quiet, key=lambda each: each[2])
            told.append(f"{len(self.quiet)} pauses of the feed are longer than "
                        f"{QUIET_NS // 10**9} s; the longest, {pause_ns / 1e9:.0f} s, ends with "
                        f"row {row} of {path.name}")
        return told

    def _chunk(self, part: Rows, start: int) -> None:
        flags = part["ev"]
        kind = (flags & np.uint64(KIND_MASK)).astype(np.int64)
        known = ((kind >= DEPTH) & (kind <= BBO)) | ((kind >= ADD) & (kind <= FILL)) \
            | (kind >= CUSTOM)
        self._refuse_first(~known, start, lambda at: f"kind {kind[at]} of ev is unknown (depth 1, "
                           "trade 2, clear 3, snapshot 4, order rows 10 to 13, own from 100)")
        at_exchange = (flags & np.uint64(EXCHANGE_FLAG)) != 0
        here = (flags & np.uint64(LOCAL_FLAG)) != 0
        self._refuse_first((flags & np.uint64(BOTH_FLAGS)) == 0, start,
                           lambda at: f"ev {int(flags[at]):#x} is valid neither at the exchange "
                           "nor here")
        self._times(part, start, at_exchange, here)
        market = (kind != CLEAR) & (kind != BBO) & (kind < CUSTOM)
        price, size = part["px"], part["qty"]
        for what, numbers in (("price", price), ("size", size)):
            good = np.isfinite(numbers) & (numbers >= 0)
            self._refuse_first(market & ~good, start, self._numbered(what, numbers))
        # The feed of one stamp is enough for the steps: rows that stand twice say it twice.
        meant = np.flatnonzero(market & at_exchange)
        rows = meant + start
        self.tick.add(price[meant], rows)
        self.lot.add(size[meant], rows)
        for each, count in zip(*np.unique(kind[at_exchange], return_counts=True), strict=True):
            self.kinds[int(each)] = self.kinds.get(int(each), 0) + int(count)

    def _numbered(self, what: str, numbers: Floats) -> Any:
        return lambda at: f"{what} {numbers[at]} is not a number >= 0"

    def _times(self, part: Rows, start: int, at_exchange: Marks, here: Marks) -> None:
        exch_ns, local_ns = part["exch_ts"], part["local_ts"]
        wrong = (exch_ns < 0) | (exch_ns > NS_MAX) | (local_ns < 0) | (local_ns > NS_MAX)
        self._refuse_first(wrong, start, lambda at: f"exch_ts {exch_ns[at]} or local_ts "
                           f"{local_ns[at]} is not a time in nanoseconds")
        self._refuse_first(local_ns < exch_ns, start, lambda at: f"local_ts {local_ns[at]} is "
                           f"before exch_ts {exch_ns[at]}: received before it was made; `hftbot "
                           "convert --repair` shifts the receive times")
        if not self._started and len(part):
            self.first_ns, self._started = int(exch_ns.min()), True
        self._exchange_ns = self._ordered(exch_ns, at_exchange, self._exchange_ns, start,
                                          "exch_ts")
        before_ns = self._local_ns
        self._local_ns = self._ordered(local_ns, here, before_ns, start, "local_ts")
        stamps = local_ns[here]
        pauses = np.diff(stamps, prepend=before_ns if before_ns >= 0 else stamps[:1])
        for at in np.flatnonzero(pauses > QUIET_NS):
            self.quiet.append((self.path, int(np.flatnonzero(here)[at]) + start, int(pauses[at])))

    def _ordered(self, stamps: npt.NDArray[np.int64], valid: Marks, last_ns: int, start: int,
                 what: str) -> int:
        rows = np.flatnonzero(valid)
        if not rows.size:
            return last_ns
        mine = stamps[rows]
        wrong = np.flatnonzero(np.diff(mine, prepend=last_ns) < 0)
        if wrong.size:
            at = int(wrong[0])
            before_ns = int(mine[at - 1]) if at else last_ns
            raise refuse(self.path, f"row {rows[at] + start}",
                         f"{what} goes backwards, from {before_ns} to {mine[at]}; `hftbot convert "
                         "--repair` puts rows in order")
        return int(mine[-1])

    def _refuse_first(self, wrong: Marks, start: int, why: Any) -> None:
        if wrong.any():
            at = int(wrong.argmax())
            raise refuse(self.path, f"row {at + start}", why(at))
