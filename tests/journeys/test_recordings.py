"""`hftbot record`, then what reads it: real processes, a real exchange on 127.0.0.1."""

from __future__ import annotations

import json
import os
import signal

import pytest

from hftbot.app.cli import main
from hftbot.backtest.data import open_rows
from journeys.bot import finish, run, start, wait_condition
from journeys.tls_venue import TlsVenue

pytestmark = pytest.mark.usefixtures("nothing_stays")


def test_a_recording_is_read_by_replay_convert_and_backtest(tmp_path, capsys, monkeypatch):
    done = run(tmp_path, "record", "recordings", "--duration", "1", "--symbols",
                   "BTC/USD,ETH/USD", "--json", "--set", "SIM_PACE=5")
    assert done.returncode == 0, done.stderr
    content = json.loads(done.stdout)
    assert content["frames"] > 20
    assert content["books_compared"] > 10
    assert (content["books_unequal"], content["gaps"], content["problems"]) == (0, 0, [])
    file = tmp_path / content["files"][0]["file"]
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    assert file.suffix == ".gz"
    monkeypatch.chdir(tmp_path)
    assert main(["replay", str(file)]) == 2
    assert "holds more than one market, BTC/USD and ETH/USD: say which" in capsys.readouterr().err
    assert main(["replay", str(file), "--symbol", "ETH/USD", "--json"]) == 0
    seen = json.loads(capsys.readouterr().out)
    assert (seen["symbol"], seen["tick_size"], seen["crossed"]) == ("ETH/USD", "0.01", 0)
    assert seen["rows"] > 10
    assert "all equal" in seen["notes"][-1]
    assert main(["convert", str(file), "btc.npz", "--symbol", "BTC/USD", "--strict"]) == 0
    capsys.readouterr()
    assert main(["backtest", "--data", "btc.npz", "--data", str(file), "--symbols",
                 "BTC/USD,ETH/USD", "--fees", "free", "--single", "--json", "--profile",
                 "hft"]) == 0
    assert json.loads(capsys.readouterr().out)["exit_code"] == 0


def test_ctrl_c_finishes_a_recording_of_the_real_venue_which_needs_no_key(tmp_path):
    venue = TlsVenue(tmp_path)
    venue.write(KRAKEN_API_KEY="", KRAKEN_API_SECRET="")
    recorder = start(tmp_path, "record", "recordings", "--live")
    assert "real prices" in recorder.stderr.readline()
    wait_condition(lambda: _bytes(tmp_path / "recordings") > 5_000)
    recorder.send_signal(signal.SIGINT)
    out, err = recorder.communicate(timeout=30)
    assert recorder.returncode == 0, err
    assert "0 connections lost" in out
    packed, = (tmp_path / "recordings").iterdir()
    assert packed.suffix == ".gz"
    assert open_rows(packed).symbol == "BTC/USD"


def test_a_killed_recorder_leaves_what_was_written_and_a_lost_venue_is_noted(tmp_path):
    exchange = start(tmp_path, "exchange", "--json", "--duration", "60")
    url = json.loads(exchange.stdout.readline())["rest_url"]
    killed = start(tmp_path, "record", "first", "--exchange", url)
    alone = start(tmp_path, "record", "second", "--exchange", url)
    wait_condition(lambda: min(_bytes(tmp_path / name) for name in ("first", "second")) > 5_000)
    killed.kill()
    killed.wait()
    raw, = (tmp_path / "first").iterdir()
    assert open_rows(raw).rows > 20
    finish(exchange)
    assert "the connection was lost" in alone.stderr.readline() + alone.stderr.readline()
    _, err = finish(alone)
    assert alone.returncode == 1, err
    packed, = (tmp_path / "second").iterdir()
    assert "times the recorder lost the connection" in open_rows(packed).notes[0]


def _bytes(folder):
    """How much was written to the disk of a recording so far."""
    return sum(entry.stat().st_size for entry in os.scandir(folder)) if folder.is_dir() else 0
