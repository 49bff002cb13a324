"""The SQLite projection: rows arrive, the seed's query works, nothing blocks or raises."""

from __future__ import annotations

import pathlib
import sqlite3
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from hftbot.errors import StoreError
from hftbot.store.ledger_db import LedgerDb

NOW_US = 1_800_000_000_000_000
# The statement of the handbook's watch command; the shell there lost the quotes around %s.
SEED_SQL = """
SELECT
  COUNT(*) as fills_last_5min,
  AVG(size*price) as avg_size
FROM fills
WHERE ts > (strftime('%s','now')*1000000 - 300000000)
"""


@pytest.fixture
def ledger(tmp_path: pathlib.Path) -> Iterator[LedgerDb]:
    opened = LedgerDb(tmp_path / "bot_hft.db")
    yield opened
    opened.close()


def rows(ledger: LedgerDb, statement: str) -> list[tuple[Any, ...]]:
    reader = sqlite3.connect(ledger.path)
    try:
        return reader.execute(statement).fetchall()
    finally:
        reader.close()


def a_fill(number: int, **changes: Any) -> dict[str, Any]:
    return {"ts": NOW_US + number, "symbol": "BTC/USD", "side": "buy", "size": 0.001,
            "price": 60_000.0 + number, "fee": 0.0, "client_id": str(number),
            "fill_id": f"F{number}", "venue": "kraken", "maker": 0, "strategy": "micro_scalper",
            **changes}


def test_the_seeds_query_works_on_a_new_database(ledger: LedgerDb) -> None:
    assert rows(ledger, SEED_SQL) == [(0, None)]


def test_the_seeds_query_counts_recent_fills(ledger: LedgerDb) -> None:
    now_us = rows(ledger, "SELECT CAST(strftime('%s','now') AS INTEGER) * 1000000")[0][0]
    ledger.fill(a_fill(1, ts=now_us, size=2.0, price=10.0))
    ledger.fill(a_fill(2, ts=now_us - 200_000_000, size=4.0, price=10.0))
    ledger.fill(a_fill(3, ts=now_us - 400_000_000))
    assert ledger.flush()
    assert rows(ledger, SEED_SQL) == [(2, 30.0)]


def test_a_reader_sees_rows_while_the_bot_runs(ledger: LedgerDb) -> None:
    for number in range(1_200):
        ledger.fill(a_fill(number))
    assert ledger.flush()
    assert rows(ledger, "SELECT COUNT(*), COUNT(DISTINCT fill_id), MIN(ts) FROM fills") == [
        (1_200, 1_200, NOW_US)]
    assert ledger.statistics() == {"written": 1_200, "dropped": 0, "waiting": 0, "last_error": ""}
    assert rows(ledger, "PRAGMA journal_mode") == [("wal",)]


def test_a_fill_told_twice_is_one_row(ledger: LedgerDb) -> None:
    ledger.fill(a_fill(1))
    ledger.fill(a_fill(1, price=1.0))
    ledger.fill(a_fill(1, client_id="another run"))
    assert ledger.flush()
    assert rows(ledger, "SELECT client_id, price FROM fills ORDER BY client_id") == [
        ("1", 60_001.0), ("another run", 60_001.0)]


def test_an_order_row_grows(ledger: LedgerDb) -> None:
    ledger.order({"client_id": 7, "ts": NOW_US, "symbol": "BTC/USD", "side": "buy", "size": 1.0,
                  "price": 2.0, "tif": "IOC", "state": "SENT", "strategy": "s"})
    ledger.order({"client_id": "7", "ts": NOW_US + 5, "done_ts": NOW_US + 5, "state": "FILLED",
                  "filled": 1.0})
    assert ledger.flush()
    assert rows(ledger, "SELECT client_id, ts, done_ts, state, filled, tif, price FROM orders") == [
        ("7", NOW_US, NOW_US + 5, "FILLED", 1.0, "IOC", 2.0)]


def test_notes(ledger: LedgerDb) -> None:
    ledger.note({"ts": NOW_US, "level": "WARN", "kind": "overflow", "text": "it's full; DROP"})
    assert ledger.flush()
    assert rows(ledger, "SELECT * FROM notes") == [(NOW_US, "WARN", "overflow", "it's full; DROP")]


@pytest.mark.parametrize("bad", [
    {"symbol": "BTC/USD"}, a_fill(9, ts=None), a_fill(9, ts=1 << 70), a_fill(9, size=object()),
    a_fill(9, price=float("nan")), "no row at all", None])
def test_a_row_that_does_not_fit_is_counted_and_the_rest_goes_on(ledger: LedgerDb,
                                                                 bad: Any) -> None:
    ledger.fill(bad)
    assert ledger.flush()
    ledger.fill(a_fill(1))
    assert ledger.flush()
    assert rows(ledger, "SELECT fill_id FROM fills") == [("F1",)]
    assert (ledger.written, ledger.dropped) == (1, 1)
    assert ledger.last_error


@pytest.mark.law(8)
def test_a_full_queue_drops_and_counts(tmp_path: pathlib.Path) -> None:
    ledger = LedgerDb(tmp_path / "bot_hft.db", capacity=10)
    held, release = threading.Event(), threading.Event()

    def wait() -> int:
        held.set()
        release.wait(30)
        return 1

    ledger._database.create_function("wait_here", 0, wait)
    ledger._database.execute("CREATE TEMP TRIGGER t BEFORE INSERT ON notes BEGIN "
                             "SELECT wait_here(); END")
    ledger.note({"ts": 1})
    assert held.wait(30)
    for number in range(25):
        ledger.fill(a_fill(number))
    assert ledger.dropped == 15
    assert "lacks 15 rows (too many waited)" in ledger.loss()
    release.set()
    ledger.close()
    assert rows(ledger, "SELECT COUNT(*) FROM fills") == [(10,)]


def test_close_writes_what_waits_and_later_rows_are_counted(tmp_path: pathlib.Path) -> None:
    ledger = LedgerDb(tmp_path / "bot_hft.db")
    for number in range(2_000):
        ledger.fill(a_fill(number))
    ledger.close()
    ledger.close()
    ledger.fill(a_fill(5_000))
    assert ledger.dropped == 1
    assert rows(ledger, "SELECT COUNT(*) FROM fills") == [(2_000,)]


def test_the_next_run_appends(tmp_path: pathlib.Path) -> None:
    for number in range(2):
        ledger = LedgerDb(tmp_path / "bot_hft.db")
        ledger.fill(a_fill(number))
        assert ledger.loss() == ""
        ledger.close()
    assert rows(ledger, "SELECT COUNT(*) FROM fills") == [(2,)]
    assert (tmp_path / "bot_hft.db").stat().st_mode & 0o777 == 0o600


@pytest.mark.fault("D4")
def test_a_locked_database_loses_rows_but_not_the_bot(ledger: LedgerDb) -> None:
    ledger._database.execute("PRAGMA busy_timeout=1")
    other = sqlite3.connect(ledger.path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    ledger.fill(a_fill(1))
    assert ledger.flush()
    other.execute("ROLLBACK")
    other.close()
    assert ledger.dropped == 1
    assert "lacks 1 rows (OperationalError: database is locked)" in ledger.loss()
    ledger.fill(a_fill(2))
    assert ledger.flush()
    assert rows(ledger, "SELECT fill_id FROM fills") == [("F2",)]


def test_what_is_no_database_is_refused(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "bot_hft.db"
    path.write_bytes(b"this is not a database at all" * 100)
    with pytest.raises(StoreError, match="move it away"):
        LedgerDb(path)
    with pytest.raises(StoreError, match="cannot write"):
        LedgerDb(tmp_path / "bot_hft.db" / "below")
