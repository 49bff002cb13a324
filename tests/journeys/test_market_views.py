"""A strategy from a file that asks for all the market data there is, on real sockets."""

from __future__ import annotations

import json
import pathlib

import pytest

from journeys.bot import run

pytestmark = pytest.mark.usefixtures("nothing_stays")
STRATEGY = '''
from hftbot.words.order import Tif
from hftbot.words.ports import Strategy


class Looker(Strategy):
    """Rests one order and looks who stands before it. It cannot say anything before it began."""

    name = "looker"

    def on_start(self, desk):
        super().on_start(desk)
        self.order, self.ahead = 0, []

    def on_timer(self, now_us):
        book = self.desk.book(0)
        if self.order <= 0 and self.desk.ticker(0) is not None and book.trust == 2:
            # Behind the touch, so that nobody trades it away before the market shows it.
            ticks, _ = book.levels(0, 10)[-1]
            self.order = self.desk.place(0, 0, ticks, 50_000, Tif.GTC, post_only=True)
        if self.order > 0:
            self.ahead.append(self.desk.ahead_lots(self.order))

    def statistics(self):
        ticker = self.desk.ticker(0)
        return {"last": ticker.last_ticks, "candles": len(self.desk.candles(0)),
                "levels": len(self.desk.book(0).levels(0, 500)), "ahead": max(self.ahead)}
'''
SETTINGS = "BOOK_DEPTH=100\nTICKER=bbo\nCANDLES=1\nLEVEL3_DEPTH=100\nLOOP_INTERVAL_MS=50\n"


def test_a_run_with_deep_books_tickers_candles_and_level_3(tmp_path: pathlib.Path) -> None:
    (tmp_path / "looker.py").write_text(STRATEGY)
    (tmp_path / ".env").write_text(SETTINGS)
    done = run(tmp_path, "run", "--strategy", "looker.py:Looker", "--duration", "5", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    seen = told["strategy"]["looker"]
    assert seen["last"] > 0
    assert seen["candles"] > 0
    assert seen["levels"] > 10, "deeper than the ten of every other run"
    assert seen["ahead"] >= 0, "the queue before our order was known"
    assert told["open_orders_at_exit"] == 0
    for name in ("frames", "private_frames"):
        counted = told[name]
        assert counted["frames"] > 0
        assert counted["bad_frames"] + counted["unmapped_errors"] == 0, counted
    log = (tmp_path / "hftbot-state" / "bot_hft.log").read_text()
    assert "BTC/USD: level 3 is TRUSTED" in log
    assert "SUSPECT" not in log
