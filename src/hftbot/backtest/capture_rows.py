"""Raw captures of any known venue as rows of events, in the order of receipt."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from hftbot.backtest.capture_lines import NS_MAX, CutLine, frames, reason
from hftbot.backtest.dialect import Dialect, SeveralMarkets
from hftbot.backtest.dialect_binance import BinanceDialect
from hftbot.backtest.dialect_hyperliquid import HyperliquidDialect
from hftbot.backtest.dialect_kraken import KrakenDialect
from hftbot.backtest.dialect_polymarket import PolymarketDialect
from hftbot.backtest.event_file import ManyMarkets, refuse
from hftbot.backtest.event_rows import RowList, Rows, RowStore
from hftbot.backtest.grid import step_of

NOTE_KEY = "hftbot"
LOST, UNREADABLE = "lost", "unreadable"
"""A frame with this key is the recorder's; its value is what the frame is about."""
DIALECTS = (BinanceDialect, KrakenDialect, HyperliquidDialect, PolymarketDialect)
_SENSELESS = (KeyError, TypeError, ValueError, IndexError, AttributeError)


class CaptureReader:
    """Reads captures one after the other as one stream; ``rows`` gives what they hold.

    The files continue each other, so only the first needs the beginning of the book. Afterwards
    ``dialect`` tells the market, its grid if the venue told it, and what was odd.
    """

    def __init__(self, paths: Sequence[Path], symbol: str | None = None) -> None:
        self.paths = tuple(paths)
        self.symbol = symbol
        self.dialect: Dialect | None = None
        self.gap_at = self.unequal_at = self.break_at = ""
        self.breaks = 0
        self.cuts: list[str] = []
        self._list = RowList(RowStore())

    def rows(self) -> Rows:
        """All rows. Raises DataError naming file and line."""
        for path in self.paths:
            try:
                self._file(path)
            except CutLine as cut:
                self.cuts.append(f"the last line is left out: {cut}")
        self._list.flush()
        rows = self._list.store.finished()
        if self.dialect is None:
            raise refuse(self.paths[0], "", "it holds no message of Binance, Kraken, Hyperliquid "
                                            "or Polymarket")
        if not len(rows):
            seen = ", ".join(sorted(self.dialect.markets)[:8]) or "none"
            raise refuse(self.paths[0], "", "no book to start from was found in it"
                         + (f" for {self.symbol}" if self.symbol else "")
                         + f" (markets seen: {seen}); a capture that continues another one is "
                         "read together with it")
        return rows

    def given(self) -> tuple[Decimal | None, Decimal | None]:
        """Tick and lot if the venue's own messages told them."""
        dialect = self.dialect
        if dialect is None:
            return None, None
        return step_of(dialect.tick_text), step_of(dialect.lot_text)

    def notes(self) -> list[str]:
        """What is missing or was compared, in sentences."""
        dialect = self.dialect
        if dialect is None:
            return []
        told = list(self.cuts)
        if self.breaks:
            told.append(f"{self.breaks} times the recorder lost the connection or could not read a "
                        f"frame (first at {self.break_at})")
        if dialect.gaps:
            told.append(f"{dialect.gaps} gaps: messages are missing (first at {self.gap_at})")
        if dialect.unequal:
            told.append(f"{dialect.unequal} of {dialect.checked} books compared differ from what "
                        f"the venue told (first at {self.unequal_at})")
        elif dialect.checked:
            told.append(f"{dialect.checked} books compared with what the venue told, all equal")
        return told + dialect.remarks

    def _file(self, path: Path) -> None:
        for line_number, recv_ns, message in frames(path, b'@bookTicker"'):
            if isinstance(message, dict) and NOTE_KEY in message:
                self._noted(f"{path}: line {line_number}", message)
                continue
            dialect = self.dialect
            try:
                if dialect is None:
                    dialect = self.dialect = self._dialect_of(message)
                if recv_ns >= NS_MAX:
                    raise ValueError(f"{recv_ns} is not a time in nanoseconds")
                gaps, unequal = dialect.gaps, dialect.unequal
                dialect.recv_ns = recv_ns
                dialect.take(message)
            except SeveralMarkets as error:
                raise ManyMarkets(f"{path}: line {line_number}: {error}") from error
            except _SENSELESS as error:
                raise refuse(path, f"line {line_number}", reason(error)) from error
            if dialect.gaps > gaps and not self.gap_at:
                self.gap_at = f"{path}: line {line_number}"
            if dialect.unequal > unequal and not self.unequal_at:
                self.unequal_at = f"{path}: line {line_number}"

    def _noted(self, place: str, message: dict[str, Any]) -> None:
        """What the recorder itself has to say: the connection was lost, a frame made no sense."""
        if message[NOTE_KEY] in (LOST, UNREADABLE):
            self.breaks += 1
            self.break_at = self.break_at or place

    def _dialect_of(self, message: Any) -> Dialect:
        for known in DIALECTS:
            if known.knows(message):
                return known(self.symbol, self._list.extend)
        raise ValueError("is no message of Binance, Kraken, Hyperliquid or Polymarket: "
                         f"{str(message)[:60]!r}")


