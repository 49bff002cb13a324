"""Kill and resume as a human does it: processes, files, exit codes."""

from __future__ import annotations

import json
import pathlib
import signal
import subprocess

import pytest

from journeys.bot import (
    RESTER,
    endpoint,
    finish,
    run,
    sim,
    start,
    status,
    wait_condition,
)

pytestmark = pytest.mark.usefixtures("nothing_stays")


def rest(folder: pathlib.Path, *arguments: str) -> subprocess.Popen[str]:
    """A bot that has an order resting at the exchange."""
    (folder / "rester.py").write_text(RESTER)
    bot = start(folder, "run", "--strategy", "rester.py:Rester", *arguments)
    wait_condition(lambda: status(folder / "hftbot-state")["pid"] == bot.pid
                   and status(folder / "hftbot-state")["open_orders"])
    return bot


def refused(folder: pathlib.Path, words: str) -> None:
    done = run(folder, "run", "--profile", "hft", "--duration", "2")
    assert done.returncode == 5, (done.returncode, done.stderr)
    assert done.stderr.count("\n") == 1
    assert words in done.stderr
    assert "hftbot resume --yes" in done.stderr
    assert done.stdout == ""


def trades(folder: pathlib.Path, *arguments: str) -> None:
    done = run(folder, "run", "--strategy", "rester.py:Rester", "--duration", "1", "--json",
               *arguments)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["orders_sent"] > 0


@pytest.mark.fault("K3")
@pytest.mark.law(7)
def test_kill_by_command_then_resume(tmp_path) -> None:
    """An exchange that outlives the bot is the witness that nothing is open."""
    venue = start(tmp_path, "exchange", "--state", "venue", "--json")
    url = json.loads(venue.stdout.readline())["rest_url"]
    bot = rest(tmp_path, "--exchange", url)
    assert sim(url)["open_orders"] > 0
    killed = run(tmp_path, "kill", "--reason", "fat finger")
    assert sim(url)["open_orders"] == 0
    assert killed.returncode == 0, (killed.stdout, killed.stderr)
    assert "no order is open" in killed.stdout
    out, err = bot.communicate(timeout=60)
    assert bot.returncode == 5, err
    assert "killed: fat finger" in out
    assert "hftbot resume --yes" in out
    state = tmp_path / "hftbot-state"
    assert not (state / "KILL").exists()
    assert (state / "halt.room").stat().st_size > 1_000
    kept = (state / "halt.json").read_text()
    assert endpoint(tmp_path / "venue")["api_key"] not in kept
    again = run(tmp_path, "run", "--profile", "hft", "--duration", "2", "--exchange", url)
    assert again.returncode == 5, again.stderr
    assert "killed: fat finger" in again.stderr
    # The embedded account of this directory is another one: its trading is not blocked.
    trades(tmp_path)
    shown = run(tmp_path, "resume", "--yes")
    assert shown.returncode == 0, shown.stderr
    assert "killed: fat finger" in shown.stdout
    trades(tmp_path, "--exchange", url)
    finish(venue)


@pytest.mark.fault("K3")
@pytest.mark.law(7)
def test_kill_by_file_then_a_fresh_simulator(tmp_path) -> None:
    bot = rest(tmp_path)
    state = tmp_path / "hftbot-state"
    (state / "KILL").touch()
    out, err = bot.communicate(timeout=60)
    assert bot.returncode == 5, err
    assert "killed: by the file KILL" in out
    assert status(state)["verified_none_open"] is True
    assert status(state)["open_orders"] == 0
    assert not (state / "KILL").exists()
    refused(tmp_path, "killed: by the file KILL")
    trades(tmp_path, "--fresh")
    trades(tmp_path)
    assert list((state / "archive").glob("halt-*.json"))


def test_kill_with_no_bot_running(tmp_path) -> None:
    killed = run(tmp_path, "kill", "--reason", "not today")
    assert killed.returncode == 0, killed.stderr
    assert "no bot runs" in killed.stdout
    refused(tmp_path, "killed: not today")
    assert run(tmp_path, "resume", "--yes").returncode == 0
    (tmp_path / "hftbot-state" / "KILL").touch()
    refused(tmp_path, "killed: by the file KILL")
    (tmp_path / "hftbot-state" / "halt.json").write_text("{")
    damaged = run(tmp_path, "run", "--profile", "hft", "--duration", "2", "--fresh")
    assert damaged.returncode == 3
    assert "damaged" in damaged.stderr
    assert "Traceback" not in damaged.stderr


@pytest.mark.fault("K3")
@pytest.mark.law(7)
def test_kill_by_signal_is_the_same_kill(tmp_path) -> None:
    """SIGQUIT (Ctrl-\\): halted, cancelled, kept; the next start is refused until resume."""
    venue = start(tmp_path, "exchange", "--state", "venue", "--json")
    url = json.loads(venue.stdout.readline())["rest_url"]
    bot = rest(tmp_path, "--exchange", url)
    assert status(tmp_path / "hftbot-state")["breaker"] == "CLOSED (0 of 5 failures)"
    out, err = finish(bot, signal.SIGQUIT)
    assert bot.returncode == 5, err
    assert sim(url)["open_orders"] == 0
    assert "killed: by signal SIGQUIT" in out
    again = run(tmp_path, "run", "--profile", "hft", "--duration", "2", "--exchange", url)
    assert again.returncode == 5, again.stderr
    assert "killed: by signal SIGQUIT" in again.stderr
