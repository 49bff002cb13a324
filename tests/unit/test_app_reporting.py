"""hftbot report: from a database and journals to figures, also where one of them is not whole."""

from __future__ import annotations

import json
import pathlib
import sqlite3

import pytest

from hftbot.app.cli import main
from hftbot.store.ledger_db import LedgerDb
from hftbot.words.order import client_id_pack

NOON_US = 1_795_262_400_000_000  # 2026-11-21 12:00 UTC


@pytest.fixture(autouse=True)
def state(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "hftbot-state"
    folder.mkdir()
    return folder


def write(state: pathlib.Path, trips: int = 3) -> None:
    """Round trips of 0.001 BTC that earn 0.05 USD each, and one sale of something adopted."""
    store = LedgerDb(state / "bot_hft.db")
    adopted = {"ts": NOON_US - 1, "symbol": "BTC/USD", "side": "sell", "size": 0.002,
               "price": 60_000.0, "fee": 0.0, "client_id": "7", "fill_id": "F7",
               "venue": "kraken", "maker": 0, "strategy": "scalper"}
    store.fill(adopted)
    for number in range(trips):
        for side, price, intent in (("buy", 60_000.0, "momentum 12"),
                                    ("sell", 60_050.0, "exit profit_target")):
            ts_us = NOON_US + number * 60_000_000 + (side == "sell") * 9_000_000
            name = f"{number}{side}"
            store.fill({**adopted, "ts": ts_us, "side": side, "size": 0.001, "price": price,
                        "client_id": name, "fill_id": f"F{name}"})
            store.order({"client_id": name, "ts": ts_us - 900, "done_ts": ts_us, "tif": "ioc",
                         "symbol": "BTC/USD", "side": side, "state": "filled",
                         "strategy": "scalper", "intent": intent})
    store.close()
    assert store.dropped == 0


def test_report_reads_a_database(state: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(state)
    assert main(["report", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["trips"]["count"] == 3
    assert told["trips"]["net"] == pytest.approx(0.15)
    assert told["by_exit"]["profit_target"]["count"] == 3
    assert told["by_hour"]["12"]["won"] == 3
    assert told["orders"]["execution_us"]["p50"] == 900
    assert told["base_fees"] == pytest.approx(0.004 * (120.0 + 3 * (60.0 + 60.05)))
    assert told["sold_unbought"] == {"BTC/USD": 0.002}
    assert main(["report"]) == 0
    page = capsys.readouterr().out
    for wanted in ("REPORT", "3: 3 won", "+0.1500 net of fees", "profit target", "only 3 round",
                   "at Kraken's base fees", "0.002 BTC/USD were sold that no fill here bought",
                   "no journal is left"):
        assert wanted in page, wanted


def test_report_without_a_database_says_what_to_do(state: pathlib.Path,
                                                   capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report"]) == 1
    assert "start a bot with `hftbot run`" in capsys.readouterr().err


def test_report_of_a_damaged_database(state: pathlib.Path,
                                      capsys: pytest.CaptureFixture[str]) -> None:
    (state / "bot_hft.db").write_bytes(b"this is no database at all, and it is long enough" * 99)
    assert main(["report"]) == 3
    told = capsys.readouterr().err
    assert "hftbot journal rebuild" in told
    assert "Traceback" not in told


def test_report_of_a_database_of_an_earlier_version(state: pathlib.Path,
                                                    capsys: pytest.CaptureFixture[str]) -> None:
    """Without the reasons of intents the exits are unknown; the next run adds the column."""
    write(state)
    with sqlite3.connect(state / "bot_hft.db") as database:
        database.execute("ALTER TABLE orders DROP COLUMN intent")
    database.close()
    assert main(["report", "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)["by_exit"]) == {"unknown"}
    LedgerDb(state / "bot_hft.db").close()
    with sqlite3.connect(state / "bot_hft.db") as database:
        columns = [row[1] for row in database.execute("PRAGMA table_info(orders)")]
    database.close()
    assert columns[-1] == "intent"


def test_report_does_not_write(state: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(state)
    before = (state / "bot_hft.db").read_bytes()
    assert main(["report"]) == 0
    assert (state / "bot_hft.db").read_bytes() == before
    assert "3 won" in capsys.readouterr().out


def test_report_of_an_account_that_was_archived_leaves_nothing_open(
        state: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Run 2 bought, its account was put away, and run 3 begins with nothing."""
    store = LedgerDb(state / "bot_hft.db")
    for run, side, size in ((2, "buy", 0.004), (3, "buy", 0.001), (3, "sell", 0.003)):
        store.fill({"ts": NOON_US + run, "symbol": "BTC/USD", "side": side, "size": size,
                    "price": 60_000.0, "fee": 0.0, "fill_id": f"F{run}{side}", "maker": 0,
                    "client_id": str(client_id_pack(1, run, 1)), "venue": "kraken",
                    "strategy": "scalper"})
    store.close()

    def told() -> dict:
        assert main(["report", "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    assert told()["open"][0]["size"] == pytest.approx(0.002)
    journals = state / "archive" / "2026-11-21T120000" / "journal"
    journals.mkdir(parents=True)
    for run in (1, 2):
        (journals / f"run-{run:05}.journal").write_bytes(b"")
    assert told()["open"] == []
    assert told()["sold_unbought"] == {"BTC/USD": pytest.approx(0.002)}
    (journals / "run-00003.journal").write_bytes(b"")
    assert (told()["open"], told()["sold_unbought"]) == ([], {})
