"""Runs the program as a user does: real processes, real sockets on 127.0.0.1."""

from __future__ import annotations

import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from typing import Any

from hftbot.errors import HftbotError

DEADLINE_S = 60.0
# One bid far below the market, placed again whenever it is gone.
RESTER = """
from hftbot import Side, Strategy

class Rester(Strategy):
    name = "rester"

    def on_book(self, book):
        if not self.desk.open_orders():
            self.desk.place(0, Side.BUY, book.best_bid() - 500, 100_000, 0)
"""


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "hftbot", *arguments]


def environment() -> dict[str, str]:
    """Ours, without settings that a developer may have."""
    kept = {name: value for name, value in os.environ.items()
            if not name.startswith(("HFTBOT", "KRAKEN"))}
    if "PYTHONPATH" in kept:
        kept["PYTHONPATH"] = os.pathsep.join(
            os.path.abspath(part) for part in kept["PYTHONPATH"].split(os.pathsep))
    return kept


def run(folder: pathlib.Path, *arguments: str,
        timeout_s: float = DEADLINE_S) -> subprocess.CompletedProcess[str]:
    """Run to the end in ``folder``."""
    return subprocess.run(command(*arguments), cwd=folder, env=environment(), text=True,
                          capture_output=True, timeout=timeout_s)


def start(folder: pathlib.Path, *arguments: str) -> subprocess.Popen[str]:
    """Start and leave it running."""
    process = subprocess.Popen(command(*arguments), cwd=folder, env=environment(), text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    started.append(process)
    return process


started: list[subprocess.Popen[str]] = []


def clean_up() -> None:
    """Whatever a failed test left running."""
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()
    started.clear()


def wait_condition(condition: Callable[[], Any], deadline_s: float = DEADLINE_S) -> Any:
    """Poll until true; the value, or a failure that says so."""
    end = time.monotonic() + deadline_s
    while True:
        try:
            value = condition()
        except (OSError, ValueError, KeyError, HftbotError):
            value = None
        if value:
            return value
        assert time.monotonic() < end, "the condition did not come true in time"
        time.sleep(0.02)


def status(state: pathlib.Path) -> dict[str, Any]:
    return json.loads((state / "status.json").read_text())


def sim(rest_url: str) -> dict[str, Any]:
    """What the embedded exchange says of itself."""
    with urllib.request.urlopen(f"{rest_url}/sim/status", timeout=5) as answer:
        return json.load(answer)


def endpoint(state: pathlib.Path) -> dict[str, Any]:
    return json.loads((state / "exchange" / "endpoint.json").read_text())


def finish(process: subprocess.Popen[str], number: int = signal.SIGINT) -> tuple[str, str]:
    """Send a signal and collect what it printed."""
    process.send_signal(number)
    return process.communicate(timeout=DEADLINE_S)


def stop_exchange(state: pathlib.Path) -> None:
    """End an exchange that lingers in a state directory."""
    try:
        pid = endpoint(state)["pid"]
    except (OSError, ValueError):
        return
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        return
    wait_condition(lambda: not (state / "exchange" / "endpoint.json").exists())
