"""A terminal that a full-screen view borrows and gives back whole, whoever dies."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import termios
from typing import Any

# Alternate screen, no cursor, no wrapping; and everything back, an update cut short included.
ENTER = b"\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J"
LEAVE = b"\x1b[?2026l\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l"
BEGIN, END = b"\x1b[?2026h", b"\x1b[?2026l"
SIZE_FALLBACK = (80, 24)
# The bits of how a file was opened; PyPy has no os.O_ACCMODE.
_ACCESS = os.O_RDONLY | os.O_WRONLY | os.O_RDWR
_LOCAL = 3
_CHARACTERS = 6


class Terminal:
    """The terminal behind an open file.

    ``enter`` takes the screen and stops keys from being echoed; Ctrl-C goes on to be a signal.
    With ``keep_stop`` False Ctrl-Z does nothing: a bot must not be stopped by a slip. ``leave``
    undoes it; it may be called at any time, and again.
    """

    def __init__(self, file: int, keep_stop: bool = True) -> None:
        self.file = file
        self.shown = False
        self._keep_stop = keep_stop
        self._input = _readable(file)
        self._before: list[Any] | None = None
        self._ours: list[Any] | None = None

    def enter(self) -> None:
        """Take the screen. Raises OSError if the terminal is gone."""
        with contextlib.suppress(termios.error):
            self._before = termios.tcgetattr(self.file)
            mode = termios.tcgetattr(self.file)
            mode[_LOCAL] &= ~(termios.ECHO | termios.ICANON)
            mode[_CHARACTERS][termios.VMIN] = 0
            mode[_CHARACTERS][termios.VTIME] = 0
            if not self._keep_stop:
                mode[_CHARACTERS][termios.VSUSP] = b"\0"
            termios.tcsetattr(self.file, termios.TCSANOW, mode)
            self._ours = termios.tcgetattr(self.file)
        self.shown = True
        self.write(ENTER)

    def leave(self) -> None:
        """Give the screen back. What somebody else has set meanwhile, such as a shell, stays."""
        if not self.shown:
            return
        self.shown = False
        with contextlib.suppress(OSError):
            self.write(LEAVE)
        if self._before is not None:
            with contextlib.suppress(termios.error):
                if termios.tcgetattr(self.file) == self._ours:
                    termios.tcsetattr(self.file, termios.TCSANOW, self._before)

    def write(self, data: bytes) -> None:
        """Write all of it. Raises OSError if the terminal is gone."""
        while data:
            try:
                data = data[os.write(self.file, data):]
            except BlockingIOError:
                select.select((), (self.file,), ())

    def size(self) -> tuple[int, int]:
        """Columns and rows, as of now."""
        try:
            columns, rows = os.get_terminal_size(self.file)
        except OSError:
            return SIZE_FALLBACK
        return (columns, rows) if columns > 0 and rows > 0 else SIZE_FALLBACK

    def typed(self) -> bytes:
        """What was typed since the last call."""
        try:
            return os.read(self._input, 64) if self._input >= 0 and self._ours else b""
        except OSError:
            return b""


def _readable(file: int) -> int:
    """The same terminal for reading, if it was opened for writing only; -1 if it cannot be."""
    with contextlib.suppress(OSError):
        if fcntl.fcntl(file, fcntl.F_GETFL) & _ACCESS == os.O_RDWR:
            return file
        return os.open(os.ttyname(file), os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC)
    return -1


def in_foreground(pid: int) -> bool:
    """True if the process group of ``pid`` owns its terminal; also if that cannot be told."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read(4096).rpartition(")")[2].split()
        group, owner = int(fields[2]), int(fields[5])
    except (OSError, ValueError, IndexError):
        return True
    return group == owner
