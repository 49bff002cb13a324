"""``hftbot top``: the live view of a bot, in a process of its own."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

from hftbot.errors import HftbotError, NoBot
from hftbot.live.control import CONTROL_FILE, ask
from hftbot.watch import status
from hftbot.watch.alarms import PROVED

ANSWER_S = 1.0
PLAIN = ("", "dumb", "unknown")


def run(folder: Path, with_bot: bool) -> int:
    """Draw until left; one frame as text if there is no terminal to draw on.

    ``with_bot``: the bot started us; standard input is its pipe. Raises NoBot or HftbotError.
    """
    # Only here: the bot asks this module whether it may draw, and must not load what draws.
    from hftbot.watch import screen
    from hftbot.watch.terminal import Terminal
    path = folder / CONTROL_FILE

    attached = False

    def view() -> dict[str, Any]:
        nonlocal attached
        try:
            content = ask(path, {"do": "view"}, ANSWER_S)
        except NoBot:
            if attached:
                raise NoBot(_last_words(folder)) from None
            raise
        attached = True
        return content

    if not can_draw():
        columns, rows = shutil.get_terminal_size((80, 24))
        screen.once(view(), columns, rows, colour=False)
        return 0
    terminal = Terminal(sys.stdout.fileno(), keep_stop=not with_bot)
    if not with_bot:
        screen.Screen(view, terminal).run()
        return 0
    bot_pid = os.getppid()
    how = screen.Screen(view, terminal, sys.stdin.fileno(), bot_pid).run()
    if how == screen.BOT_GONE:
        print(f"\nhftbot: the bot (pid {bot_pid}) is gone without a word. Its guardian cancels "
              f"what is open; `hftbot run --state {folder}` takes over what is held.", flush=True)
    return 0


def _last_words(folder: Path) -> str:
    """How the bot that we watched came to its end, as far as it said."""
    try:
        content = status.read(folder / status.STATUS_FILE)
    except HftbotError as error:
        return f"it is gone ({error})"
    if content.get("state") != "stopped":
        return (f"pid {content.get('pid')} is gone without a word; its guardian cancels what is "
                "open")
    proved = (PROVED if content.get("verified_none_open") else
              "orders may be open, the venue did not confirm that none is")
    return f"it stopped; {proved}"


def can_draw() -> bool:
    """True if standard output is a terminal with a cursor."""
    return sys.stdout.isatty() and os.environ.get("TERM", "") not in PLAIN
