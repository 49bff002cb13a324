"""A process on a terminal of its own, as a user has it: typed at, resized, killed."""

from __future__ import annotations

import fcntl
import os
import pathlib
import select
import struct
import subprocess
import termios
import time

from journeys.bot import DEADLINE_S, command, environment

LINE_MODE = 3  # the index of the local modes in termios


class Tty:
    """Runs one command of ours in front of a terminal of ``columns`` by ``rows``.

    ``seen`` is everything it wrote. ``split``: standard output is open for writing only; a shell
    gives one file for reading and writing. Use as a context manager.
    """

    def __init__(self, folder: pathlib.Path, *arguments: str, columns: int = 80,
                 rows: int = 24, split: bool = False) -> None:
        self.master, self.slave = os.openpty()
        self.resize(columns, rows)
        self.before = termios.tcgetattr(self.slave)
        self.seen = b""

        # A session without a terminal gets the first one that it opens.
        self.process = subprocess.Popen(
            ["sh", "-c", 'exec "$@" <"$0" >"$0" 2>&1' if split else 'exec "$@" <>"$0" >&0 2>&0',
             os.ttyname(self.slave), *command(*arguments)], cwd=folder, start_new_session=True,
            stdin=subprocess.DEVNULL, env={**environment(), "TERM": "xterm-256color"})

    def __enter__(self) -> Tty:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.master)
        os.close(self.slave)

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, keys: bytes) -> None:
        os.write(self.master, keys)

    def read(self, wait_s: float = 0.05) -> None:
        """Take what it wrote by now."""
        while select.select((self.master,), (), (), wait_s)[0]:
            try:
                self.seen += os.read(self.master, 1 << 16)
            except OSError:
                return

    def until(self, wanted: bytes, start: int = 0) -> int:
        """Wait until it wrote ``wanted`` after the byte ``start``; where that ends."""
        end_s = time.monotonic() + DEADLINE_S
        while (at := self.seen.find(wanted, start)) < 0:
            assert time.monotonic() < end_s, f"no {wanted!r} in its last: {self.seen[-900:]!r}"
            self.read()
        return at + len(wanted)

    def wait(self) -> int:
        """Wait until it ends; its exit code."""
        end_s = time.monotonic() + DEADLINE_S
        while self.process.poll() is None:
            assert time.monotonic() < end_s, f"does not end; its last words: {self.seen[-900:]!r}"
            self.read()
        self.read()
        return self.process.returncode

    @property
    def echoes(self) -> bool:
        """True if the terminal shows what is typed, line by line: as a shell expects it."""
        wanted = termios.ECHO | termios.ICANON
        return termios.tcgetattr(self.slave)[LINE_MODE] & wanted == wanted

    @property
    def restored(self) -> bool:
        """True if the modes are what they were."""
        return termios.tcgetattr(self.slave) == self.before
