"""A bot whose every byte to the exchange goes through the harming proxy; then the truth."""

from __future__ import annotations

import json
import pathlib
import resource
import signal
import subprocess
import time
from typing import Any
from urllib.parse import urlsplit

from crash.scene import Scene
from faults.proxy import Proxy
from journeys import bot as program

LINKS = ("public", "private")


class Behind(Scene):
    """A scene whose bots see the exchange only through ``proxy``."""

    def __init__(self, folder: pathlib.Path) -> None:
        super().__init__(folder)
        self.proxy = Proxy(int(urlsplit(self.endpoint["rest_url"]).port or 0))
        self.endpoint["rest_url"] = self.proxy.url

    def run(self, *more: str) -> subprocess.Popen[str]:
        """A bot that runs until it is told to stop, and then prints its result."""
        # With its keys given, a bot takes all addresses from --exchange, not from the file.
        environment = {**program.environment(), "KRAKEN_API_KEY": self.endpoint["api_key"],
                       "KRAKEN_API_SECRET": self.endpoint["api_secret"]}
        with open(self.folder / "stderr.txt", "a", encoding="utf-8") as errors:
            process = subprocess.Popen(self.arguments("--json", *more), cwd=self.folder,
                                       env=environment, text=True, stdout=subprocess.PIPE,
                                       stderr=errors)
        self.bots.append(process)
        return process

    def trading(self, *more: str) -> subprocess.Popen[str]:
        """A bot that has traded already."""
        count = self.trades()
        bot = self.run(*more)
        self.more_trades(bot, 5, count)
        return bot

    def trades(self) -> int:
        """How many trades the exchange counts."""
        return sum("trade" in line for line in self.lines())

    def more_trades(self, bot: subprocess.Popen[str], count: int, before: int | None = None
                    ) -> None:
        """Wait until the exchange counts so many more; the bot must live meanwhile."""
        before = self.trades() if before is None else before
        program.wait_condition(lambda: self.trades() >= before + count or bot.poll() is not None)
        assert bot.poll() is None, self.said()

    def said(self) -> str:
        """What bots wrote to standard error."""
        return (self.folder / "stderr.txt").read_text()

    def log(self) -> str:
        """The bots' log file."""
        return (self.state / "bot_hft.log").read_text()

    def end(self, bot: subprocess.Popen[str], number: int = signal.SIGINT,
            code: int = 0) -> dict[str, Any]:
        """Stop the bot; its result. It has to end in order, without a traceback."""
        bot.send_signal(number)
        out, _ = bot.communicate(timeout=program.DEADLINE_S)
        assert bot.returncode == code, (bot.returncode, self.said())
        assert "Traceback" not in self.said() + self.log()
        return json.loads(out)

    def orders_between(self, from_us: int, to_us: int) -> list[dict[str, Any]]:
        """ORDER rows of the journals whose wall time lies in between."""
        return [row for row in self.records()
                if row["kind"] == "ORDER" and from_us < row["at_us"] < to_us]

    def close(self) -> None:
        self.proxy.close()
        for bot in self.bots:
            # One that a test stopped would not see its end.
            if bot.poll() is None:
                bot.send_signal(signal.SIGCONT)
        super().close()


def now_us() -> int:
    """The wall clock, which the bot's journal shares."""
    return time.time_ns() // 1000


def resident_bytes(pid: int) -> int:
    """Memory of a process that is not swapped out."""
    pages = int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize()
