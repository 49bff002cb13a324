"""watch.terminal: a terminal is given back as it was, unless somebody else has it by now."""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
import sys
import termios

import pytest

from hftbot.watch.terminal import ENTER, LEAVE, SIZE_FALLBACK, Terminal, in_foreground

LOCAL, CHARACTERS = 3, 6


@pytest.fixture
def pair():
    master, slave = os.openpty()
    yield master, slave
    os.close(master)
    os.close(slave)


def test_terminal_is_taken_and_given_back(pair):
    master, slave = pair
    before = termios.tcgetattr(slave)
    terminal = Terminal(slave, keep_stop=False)
    terminal.enter()
    mode = termios.tcgetattr(slave)
    assert not mode[LOCAL] & (termios.ECHO | termios.ICANON)
    assert mode[LOCAL] & termios.ISIG
    assert mode[CHARACTERS][termios.VSUSP] == b"\0"
    assert mode[CHARACTERS][termios.VINTR] == before[CHARACTERS][termios.VINTR]
    assert terminal.typed() == b""
    os.write(master, b"xq")
    assert terminal.typed() == b"xq"
    terminal.leave()
    terminal.leave()
    assert termios.tcgetattr(slave) == before
    written = b""
    while len(written) < len(ENTER + LEAVE):
        written += os.read(master, 4096)
    assert written == ENTER + LEAVE


def test_terminal_of_a_view_of_its_own_keeps_ctrl_z(pair):
    terminal = Terminal(pair[1])
    terminal.enter()
    assert termios.tcgetattr(pair[1])[CHARACTERS][termios.VSUSP] == b"\x1a"


def test_terminal_modes_that_a_shell_has_set_meanwhile_stay(pair):
    slave = pair[1]
    terminal = Terminal(slave)
    terminal.enter()
    shell = termios.tcgetattr(slave)
    shell[LOCAL] |= termios.ECHO
    termios.tcsetattr(slave, termios.TCSANOW, shell)
    terminal.leave()
    assert termios.tcgetattr(slave) == shell


def test_terminal_opened_for_writing_only_is_read_all_the_same(pair):
    master, slave = pair
    file = os.open(os.ttyname(slave), os.O_WRONLY | os.O_NOCTTY)
    try:
        terminal = Terminal(file)
        terminal.enter()
        os.write(master, b"q")
        assert terminal.typed() == b"q"
    finally:
        os.close(file)


def test_terminal_size_follows_the_window(pair):
    master, slave = pair
    terminal = Terminal(slave)
    for columns, rows in ((80, 24), (160, 50)):
        fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        assert terminal.size() == (columns, rows)
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 0, 0, 0, 0))
    assert terminal.size() == SIZE_FALLBACK


def test_terminal_what_is_none_is_written_to_and_nothing_more(tmp_path):
    with open(tmp_path / "file", "wb") as file:
        terminal = Terminal(file.fileno())
        assert terminal.size() == SIZE_FALLBACK
        terminal.enter()
        assert terminal.typed() == b""
        terminal.leave()
    assert (tmp_path / "file").read_bytes() == ENTER + LEAVE


def test_terminal_process_without_one_is_not_in_front():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE,
                          start_new_session=True) as process:
        try:
            if os.path.exists(f"/proc/{process.pid}/stat"):
                assert not in_foreground(process.pid)
            else:
                assert in_foreground(process.pid)
        finally:
            process.kill()
            process.communicate()
    assert in_foreground(2**22 + 1)
