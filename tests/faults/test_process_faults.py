"""Processes that are stopped, asked to end, or have no disk left; the account stays true."""

from __future__ import annotations

import json
import pathlib
import resource
import signal
import time
from collections.abc import Iterator

import pytest

from faults.rig import Behind, now_us
from journeys.bot import DEADLINE_S, run, sim, wait_condition

MANY = """
from hftbot import Side, Strategy, Tif


class Busy(Strategy):
    '''A hundred bids far below.'''

    name = "many"

    def on_start(self, desk):
        self.desk = desk
        self.lots_min = desk.instruments()[0].lots_min
        self.placed = 0

    def on_timer(self, now_us):
        book = self.desk.book(0)
        for _ in range(10):
            if book.has_bid() and self.placed < 100:
                self.placed += self.desk.place(0, Side.BUY, book.best_bid() - 2000 - self.placed,
                                               self.lots_min, Tif.GTC) > 0
"""
WIDE = ("--set", "OPEN_ORDERS_MAX=200", "--set", "GROSS_USD_MAX=1000000", "--set",
        "POSITION_USD_MAX=1000000")


@pytest.fixture
def behind(tmp_path: pathlib.Path) -> Iterator[Behind]:
    opened = Behind(tmp_path)
    yield opened
    opened.close()


@pytest.mark.fault("P3")
@pytest.mark.law(1)
def test_sigterm_with_a_hundred_orders(behind: Behind) -> None:
    """Drained: none is open at the exchange, and the exit code is 0."""
    (behind.folder / "busy.py").write_text(MANY)
    bot = behind.run(*WIDE)
    wait_condition(lambda: sim(behind.proxy.url)["open_orders"] == 100 or bot.poll() is not None)
    assert bot.poll() is None, behind.said()
    result = behind.end(bot, signal.SIGTERM)
    assert result["open_orders_at_exit"] == 0
    assert sim(behind.proxy.url)["open_orders"] == 0
    assert behind.wrong(result) == []


def stopped_bot(behind: Behind, seconds: float) -> tuple[int, int]:
    """SIGSTOP for so long; wall microseconds of its end, and of the first order after it."""
    bot = behind.trading()
    before = behind.trades()
    bot.send_signal(signal.SIGSTOP)
    time.sleep(seconds)
    resumed_us = now_us()
    bot.send_signal(signal.SIGCONT)
    behind.more_trades(bot, 5, before + 2)
    assert behind.wrong(behind.end(bot)) == []
    later = [row["at_us"] for row in behind.records()
             if row["kind"] == "ORDER" and row["at_us"] >= resumed_us]
    return resumed_us, min(later)


@pytest.mark.fault("T2")
def test_a_bot_that_stood_still_for_a_moment(behind: Behind) -> None:
    stopped_bot(behind, 0.7)


@pytest.mark.long
@pytest.mark.fault("T2")
@pytest.mark.parametrize("seconds", [4.0, 8.0])
def test_a_bot_that_stood_still_longer_than_a_limit(behind: Behind, seconds: float) -> None:
    """What it knew is old: no order leaves before its links are new and it has reconciled."""
    _resumed_us, first_us = stopped_bot(behind, seconds)
    reconnected_us = behind.proxy.opened_us["private"][1]
    assert first_us > reconnected_us
    assert len(behind.proxy.opened_us["public"]) >= 2


def stopped_exchange(behind: Behind, seconds: float) -> None:
    bot = behind.trading()
    behind.venue.send_signal(signal.SIGSTOP)
    try:
        time.sleep(seconds)
    finally:
        behind.venue.send_signal(signal.SIGCONT)
    behind.more_trades(bot, 5)
    assert behind.wrong(behind.end(bot)) == []


@pytest.mark.long
@pytest.mark.fault("T2", "W3")
def test_an_exchange_that_stood_still_for_a_moment(behind: Behind) -> None:
    stopped_exchange(behind, 1.0)


@pytest.mark.long
@pytest.mark.fault("T2", "W3")
@pytest.mark.parametrize("seconds", [3.5, 9.0])
def test_an_exchange_that_stood_still_longer_than_a_limit(behind: Behind, seconds: float) -> None:
    """Orders that it finds at its door when it comes back are too late, or are ours once."""
    stopped_exchange(behind, seconds)


def no_room(behind: Behind) -> tuple[int, str]:
    """A bot whose files cannot grow any more; its exit code and result."""
    bot = behind.trading()
    journal = behind.state / "journal" / "run-00001.journal"
    room = journal.stat().st_size + 4_096
    resource.prlimit(bot.pid, resource.RLIMIT_FSIZE, (room, room))
    out, _ = bot.communicate(timeout=DEADLINE_S)
    assert "Traceback" not in behind.said()
    return bot.returncode, out


def but_for_the_journal(wrong: list[str]) -> list[str]:
    """A fill of the moment in which the journal fails is booked and cannot be journaled."""
    return [text for text in wrong if not text.endswith("is in no journal")
            and "journals' fills make" not in text and "the replay" not in text]


@pytest.mark.long
@pytest.mark.fault("D1")
@pytest.mark.law(1)
def test_no_disk_left_for_the_journal(behind: Behind) -> None:
    """The limit of a file's size: the bot halts, cancels, and ends with nothing open."""
    code, out = no_room(behind)
    assert code == 5, behind.said()
    assert sim(behind.proxy.url)["open_orders"] == 0
    result = json.loads(out)
    assert result["open_orders_at_exit"] == 0
    assert "journal" in (behind.state / "halt.json").read_text()
    assert but_for_the_journal(behind.wrong(result)) == []


@pytest.mark.long
@pytest.mark.fault("D1")
def test_no_disk_left_then_the_next_run(behind: Behind) -> None:
    """The copy in shared memory has what the disk lacks; the next run brings it home."""
    code, _ = no_room(behind)
    assert code == 5, behind.said()
    refused = run(behind.folder, "run", "--profile", "hft", "--duration", "1", "--exchange",
                  behind.proxy.url)
    assert refused.returncode == 5
    assert run(behind.folder, "resume", "--yes").returncode == 0
    assert but_for_the_journal(behind.wrong(behind.end(behind.trading()))) == []
