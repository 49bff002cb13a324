"""The bot's side of its screen: starts it on a terminal, holds lines back, cleans up after it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import termios
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hftbot.app.secret_sources import without_secrets
from hftbot.app.top import can_draw
from hftbot.watch.terminal import LEAVE

LOG_FILE = "screen.log"
LEAVE_S = 2.0
LINES_HELD = 200


class Screening:
    """What a run prints, with or without a live view.

    While the view is up, ``say`` holds lines back until it is gone and ``chat`` drops them: the
    log has them, and the view shows them in its own way. Without a view both print.
    """

    def __init__(self, folder: Path, say: Callable[[str], None], wanted: bool) -> None:
        self._folder = folder
        self._say = say
        self._wanted = wanted and can_draw() and _owns_terminal()
        self._held: deque[str] = deque(maxlen=LINES_HELD)
        self._child: asyncio.subprocess.Process | None = None
        self._watching: asyncio.Task[None] | None = None
        self._before: list[Any] | None = None
        self._closing = False

    def say(self, text: str) -> None:
        """A line that the user must get to see."""
        if self._child is None:
            self._say(text)
        else:
            self._held.append(text)

    def chat(self, text: str) -> None:
        """A line that tells how it goes."""
        if self._child is None:
            self._say(text)

    async def start(self) -> None:
        """Put the view up, if this is a terminal and it is wanted."""
        if not self._wanted or self._child is not None:
            return
        with contextlib.suppress(termios.error):
            self._before = termios.tcgetattr(sys.stdout.fileno())
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
        try:
            with open(os.open(self._folder / LOG_FILE, flags, 0o600), "ab") as errors:
                self._child = await asyncio.create_subprocess_exec(
                    sys.executable, "-m", "hftbot", "top", "--with-bot", "--state",
                    str(self._folder),
                    stdin=asyncio.subprocess.PIPE, stdout=sys.stdout.fileno(), stderr=errors,
                    env=without_secrets(os.environ), start_new_session=True)
        except OSError as error:
            self._say(f"no live view: {error.strerror or error}; plain lines follow")
            return
        self._watching = asyncio.ensure_future(self._watch(self._child))

    async def _watch(self, child: asyncio.subprocess.Process) -> None:
        code = await child.wait()
        self._restore(code)
        if not self._closing:
            how = "left" if code == 0 else f"ended ({_ending(code)}, see {self._folder / LOG_FILE})"
            self._say(f"live view {how}; plain lines follow, `hftbot top` shows it again")

    def _restore(self, code: int) -> None:
        """The terminal as it was, and what was held back. A view that was killed left it torn."""
        self._child = None
        if code < 0:
            with contextlib.suppress(OSError):
                os.write(sys.stdout.fileno(), LEAVE)
            if self._before is not None and _owns_terminal():
                with contextlib.suppress(termios.error):
                    termios.tcsetattr(sys.stdout.fileno(), termios.TCSANOW, self._before)
        while self._held:
            self._say(self._held.popleft())

    async def close(self) -> None:
        """Take the view down; what follows is printed. Calling it again does nothing."""
        child, watching = self._child, self._watching
        if child is None or watching is None:
            return
        self._closing = True
        assert child.stdin is not None
        with contextlib.suppress(OSError, RuntimeError):
            child.stdin.write(b"bye\n")
            child.stdin.close()
        try:
            await asyncio.wait_for(asyncio.shield(watching), LEAVE_S)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await watching


def _ending(code: int) -> str:
    return f"killed by signal {-code}" if code < 0 else f"exit code {code}"


def _owns_terminal() -> bool:
    """True if this process is in the foreground of the terminal that it prints to."""
    try:
        return os.tcgetpgrp(sys.stdout.fileno()) == os.getpgrp()
    except (OSError, ValueError):
        return False
