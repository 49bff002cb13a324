"""The pace of a day goes on over a restart."""

from __future__ import annotations

import pathlib

from hftbot.app.openings import openings_us
from hftbot.app.strategies import DAY_US, build_strategy
from hftbot.config.schema import Settings
from hftbot.live.clock import SystemClock
from hftbot.store.ledger_db import LedgerDb


def write(path: pathlib.Path, *rows: tuple[int, str, str, float],
          strategy: str = "micro_scalper") -> None:
    """Fills of (ts, symbol, side, size)."""
    store = LedgerDb(path)
    for number, (ts, symbol, side, size) in enumerate(rows):
        store.fill({"ts": ts, "symbol": symbol, "side": side, "size": size, "price": 1.0,
                    "fee": 0.0, "client_id": "1", "fill_id": f"{strategy}{number}",
                    "strategy": strategy})
    store.close()


def test_each_position_that_was_opened_counts_once(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "bot_hft.db"
    write(path, (1, "A/USD", "buy", 1.0), (10, "A/USD", "buy", 1.0), (11, "A/USD", "buy", 1.0),
          (12, "B/USD", "buy", 5.0), (13, "A/USD", "sell", 2.9), (14, "A/USD", "buy", 2.0),
          (15, "B/USD", "sell", 9.0), (16, "B/USD", "buy", 5.0), (17, "C/USD", "sell", 5.0))
    write(path, (18, "A/USD", "buy", 1.0), strategy="other")
    assert openings_us(path, "micro_scalper", 0) == [1, 12, 14, 16]
    # The first buy is of yesterday: what it left is not known, so the next one began it.
    assert openings_us(path, "micro_scalper", 10) == [10, 12, 14, 16]


def test_a_database_that_is_none_tells_nothing(tmp_path: pathlib.Path) -> None:
    assert openings_us(tmp_path / "missing.db", "micro_scalper", 0) == []
    (tmp_path / "broken.db").write_bytes(b"no database" * 100)
    assert openings_us(tmp_path / "broken.db", "micro_scalper", 0) == []


def test_a_new_run_begins_with_the_pace_of_the_day(tmp_path: pathlib.Path) -> None:
    now_us = SystemClock().now_us()
    path = tmp_path / "bot_hft.db"
    write(path, (now_us - DAY_US - 1, "A/USD", "buy", 1.0),
          *((now_us, f"{name}/USD", "buy", 1.0) for name in "BCDEFGH"))
    scalper = build_strategy(Settings(target_daily_trades=100), path)
    assert scalper.pace.opened_hour(now_us) == scalper.pace.opened_day == 7
    assert scalper.pace.admits(now_us)
    assert not scalper.pace.admits(now_us, 1)
