"""`hftbot top`: asks a running bot for its view a few times a second and draws it."""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.text import Text

from hftbot.errors import HftbotError, NoBot
from hftbot.watch.panes import Scene, frame
from hftbot.watch.terminal import BEGIN, END, Terminal, in_foreground

FRAME_S = 0.25
LOOK_S = 0.05
WHOLE_S = 5.0
TRACE_S = 1.0
TRACE_KEPT = 1800
RATE_S = 60.0
PAUSE_S = 0.5
LEAVE_KEYS = (b"q", b"Q", b"\x03", b"\x04")
LEFT, BOT_GONE, ENDED = "left", "gone", "ended"

Ask = Callable[[], dict[str, Any]]


class Trace:
    """What the view remembers by itself: net profit, and how fast fills come."""

    def __init__(self) -> None:
        self.net: deque[float] = deque(maxlen=TRACE_KEPT)
        self._fills: deque[tuple[float, int]] = deque()
        self._next_s = 0.0
        self._pid = 0

    def add(self, content: dict[str, Any], now_s: float) -> None:
        """One answer of the bot; another bot begins anew."""
        if content.get("pid") != self._pid:
            self._pid = content.get("pid", 0)
            self.net.clear()
            self._fills.clear()
        if now_s >= self._next_s:
            self._next_s = now_s + TRACE_S
            self.net.append(float(content.get("net_usd", 0)))
        self._fills.append((now_s, int(content.get("fills", 0))))
        while self._fills[0][0] < now_s - RATE_S:
            self._fills.popleft()

    @property
    def fills_a_minute(self) -> float | None:
        """Over the last minute at most; None before there is enough to count."""
        if len(self._fills) < 2 or self._fills[-1][0] - self._fills[0][0] < 5.0:
            return None
        (first_s, first), (last_s, last) = self._fills[0], self._fills[-1]
        return (last - first) * 60.0 / (last_s - first_s)


class Screen:
    """Draws one bot on one terminal until it is told to leave.

    ``ask`` returns the bot's view or raises HftbotError. ``pipe`` is the bot's own end of the
    bargain, if this process is its child: a file that reads empty when the bot is gone. The
    terminal is whole again when ``run`` returns or raises.
    """

    def __init__(self, ask: Ask, terminal: Terminal, pipe: int | None = None,
                 bot_pid: int = 0) -> None:
        self._ask = ask
        self._terminal = terminal
        self._pipe = pipe
        self._bot_pid = bot_pid
        self._trace = Trace()
        self._content: dict[str, Any] = {}
        self._trouble = ""
        self._heard_s = time.monotonic()
        self._drawn: list[tuple[Any, ...]] = []
        self._size = (0, 0)
        self._whole_s = 0.0
        self._asked_to_end = False
        self._told = b""
        self._console = Console(file=sys.stdout, force_terminal=True, highlight=False,
                                markup=False, emoji=False, soft_wrap=True, width=10_000)
        encoding = (sys.stdout.encoding or "").lower()
        self._utf = encoding.startswith("utf")

    def run(self) -> str:
        """Draw until left. Returns how it ended: LEFT, BOT_GONE or ENDED.

        Raises NoBot or HftbotError if the first question is not answered and no bot started us.
        """
        if self._pipe is None:
            self._content = self._ask()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_end)
        signal.signal(signal.SIGTSTP, self._on_stop)
        signal.signal(signal.SIGCONT, self._on_continue)
        try:
            return self._draw_until_left()
        except OSError:
            # The terminal is gone: there is nothing left to draw on.
            return LEFT
        finally:
            self._terminal.leave()

    def _draw_until_left(self) -> str:
        while True:
            if self._pipe is not None and not in_foreground(self._bot_pid):
                self._terminal.leave()
                how = self._wait(PAUSE_S)
            else:
                if not self._terminal.shown:
                    self._terminal.enter()
                    self._drawn = []
                self._look()
                self._draw()
                how = self._wait(FRAME_S)
            if how:
                return how

    def _look(self) -> None:
        now_s = time.monotonic()
        try:
            self._content = self._ask()
        except NoBot as error:
            self._trouble = (f"NO BOT: {error}" if self._content else
                             "STARTING: the bot does not listen yet")
        except HftbotError as error:
            self._trouble = f"NO ANSWER: {error}"
        else:
            self._trouble = ""
            self._heard_s = now_s
            self._trace.add(self._content, now_s)

    def _draw(self) -> None:
        size = self._terminal.size()
        now_s = time.monotonic()
        if size != self._size or now_s >= self._whole_s:
            # Somebody else may have written here: now and then every line is drawn anew.
            self._drawn = []
            self._whole_s = now_s + WHOLE_S
        columns, rows = size
        scene = Scene(self._content, self._trouble, now_s - self._heard_s, tuple(self._trace.net),
                      self._trace.fills_a_minute, self._utf, not self._console.no_color,
                      "q: plain lines" if self._pipe is not None else "q: leave")
        parts = [b"\x1b[0m\x1b[2J" if size != self._size else b""]
        drawn = []
        for number, line in enumerate(frame(scene, columns, rows)):
            # Colours cost ten times as much as the text: only what differs gets them.
            drawn.append((line.plain, str(line.style), tuple(line.spans)))
            if number >= len(self._drawn) or self._drawn[number] != drawn[number]:
                parts.append(f"\x1b[{number + 1};1H{self._encoded(line, columns)}".encode(
                    sys.stdout.encoding or "utf-8", "replace"))
        self._drawn, self._size = drawn, size
        if any(parts):
            self._terminal.write(BEGIN + b"".join(parts) + END)

    def _encoded(self, line: Text, columns: int) -> str:
        """A line with its colours, as wide as the screen, so that nothing old stays beside it."""
        line.truncate(columns)
        line.pad_right(columns - line.cell_len)
        with self._console.capture() as capture:
            self._console.print(line, end="")
        return capture.get()

    def _wait(self, seconds: float) -> str:
        """Until the next frame is due, or why there is none."""
        end_s = time.monotonic() + seconds
        while (left_s := end_s - time.monotonic()) > 0:
            if self._asked_to_end:
                return ENDED
            if self._pipe is None:
                time.sleep(min(LOOK_S, left_s))
            elif select.select((self._pipe,), (), (), min(LOOK_S, left_s))[0]:
                # The bot says goodbye before it closes the pipe; a dead one only closes it.
                data = os.read(self._pipe, 64)
                self._told += data
                if not data:
                    return ENDED if self._told else BOT_GONE
            if self._terminal.shown:
                typed = self._terminal.typed()
                if any(key in typed for key in LEAVE_KEYS):
                    return LEFT
                if self._terminal.size() != self._size:
                    break
        return ENDED if self._asked_to_end else ""

    # --- signals -------------------------------------------------------------------------------

    def _on_end(self, number: int, stack: object) -> None:
        self._asked_to_end = True

    def _on_stop(self, number: int, stack: object) -> None:
        """Ctrl-Z on a view of its own: give the screen back, then stop as anybody would."""
        self._terminal.leave()
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)

    def _on_continue(self, number: int, stack: object) -> None:
        signal.signal(signal.SIGTSTP, self._on_stop)
        self._drawn = []


def once(content: dict[str, Any], columns: int, rows: int, colour: bool) -> None:
    """Print one frame as plain lines: for a pipe, a file, or a terminal without a cursor."""
    console = Console(file=sys.stdout, highlight=False, markup=False, emoji=False, soft_wrap=True,
                      width=10_000, force_terminal=colour, no_color=not colour)
    utf = (sys.stdout.encoding or "").lower().startswith("utf")
    for line in frame(Scene(content, utf=utf, colour=colour, leaving=""), columns, rows):
        line.rstrip()
        console.print(line)
