"""Runs on the embedded exchange and the backtest of the same orders: fill by fill."""

from __future__ import annotations

import argparse
import io
import json
import pathlib
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from hftbot.app import journal, parity
from hftbot.app.cli_parity import TOLERANCE
from hftbot.errors import ConfigError, DataError
from hftbot.store.journal_reader import examine
from world.ring import Ring, run_ring

GRIDS = b"hftbot 1 run 1 strategies spread_maker account sim grids 1:8:1:1 symbols BTC/USD"
MAKER = {"strategy": "spread_maker", "order_size_usd": Decimal(50), "max_orders_per_min": 200,
         "fills_in_row_max": 200, "maker_edge_e6": 30}
SCALPER = {"strategy": "micro_scalper", "max_hold_us": 2_000_000, "min_hold_us": 1_000_000,
           "fills_in_row_max": 10_000, "max_orders_per_min": 6000}


class Recorded:
    """A run's journal and the frames of its market."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.market = folder / "market.raw"
        self.content = b""
        self.lines: list[bytes] = []

    def begin(self, ring: Ring) -> None:
        """Before the links open."""
        self.file = io.FileIO(ring.world.journal.path)
        told = ring.venue.trace

        def trace(way: str, frame: bytes) -> None:
            told(way, frame)
            if way == "in":
                self.lines.append(b"%d %b\n" % (1000 * ring.venue.clock.now_us(), frame))
        ring.venue.trace = trace

    def finish(self) -> None:
        """The run is over; its folder may be gone."""
        with self.file as file:
            self.content = file.readall()
        self.market.write_bytes(b"".join(self.lines))


def compared(folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch,
             capsys: pytest.CaptureFixture[str], bot: dict[str, Any], *,
             seconds: float = 60.0, **asked: Any) -> tuple[Ring, dict[str, Any]]:
    """A run in virtual time, and what `hftbot parity --json` says of it."""
    recorded = Recorded(folder)
    ring = run_ring(4, seconds, bot=bot, script=recorded.begin)
    recorded.finish()
    copy = replace(examine(folder / "run.journal", recorded.content), header=GRIDS)
    monkeypatch.setattr(journal, "copies", lambda state, run: [copy])
    options = argparse.Namespace(
        market=str(recorded.market), run=None, symbol=None, queue="risk-averse",
        fills="partial", tolerance=TOLERANCE, all=True, json=True, again=False, strategy=None,
        profile=None, config=None, set=[])
    for name, value in asked.items():
        setattr(options, name, value)
    assert parity.command(options, folder) == 0
    out = capsys.readouterr().out
    return ring, json.loads(out) if options.json else {"text": out}


def test_a_maker_s_fills_come_again_almost_all_of_them(
        tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str]) -> None:
    ring, told = compared(tmp_path, monkeypatch, capsys, MAKER)
    fills = ring.witness.fills
    assert told["venue"]["fills"] == len(fills) > 20
    assert told["venue"]["position_lots"] == ring.world.ledger.position_lots(0)
    assert told["equal_share"] > 0.9
    assert told["requests_traced"] > 0.5 * told["requests_answered"]
    assert all(pair["why"] for pair in told["pairs"] if pair["cause"] != "equal")
    explained = sum(told["causes"][cause]["gain"] for cause in told["causes"])
    assert told["backtest"]["gain"] - told["venue"]["gain"] == pytest.approx(explained, abs=1e-9)


def test_a_model_without_partial_fills_differs_and_says_that_it_is_that(
        tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str]) -> None:
    ring, told = compared(tmp_path, monkeypatch, capsys, MAKER, fills="no-partial")
    parts = [pair for pair in told["pairs"] if "this model fills orders whole" in pair["why"]]
    orders = {fill.client_id for fill in ring.witness.fills}
    assert len(ring.witness.fills) > len(orders), "no order was filled in parts: another seed"
    assert parts
    assert {pair["cause"] for pair in parts} == {"time"}


def test_a_scalper_s_takers_are_compared_as_well(
        tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str]) -> None:
    ring, told = compared(tmp_path, monkeypatch, capsys, SCALPER)
    fills = ring.witness.fills
    assert told["venue"]["fills"] == len(fills) > 10
    assert told["equal_share"] > 0.8
    for pair in told["pairs"]:
        assert pair["cause"] == "equal" or "when it arrived" in pair["why"], pair


def test_people_read_sums_causes_and_each_difference(
        tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str]) -> None:
    text = compared(tmp_path, monkeypatch, capsys, MAKER, seconds=30.0, json=False,
                    fills="no-partial", all=False)[1]["text"]
    assert "parity of run 1 (spread_maker) on BTC/USD" in text
    assert "% of the lots were filled alike" in text
    assert "the same lots at the same price, at another time" in text
    assert "this model fills orders whole" in text


def test_the_strategy_decides_again_on_the_recorded_market(
        tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str]) -> None:
    """Its first orders are the run's; later the market lacks its own steps in it."""
    monkeypatch.chdir(tmp_path)
    told = compared(tmp_path, monkeypatch, capsys, MAKER, seconds=30.0, again=True,
                    set=["MAKER_EDGE_BPS=0.3"])[1]
    again = told["again"]
    assert again["ended"] == "end of data"
    assert again["fills"] > 10
    assert again["shared_decisions"] >= 2
    assert again["first_of_run"]["at_ns"] > 0
    assert "these settings are not the run's" in told["notes"][-1]


def test_another_strategy_may_not_decide_again(
        tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="the run traded with spread_maker, these settings with "
                                          "micro_scalper"):
        compared(tmp_path, monkeypatch, capsys, MAKER, seconds=5.0, again=True,
                 strategy="micro_scalper")


def test_a_recording_of_another_time_is_refused(
        tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str]) -> None:
    late = Recorded.finish

    def finish(self: Recorded) -> None:
        self.lines = [line.replace(b"2026-01-01", b"2027-01-01") for line in self.lines]
        self.lines = [b"%d %b" % (int(line.split(b" ", 1)[0]) + 365 * 86_400 * 10**9,
                                  line.split(b" ", 1)[1]) for line in self.lines]
        late(self)

    monkeypatch.setattr(Recorded, "finish", finish)
    with pytest.raises(DataError, match="give the recording that was made with"):
        compared(tmp_path, monkeypatch, capsys, MAKER, seconds=5.0)
