"""What Kraken tells beside books and trades, as a strategy's desk asks for it."""

from __future__ import annotations

from collections.abc import Sequence

from hftbot.venue.kraken.level3 import Level3Feed
from hftbot.venue.kraken.reports import Reports
from hftbot.venue.kraken.summaries import Summaries
from hftbot.words.market import BookTrust, Candle, Ticker


class MarketViews:
    """Implements words.ports.Views on the summaries and, if there is one, the level 3 feed."""

    def __init__(self, summaries: Summaries, level3: Level3Feed | None, reports: Reports) -> None:
        self._summaries = summaries
        self._level3 = level3
        self._reports = reports

    def ticker(self, instrument: int) -> Ticker | None:
        """The last ticker."""
        return self._summaries.tickers[instrument]

    def candles(self, instrument: int) -> Sequence[Candle]:
        """The last candles, oldest first."""
        return self._summaries.candles[instrument]

    def ahead_lots(self, client_id: int) -> int:
        """How much visible size stands before an order of ours; -1 if that is not known."""
        venue_id = self._reports.venue_id(client_id)
        if self._level3 is None or not venue_id:
            return -1
        known = [book.ahead_lots(venue_id) for book in self._level3.books
                 if book.trust == BookTrust.TRUSTED]
        return max(known, default=-1)
