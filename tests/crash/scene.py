"""An exchange with a witness and a bot that is killed and started again; then the truth."""

from __future__ import annotations

import json
import pathlib
import shutil
import signal
import subprocess
import sys
from collections import Counter
from decimal import Decimal
from typing import Any

from hftbot.app.journal import record
from hftbot.app.recovery import replayed
from hftbot.store.journal_reader import JournalCopy, names, read_both
from hftbot.store.state_dir import hot_folder
from journeys import bot as program

# What the account begins with, and one tick (0.1 USD) times one lot (1e-8 BTC).
START_E10, TICK_LOT_E10 = 10_000 * 10**10, 10
HERE = pathlib.Path(__file__).parent
STRATEGY = """
from hftbot import Side, Strategy, Tif


class Busy(Strategy):
    '''IOC orders in and out at every timer, and one bid far below that moves.'''

    name = "busy"

    def on_start(self, desk):
        self.desk = desk
        self.lots_min = desk.instruments()[0].lots_min
        self.resting = 0
        self.ticks = 0

    def on_timer(self, now_us):
        book = self.desk.book(0)
        if not (book.has_bid() and book.has_ask()):
            return
        orders = self.desk.open_orders()
        self.ticks += 1
        if self.ticks % 4 == 1:
            resting = [order for order in orders if order.tif == Tif.GTC]
            if not resting:
                self.desk.place(0, Side.BUY, book.best_bid() - 2000, 2 * self.lots_min, Tif.GTC)
            elif self.ticks % 16 == 1:
                self.desk.cancel(resting[0].client_id)
            else:
                self.desk.amend(resting[0].client_id, resting[0].ticks + 1, resting[0].lots)
        if any(order.tif == Tif.IOC for order in orders):
            return
        held = self.desk.position_lots(0)
        if held >= self.lots_min:
            self.desk.place(0, Side.SELL, book.best_bid() - 5, held, Tif.IOC)
        else:
            self.desk.place(0, Side.BUY, book.best_ask() + 5, 4 * self.lots_min, Tif.IOC)
"""


class Scene:
    """One exchange for the whole scene, and bots one after another on one state directory."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.state = folder / "hftbot-state"
        self.out = folder / "witness.jsonl"
        self.bots: list[subprocess.Popen[str]] = []
        (folder / "busy.py").write_text(STRATEGY)
        self.venue = subprocess.Popen(
            [sys.executable, str(HERE / "witness_exchange.py"), str(folder / "venue"),
             str(self.out)], cwd=folder, env=program.environment(), text=True,
            stdout=subprocess.PIPE)
        assert self.venue.stdout is not None
        self.endpoint = json.loads(self.venue.stdout.readline())

    def arguments(self, *more: str) -> list[str]:
        """A bot on this exchange that trades without a pause."""
        return program.command(
            "run", "--profile", "hft", "--exchange", self.endpoint["rest_url"], "--strategy",
            "busy.py:Busy", "--set", "MAX_ORDERS_PER_MIN=6000", "--set", "KRAKEN_TIER=off", "--set",
            "SAME_ORDER_WINDOW_MS=0", "--set", "FILLS_IN_ROW_MAX=10000", "--set",
            "ORDER_DEADLINE_MS=1000", *more)

    def start(self, crash_at: str = "") -> subprocess.Popen[str]:
        """A bot that runs until it dies."""
        environment = {**program.environment(), **({"HFTBOT_CRASH_AT": crash_at} if crash_at
                                                   else {})}
        process = subprocess.Popen(self.arguments(), cwd=self.folder, env=environment, text=True,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.bots.append(process)
        return process

    def again(self, seconds: float = 1.5, crash_at: str = "") -> dict[str, Any]:
        """Start the bot again for a moment; it has to come up, trade and end in order."""
        done = subprocess.run(self.arguments("--duration", str(seconds), "--json"),
                              cwd=self.folder, env=program.environment(), text=True,
                              capture_output=True, timeout=program.DEADLINE_S)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def lines(self) -> list[dict[str, Any]]:
        """What the witness wrote so far."""
        if not self.out.exists():
            return []
        return [json.loads(line) for line in self.out.read_text().splitlines()]

    def traded(self, count: int) -> bool:
        """True once the exchange counts that many trades."""
        return sum("trade" in line for line in self.lines()) >= count

    def journals(self) -> list[JournalCopy]:
        """The journals of all runs, in order."""
        hot, disk = hot_folder(self.state), self.state / "journal"
        found = []
        for name in names(disk, hot):
            copy, trouble = read_both(hot / name if hot else None, disk / name)
            assert not trouble, trouble
            found.append(copy)
        return found

    def records(self) -> list[dict[str, Any]]:
        """All their records."""
        return [record(*row) for copy in self.journals() for row in copy.rows()]

    def close(self) -> None:
        """End whatever still runs; leave nothing in shared memory."""
        for bot in self.bots:
            if bot.poll() is None:
                bot.kill()
                bot.communicate()
        if self.venue.poll() is None:
            self.venue.terminate()
            self.venue.communicate(timeout=program.DEADLINE_S)
        hot = hot_folder(self.state)
        if hot is not None:
            shutil.rmtree(hot)

    def wrong(self, result: dict[str, Any]) -> list[str]:
        """What the exchange and the journals do not agree on, after ``result`` of the last run.

        Ends the exchange.
        """
        self.venue.send_signal(signal.SIGTERM)
        self.venue.communicate(timeout=program.DEADLINE_S)
        told = self.lines()
        end = told[-1]["end"]
        adds = [line["add"] for line in told if "add" in line]
        rows = self.records()
        asked = Counter(row["cl_ord_id"] for row in rows if row["kind"] == "ORDER")
        found = [f"{name} was sent {count} times" for name, count in Counter(adds).items()
                 if count > 1]
        found += [f"the exchange saw {name}, no journal names it"
                  for name in set(adds) - set(asked)]
        found += [f"{name} was named {count} times" for name, count in asked.items() if count > 1]
        found += self._fills_differ(told, rows)
        if end["open"]:
            found.append(f"{end['open']} orders are open at the exchange")
        lots = end["balances"].get("BTC", 0) // 100
        booked = sum((row["lots"] if row["side"] == "BUY" else -row["lots"])
                     for row in rows if row["kind"] == "FILL")
        if lots != booked:
            found.append(f"the exchange holds {lots} lots, the journals' fills make {booked}")
        cash_e10 = START_E10 + sum(
            (-1 if row["side"] == "BUY" else 1) * row["ticks"] * row["lots"] * TICK_LOT_E10
            for row in rows if row["kind"] == "FILL")
        if end["balances"]["USD"] != cash_e10:
            found.append(f"the exchange has {end['balances']['USD']} (1e-10 USD), the journals' "
                         f"fills make {cash_e10}")
        found += self._replays_differ(lots)
        position = sum(round(line["size"] * 10**8) for line in result["positions"])
        if lots != position:
            found.append(f"the exchange holds {lots} lots, the bot says {position}")
        return found

    def _replays_differ(self, lots: int) -> list[str]:
        """A replay of each journal has the hashes that its run noted; the last has our position."""
        found, replays = [], [replayed(copy) for copy in self.journals()]
        for number, replay in enumerate(replays, 1):
            if replay.mismatch:
                found.append(f"journal {number}: record {replay.mismatch} has another state hash")
        if not sum(replay.checkpoints for replay in replays):
            found.append("no journal has a state hash")
        if replays[-1].positions[0].lots != lots:
            found.append(f"the exchange holds {lots} lots, the replay "
                         f"{replays[-1].positions[0].lots}")
        if replays[-1].orders:
            found.append(f"the replay has {len(replays[-1].orders)} orders open")
        return found

    def _fills_differ(self, told: list[dict[str, Any]], rows: list[dict[str, Any]]) -> list[str]:
        """Each trade is in the journals once, and nothing else is."""
        venue = Counter((trade["cl_ord_id"], round(Decimal(str(trade["last_qty"])) * 10**8))
                        for trade in (line["trade"] for line in told if "trade" in line))
        ours = Counter((row["cl_ord_id"], row["lots"]) for row in rows if row["kind"] == "FILL")
        return ([f"trade {name} is in no journal" for name in venue - ours]
                + [f"the exchange knows nothing of fill {name}" for name in ours - venue])
