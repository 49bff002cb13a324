"""`hftbot record`, then what reads it: real processes, a real exchange on 127.0.0.1."""

from __future__ import annotations

import json
import os
import signal

import pytest

from journeys.bot import clean_up, run, start, wait_condition


@pytest.fixture(autouse=True)
def _clean():
    yield
    clean_up()


def test_a_recording_of_the_embedded_exchange_is_read_by_replay_and_convert(tmp_path):
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
    refused = run(tmp_path, "replay", str(file))
    assert refused.returncode == 2
    assert "holds more than one market, BTC/USD and ETH/USD: say which" in refused.stderr
    shown = run(tmp_path, "replay", str(file), "--symbol", "ETH/USD", "--json")
    assert shown.returncode == 0, shown.stderr
    seen = json.loads(shown.stdout)
    assert (seen["symbol"], seen["tick_size"], seen["crossed"]) == ("ETH/USD", "0.01", 0)
    assert seen["rows"] > 10
    assert "all equal" in seen["notes"][-1]
    written = run(tmp_path, "convert", str(file), "btc.npz", "--symbol", "BTC/USD", "--strict")
    assert written.returncode == 0, written.stderr


def test_ctrl_c_finishes_the_file_and_a_kill_leaves_what_was_written(tmp_path):
    exchange = start(tmp_path, "exchange", "--json", "--duration", "60")
    url = json.loads(exchange.stdout.readline())["rest_url"]
    recorder = start(tmp_path, "record", "first", "--exchange", url)
    assert "recording" in recorder.stderr.readline()
    wait_condition(lambda: _bytes(tmp_path / "first") > 5_000)
    recorder.send_signal(signal.SIGINT)
    out, err = recorder.communicate(timeout=30)
    assert recorder.returncode == 0, err
    assert "0 connections lost" in out
    packed, = (tmp_path / "first").iterdir()
    assert packed.suffix == ".gz"
    killed = start(tmp_path, "record", "second", "--exchange", url)
    wait_condition(lambda: _bytes(tmp_path / "second") > 5_000)
    killed.kill()
    killed.wait()
    raw, = (tmp_path / "second").iterdir()
    shown = run(tmp_path, "replay", str(raw), "--json")
    assert shown.returncode == 0, shown.stderr
    assert json.loads(shown.stdout)["rows"] > 20


def _bytes(folder):
    """How much was written to the disk of a recording so far."""
    return sum(entry.stat().st_size for entry in os.scandir(folder)) if folder.is_dir() else 0
