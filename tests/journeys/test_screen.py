"""The live view on a real terminal: nothing garbles it, and whoever dies, the terminal is whole."""

from __future__ import annotations

import os
import pathlib
import re
import signal

import pytest

from hftbot.live.control import ask
from hftbot.watch.terminal import ENTER, LEAVE
from journeys.bot import run, wait_condition
from journeys.terminals import Tty

pytestmark = pytest.mark.usefixtures("nothing_stays")
pytest.importorskip("rich")
# What the view writes between taking the screen and giving it back: whole updates, nothing else.
UPDATES = re.compile(rb"(\x1b\[\?2026h(?:(?!\x1b\[\?2026h).)*?\x1b\[\?2026l)*", re.S)


def screen_pid(bot_pid: int) -> int:
    """The child of the bot that draws."""
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if parent == bot_pid and b"top" in words:
                return int(entry.name)
    return 0


def view_alone(seen: bytes) -> bytes:
    """What was written while the view had the screen."""
    return seen.split(ENTER, 1)[1].split(LEAVE, 1)[0]


def test_screen_of_a_run_from_start_to_ctrl_c(tmp_path) -> None:
    """View, another size, Ctrl-C, summary on a whole terminal; nothing else on the screen."""
    state = tmp_path / "hftbot-state"
    with Tty(tmp_path, "run", "--profile", "hft", "--set", "PROGRESS_INTERVAL_S=0.2") as tty:
        at = tty.until(ENTER)
        assert b"SIMULATED" in tty.seen[:at]
        tty.until(b"TRADING", at)
        wait_condition(lambda: ask(state / "control.sock", {"do": "view"})["duration_s"] > 1)
        tty.read()
        at = len(tty.seen)
        tty.resize(160, 50)
        tty.until(b"\x1b[50;1H", at)
        assert not tty.echoes
        tty.type(b"hello\x03")
        assert tty.wait() == 0
        assert tty.restored
        seen = tty.seen
    assert seen.count(ENTER) == seen.count(LEAVE) == 1
    assert UPDATES.fullmatch(view_alone(seen)), "something else wrote on the screen"
    after = seen.split(LEAVE)[1]
    assert b"SUMMARY (simulated)" in after
    assert b"Ctrl-C" in after
    assert b"\x1b" not in after


def test_screen_that_is_left_or_killed_gives_way_to_plain_lines(tmp_path) -> None:
    state = tmp_path / "hftbot-state"
    with Tty(tmp_path, "run", "--profile", "hft", "--set", "PROGRESS_INTERVAL_S=0.2") as tty:
        at = tty.until(b"TRADING", tty.until(ENTER))
        os.kill(wait_condition(lambda: screen_pid(tty.process.pid)), signal.SIGKILL)
        at = tty.until(b"live view ended (killed by signal 9", at)
        assert LEAVE in tty.seen
        assert tty.restored
        tty.until(b"orders ", at)
        told = ask(state / "control.sock", {"do": "view"})
        assert told["state"] == "trading"
        frame = run(tmp_path, "top")
        assert frame.returncode == 0, frame.stderr
        assert "TRADING" in frame.stdout.splitlines()[0]
        assert "\x1b" not in frame.stdout
        tty.process.send_signal(signal.SIGTERM)
        assert tty.wait() == 0
        assert b"SUMMARY" in tty.seen
    assert not (state / "control.sock").exists()


def test_screen_after_its_bot_was_killed_gives_the_terminal_back(tmp_path) -> None:
    """The bot's own view ends with it; one that was attached says so, and waits to be left."""
    nothing = run(tmp_path, "top")
    assert nothing.returncode == 1
    assert "no bot runs in" in nothing.stderr
    with Tty(tmp_path, "run", "--profile", "hft") as bot:
        at = bot.until(b"TRADING", bot.until(ENTER))
        with Tty(tmp_path, "top", columns=160, rows=50) as top:
            seen = top.until(b"TRADING", top.until(ENTER))
            bot.process.kill()
            bot.until(b"is gone without a word", bot.until(LEAVE, at))
            assert bot.restored
            assert b"\x1b" not in bot.seen[bot.seen.rindex(LEAVE) + len(LEAVE):]
            top.until(b"is gone without a word", top.until(b"NO BOT", seen))
            top.type(b"q")
            assert top.wait() == 0
            assert top.restored
            assert top.seen.endswith(LEAVE)


@pytest.mark.long
def test_screen_key_leaves_the_view_and_the_bot_trades_on(tmp_path) -> None:
    with Tty(tmp_path, "run", "--profile", "hft", "--set", "PROGRESS_INTERVAL_S=0.2",
             split=True) as tty:
        at = tty.until(b"TRADING", tty.until(ENTER))
        tty.type(b"q")
        at = tty.until(b"live view left; plain lines follow", tty.until(LEAVE, at))
        tty.until(b"orders ", at)
        assert tty.restored
        tty.type(b"\x03")
        assert tty.wait() == 0
        assert tty.seen.count(ENTER) == 1


@pytest.mark.long
@pytest.mark.parametrize("arguments", [("--plain",), ("--json",)])
def test_screen_not_wanted(tmp_path, arguments) -> None:
    with Tty(tmp_path, "run", "--profile", "hft", "--duration", "2", *arguments) as tty:
        assert tty.wait() == 0
        assert ENTER not in tty.seen
        assert tty.restored
