"""Rows of events, of any format, as the embedded exchange replays them: whole ticks and lots."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hftbot.backtest.event_file import CLEAR, SNAPSHOT, EventFile, Row, refuse
from hftbot.backtest.event_rows import (
    BUY_FLAG,
    CHUNK_ROWS,
    EXCHANGE_FLAG,
    KIND_MASK,
    SELL_FLAG,
    EventRows,
    Rows,
)

_STEPS_MAX = 2.0**62


class RowEvents(EventFile):
    """The rows that are valid at the exchange. Sizes between two lots go to the nearer one."""

    def __init__(self, found: EventRows) -> None:
        super().__init__(found.paths[0], found.symbol, found.tick_size, found.lot_size)
        self.format = found.format
        self.first_ns, self.last_ns = found.first_ns, found.last_ns
        self._rows = found.array

    def events(self) -> Iterator[Row]:
        """See EventFile.events. A clear row without a side becomes one for each side."""
        for start in range(0, len(self._rows), CHUNK_ROWS):
            for row in self._steps(self._rows[start:start + CHUNK_ROWS], start):
                if row[2] >= 0:
                    yield row
                elif row[1] == CLEAR:
                    yield (row[0], CLEAR, 0, 0, 0)
                    yield (row[0], CLEAR, 1, 0, 0)

    def _steps(self, part: Rows, start: int) -> Iterator[Row]:
        flags = part["ev"]
        kind = (flags & np.uint64(KIND_MASK)).astype(np.int64)
        wanted = np.flatnonzero(((flags & np.uint64(EXCHANGE_FLAG)) != 0) & (kind <= SNAPSHOT))
        flags, kind = flags[wanted], kind[wanted]
        side = np.where(flags & np.uint64(BUY_FLAG), 0,
                        np.where(flags & np.uint64(SELL_FLAG), 1, -1))
        steps = []
        for name, size in (("px", self.tick_size), ("qty", self.lot_size)):
            scaled = np.nan_to_num(part[name][wanted], nan=0.0) / float(size)
            if len(scaled) and scaled.max() > _STEPS_MAX:
                row = int(wanted[scaled.argmax()]) + start
                raise refuse(self.path, f"row {row}", f"{name} {part[name][row - start]} is too "
                                                      "large")
            steps.append(np.floor(scaled + 0.5).astype(np.int64).tolist())
        return zip(part["exch_ts"][wanted].tolist(), kind.tolist(), side.tolist(), *steps,
                   strict=True)
