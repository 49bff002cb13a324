"""`hftbot parity` refuses what it cannot compare: one line, exit code 2 or 1, no traceback."""

from __future__ import annotations

import pathlib

import pytest

from fastcore.lane import desk as rows
from fastcore.money.journal import Journal
from hftbot.app.cli import main
from hftbot.words.order import client_id_pack

HEADER = (b"hftbot 1 run 7 settings x schema 2 account sim started 1 strategies spread_maker "
          b"grids 1:8:1:1,2:8:1:1 symbols BTC/USD,ETH/USD")


@pytest.fixture
def state(tmp_path: pathlib.Path) -> pathlib.Path:
    """A state directory with a run that sent an order in each of two markets."""
    (tmp_path / "journal").mkdir()
    journal = Journal(str(tmp_path / "journal" / "run-00007.journal"), 1 << 16, HEADER)
    for index in (0, 1):
        journal.append_words(rows.KIND_ORDER, client_id_pack(1, 7, 1 + index), index, 100, 50,
                             1_000_000, 1_000_001, 0, 1)
    journal.close()
    (tmp_path / "btc.raw").write_bytes(
        b'1700000000000000000 {"channel":"book","type":"snapshot","data":[{"symbol":"BTC/USD",'
        b'"bids":[{"price":10.0,"qty":1.00000000}],"asks":[{"price":10.1,"qty":1.00000000}],'
        b'"checksum":1,"timestamp":"2023-11-14T22:13:19.999000Z"}]}\n')
    (tmp_path / "empty.raw").write_bytes(b"")
    return tmp_path


@pytest.mark.parametrize(("flags", "code", "words"), [
    (["--market", "btc.raw"], 2, "the run traded BTC/USD, ETH/USD: choose one with --symbol"),
    (["--market", "btc.raw", "--symbol", "SOL/USD"], 2, "--symbol SOL/USD: the run traded"),
    (["--market", "btc.raw", "--symbol", "btc/usd"], 2,
     "the run's orders are of 1970-01-01T00:00:01.000001Z"),
    (["--market", "no.raw", "--symbol", "BTC/USD"], 2, "no.raw: cannot be opened"),
    (["--market", "empty.raw", "--symbol", "BTC/USD"], 2, "the file is empty"),
    (["--market", "btc.raw", "--queue", "lucky"], 2, "--queue 'lucky' is no queue model"),
    (["--market", "btc.raw", "--exchange", "kind"], 2, "must be partial or no-partial"),
    (["--market", "btc.raw", "--strategy", "micro_scalper"], 2, "--strategy belongs to --again"),
    (["--market", "btc.raw", "--run", "9"], 1, "no journal of run 9"),
    (["--market", "btc.raw", "--tolerance", "-1"], 2, "is not a number of milliseconds"),
    ([], 2, "--market")])
def test_refusals(state: pathlib.Path, monkeypatch: pytest.MonkeyPatch,
                  capsys: pytest.CaptureFixture[str], flags: list[str], code: int,
                  words: str) -> None:
    monkeypatch.chdir(state)
    assert main(["parity", "--state", str(state), *flags]) == code
    told = capsys.readouterr()
    assert words in told.err
    assert "Traceback" not in told.err
    assert told.out == ""


def test_a_damaged_journal_is_not_compared(state: pathlib.Path, monkeypatch: pytest.MonkeyPatch,
                                           capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(state)
    path = state / "journal" / "run-00007.journal"
    content = bytearray(path.read_bytes())
    at = content.index((1_000_001).to_bytes(8, "little"))
    content[at] ^= 1
    path.write_bytes(content)
    assert main(["parity", "--state", str(state), "--market", "btc.raw"]) != 0
    assert "`hftbot journal verify`" in capsys.readouterr().err
