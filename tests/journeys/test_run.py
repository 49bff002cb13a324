"""`hftbot run` as a stranger meets it: processes, signals, files, exit codes."""

from __future__ import annotations

import gzip
import json
import pathlib
import random
import signal
import socket
import sqlite3
import subprocess

import pytest

from hftbot.errors import NoBot
from hftbot.live.control import ask
from journeys.bot import (
    endpoint,
    finish,
    run,
    sim,
    start,
    status,
    stop_exchange,
    wait_condition,
)

pytestmark = pytest.mark.usefixtures("nothing_stays")
TRACKERS = {"loop_iteration", "intent_generation", "risk_check", "order_placement",
            "book_update", "fair_price_calc"}
SHARED = pathlib.Path(__file__).resolve().parents[3] / "shared"


def test_run_trades_and_leaves_nothing_open(tmp_path) -> None:
    """No key, no network, no configuration: fills, six trackers, JSON alone on stdout."""
    done = run(tmp_path, "run", "--profile", "hft", "--duration", "8", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["fills"] > 0
    assert result["orders_sent"] >= result["fills"] - result["rejects"] > 0
    assert result["open_orders_at_exit"] == 0
    assert result["mode"] == "sim"
    assert result["venues"] == ["kraken"]
    assert result["fees_usd"] == 0
    assert set(result["latency"]) >= TRACKERS
    assert all(result["latency"][name]["count"] for name in TRACKERS)
    assert "SIMULATED" in done.stderr
    state = tmp_path / "hftbot-state"
    with sqlite3.connect(state / "bot_hft.db") as database:
        rows = database.execute(
            "SELECT COUNT(*) AS fills_last_5min, AVG(size*price) AS avg_size FROM fills "
            "WHERE ts > (strftime('%s','now')*1000000 - 300000000)").fetchone()
    assert rows[0] == result["fills"]
    assert rows[1] > 0
    log = (state / "bot_hft.log").read_text()
    assert "µs" in log
    assert "latency" in log
    assert "Traceback" not in log
    with sqlite3.connect(state / "bot_hft.db") as database:
        wishes = {row[0].split()[0] for row in database.execute("SELECT intent FROM orders")}
    assert wishes <= {"momentum", "exit"}
    assert "momentum" in wishes
    told = json.loads(run(tmp_path, "report", "--json").stdout)
    assert told["fills"]["count"] == result["fills"]
    assert told["orders"]["count"] == result["orders_sent"]
    assert told["synthetic"]
    assert told["runs"][0]["clean"]
    assert all("base fees" in remark for remark in told["remarks"])
    for name in ("latency", "status", "report"):
        told = run(tmp_path, name)
        assert told.returncode in (0, 1)
        assert "Traceback" not in told.stderr


@pytest.mark.long
@pytest.mark.fault("P1")
def test_run_twice_killed_then_again_on_one_directory(tmp_path) -> None:
    """A killed bot's exchange is found again; the next run takes over what is held."""
    state = tmp_path / "hftbot-state"
    for _ in range(2):
        done = run(tmp_path, "run", "--profile", "hft", "--duration", "2", "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["open_orders_at_exit"] == 0
        assert not (state / "exchange" / "endpoint.json").exists()
    bot = start(tmp_path, "run", "--profile", "hft")
    wait_condition(lambda: status(state)["pid"] == bot.pid and status(state)["duration_s"] > 1)
    bot.kill()
    bot.communicate()
    first = endpoint(state)["pid"]
    try:
        done = run(tmp_path, "run", "--profile", "hft", "--duration", "2", "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["open_orders_at_exit"] == 0
        assert "earlier run" in done.stderr
        assert endpoint(state)["pid"] == first
    finally:
        stop_exchange(state)


def test_run_answers_on_its_control_socket_and_takes_it_along(tmp_path) -> None:
    state = tmp_path / "hftbot-state"
    bot = start(tmp_path, "run", "--profile", "hft", "--json")
    told = wait_condition(lambda: ask(state / "control.sock", {"do": "status"})["fills"] > 0
                          and ask(state / "control.sock", {"do": "status"}))
    assert told["pid"] == bot.pid
    assert told["state"] == "running"
    assert (state / "control.sock").stat().st_mode & 0o777 == 0o600
    _, err = finish(bot)
    assert bot.returncode == 0, err
    with pytest.raises(NoBot):
        ask(state / "control.sock", {"do": "status"})
    assert not (state / "control.sock").exists()


def test_run_attached_to_an_exchange_started_by_hand(tmp_path) -> None:
    """Ctrl-C in the middle of trading leaves no order open, and the exchange running."""
    venue = start(tmp_path, "exchange", "--state", "venue", "--json")
    try:
        told = json.loads(venue.stdout.readline())
        assert "api_secret" not in told
        url = told["rest_url"]
        bot = start(tmp_path, "run", "--profile", "hft", "--exchange", url, "--json")
        wait_condition(lambda: sim(url)["fills"] > 0)
        out, err = finish(bot)
        assert bot.returncode == 0, err
        assert json.loads(out)["open_orders_at_exit"] == 0
        assert sim(url)["open_orders"] == 0
    finally:
        out, err = finish(venue, signal.SIGTERM)
    assert venue.returncode == 0, err


@pytest.mark.fault("H3")
def test_run_second_bot_on_one_directory_is_refused(tmp_path) -> None:
    state = tmp_path / "hftbot-state"
    bot = start(tmp_path, "run", "--profile", "hft")
    try:
        wait_condition(lambda: status(state)["pid"] == bot.pid)
        second = run(tmp_path, "run", "--profile", "hft", "--duration", "2")
        assert second.returncode == 3
        assert f"in use by pid {bot.pid}" in second.stderr
        assert second.stderr.count("\n") == 1
    finally:
        out, err = finish(bot)
    assert bot.returncode == 0, err
    assert "Ctrl-C" in out


def test_run_stop_before_the_venue_is_ready(tmp_path) -> None:
    """Ctrl-C during start-up ends at once, without a traceback."""
    bot = start(tmp_path, "run", "--profile", "hft")
    wait_condition(lambda: (tmp_path / "hftbot-state" / "lock").exists())
    _out, err = finish(bot)
    assert bot.returncode in (0, 130, -signal.SIGINT), err
    assert "Traceback" not in err
    stop_exchange(tmp_path / "hftbot-state")


@pytest.mark.long
def test_run_ctrl_c_at_any_moment_of_the_start(tmp_path) -> None:
    """Raised inside an import it would be lost, and the bot would trade on."""
    rng = random.Random(7)
    for _ in range(25):
        bot = start(tmp_path, "run", "--profile", "hft", "--set", "LINGER_S=1")
        with pytest.raises(subprocess.TimeoutExpired):
            bot.wait(rng.uniform(0.1, 1.5))
        _out, err = finish(bot)
        assert bot.returncode in (0, 130, -signal.SIGINT), err
        assert "Traceback" not in err
    stop_exchange(tmp_path / "hftbot-state")


def test_run_with_real_fees_is_refused_with_the_arithmetic(tmp_path) -> None:
    done = run(tmp_path, "run", "--profile", "hft", "--fees", "kraken", "--duration", "5")
    assert done.returncode == 2
    assert "0.4" in done.stderr
    assert "0.8" in done.stderr
    assert "Traceback" not in done.stderr
    stop_exchange(tmp_path / "hftbot-state")


def test_run_strategy_from_a_file(tmp_path) -> None:
    (tmp_path / "mine.py").write_text(
        "from hftbot import Side, Strategy\n"
        "class Mine(Strategy):\n"
        "    name = 'mine'\n"
        "    def on_start(self, desk):\n"
        "        self.desk = desk\n"
        "        self.sent = 0\n"
        "    def on_book(self, book):\n"
        "        if self.sent < 3 and not self.desk.open_orders():\n"
        "            lots = 100_000\n"
        "            self.sent += self.desk.place(0, Side.BUY, book.best_ask(), lots) > 0\n")
    done = run(tmp_path, "run", "--strategy", "mine.py:Mine", "--duration", "5", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["orders_sent"] == 3


@pytest.mark.parametrize(("name", "content", "words"), [
    ("empty.gz", b"", "empty"),
    ("text.npz", b"PK\x03\x04 no zip at all", "text.npz"),
    ("cut.gz", gzip.compress(b"1 {}\n" * 1000, mtime=0)[:60], "cut.gz"),
    ("words.gz", gzip.compress(b"these are not market data\n", mtime=0), "line 1"),
])
def test_run_replay_of_a_file_that_is_none(tmp_path, name, content, words) -> None:
    """Named with its line or offset, one line, exit 2."""
    (tmp_path / name).write_bytes(content)
    done = run(tmp_path, "run", "--profile", "hft", "--replay", name, "--duration", "3")
    assert done.returncode == 2, (done.returncode, done.stderr)
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_run_replay_ends_with_its_data(tmp_path) -> None:
    """The end of recorded data ends the run with exit 0, and says so."""
    from journeys.capture import write_capture
    write_capture(tmp_path / "day.gz", seconds=4)
    done = run(tmp_path, "run", "--profile", "hft", "--replay", "day.gz", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["ended"] == "end of data"
    assert result["mode"] == "replay"


@pytest.mark.parametrize("name", ["backtest_oracle/btcusdt.npz",
                                  "data/hftbacktest_examples/usdm_btcusdt_20240808.gz"])
def test_run_replay_of_recorded_data_trades(tmp_path, name) -> None:
    if not SHARED.exists():
        pytest.skip("the shared reference data is not here")
    done = run(tmp_path, "run", "--profile", "hft", "--replay", str(SHARED / name),
               "--duration", "8", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["fills"] > 0
    assert result["open_orders_at_exit"] == 0


def test_exchange_port_in_use(tmp_path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run(tmp_path, "exchange", "--port", str(port))
    assert done.returncode in (2, 3)
    assert str(port) in done.stderr
    assert done.stderr.count("\n") == 1


def test_run_unwritable_state_directory(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    done = run(tmp_path, "run", "--state", "file/below", "--duration", "2")
    assert done.returncode == 3
    assert "state directory" in done.stderr
    assert done.stderr.count("\n") == 1


def test_run_unknown_symbol(tmp_path) -> None:
    done = run(tmp_path, "run", "--symbols", "XBT/USD", "--duration", "2")
    assert done.returncode != 0
    assert "XBT/USD" in done.stderr
    assert "Traceback" not in done.stderr


def test_run_dead_exchange_ends_the_run(tmp_path) -> None:
    """The exchange is killed under the bot: it says so, exits non-zero, and does not hang."""
    import os
    state = tmp_path / "hftbot-state"
    bot = start(tmp_path, "run", "--profile", "hft")
    wait_condition(lambda: status(state)["duration_s"] > 1)
    os.kill(endpoint(state)["pid"], signal.SIGKILL)
    out, err = bot.communicate(timeout=60)
    assert bot.returncode in (4, 5), (bot.returncode, err)
    assert "exchange" in out + err
    assert "Traceback" not in err
