"""TRADING_HOURS: windows of the UTC day, entries refused and cancelled outside, exits never."""

from __future__ import annotations

import json
import pathlib

import pytest
from engine_rig import ASK, BID, LOTS, Rig, Voice

from hftbot.config.kinds import Hours
from hftbot.engine.hours import DAY_US, MINUTE_US, TradingHours
from hftbot.words.market import Side
from hftbot.words.order import Tif
from hftbot.words.verdict import Verdict

HOUR_US = 60 * MINUTE_US


def test_hours_windows_include_their_start_and_not_their_end() -> None:
    hours = TradingHours(Hours().parse("08:00-16:30, 22:00-02:00"))
    for at, inside in (("08:00", True), ("16:29", True), ("16:30", False), ("21:59", False),
                       ("22:00", True), ("23:59", True), ("00:00", True), ("01:59", True),
                       ("02:00", False), ("07:59", False)):
        hour, minute = at.split(":")
        now_us = 20_000 * DAY_US + int(hour) * HOUR_US + int(minute) * MINUTE_US
        assert hours.contains(now_us) is inside, at
        assert hours.contains(now_us + MINUTE_US - 1) is inside, at
    assert hours.until_change_us(20_000 * DAY_US) == 2 * HOUR_US
    assert hours.until_change_us(20_000 * DAY_US + 2 * HOUR_US) == 6 * HOUR_US
    assert hours.text() == "08:00-16:30,22:00-02:00"


def test_hours_none_is_always_and_a_whole_day_too() -> None:
    always, day = TradingHours(), TradingHours(Hours().parse("00:00-24:00"))
    for now_us in (0, DAY_US - 1, 12 * HOUR_US):
        assert always.contains(now_us)
        assert day.contains(now_us)
        assert always.until_change_us(now_us) == day.until_change_us(now_us) == 0
    assert always.text() == "always"


@pytest.mark.parametrize("text", ["8:00-9:00", "08:00", "08:00-08:00", "25:00-26:00", "24:00-01:00",
                                  "08:00-24:30", "08:60-09:00", "a-b", "08:00-09:00;10:00-11:00",
                                  ",".join(["08:00-09:00"] * 25)])
def test_hours_nonsense_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must"):
        Hours().parse(text)


def windows_around(now_us: int) -> tuple[tuple[int, int], ...]:
    """A window that ends in the next full minute."""
    minute = now_us % DAY_US // MINUTE_US
    return (((minute - 60) % 1440, (minute + 1) % 1440),)


def test_hours_at_their_end_entries_are_cancelled_and_exits_stay(tmp_path: pathlib.Path) -> None:
    probe = Rig(tmp_path, start=False)
    folder = tmp_path / "second"
    folder.mkdir()
    rig = Rig(folder, Voice(), trading_hours=windows_around(probe.clock.us))
    entry = rig.buy()
    rig.fill(entry)
    quote = rig.buy(ticks=BID - 5, tif=Tif.GTC)
    leave = rig.sell(ticks=ASK + 5, tif=Tif.GTC)
    rig.ack(quote)
    rig.ack(leave)
    assert rig.notes.said("TRADING_HOURS") == 0
    rig.sent.clear()
    rig.later(60.0)
    rig.engine.on_timer()
    rig.engine.on_timer()
    cancels = [json.loads(frame) for frame in rig.sent]
    assert [frame["method"] for frame in cancels] == ["cancel_order"], "the entry, and once"
    assert rig.notes.said("exits only for 22 h") == 1
    refused = -int(Verdict.DENY_REDUCING)
    assert rig.desk().place(0, Side.BUY, ASK, LOTS) == refused
    assert rig.desk().amend(quote, BID - 6, 2 * LOTS) == refused
    rig.done(leave)
    assert rig.desk().place(0, Side.SELL, BID, LOTS) > 0
    rig.later(23 * 3600.0)
    rig.engine.on_timer()
    assert rig.notes.said("entries are allowed for") == 1
    rig.quote()
    rig.done(quote)
    assert rig.desk().place(0, Side.BUY, BID - 9, LOTS, Tif.GTC) > 0


def test_hours_a_run_that_starts_outside_says_so(tmp_path: pathlib.Path) -> None:
    probe = Rig(tmp_path, start=False)
    minute = probe.clock.us % DAY_US // MINUTE_US
    folder = tmp_path / "second"
    folder.mkdir()
    rig = Rig(folder, Voice(), trading_hours=(((minute + 60) % 1440, (minute + 120) % 1440),))
    assert rig.notes.said("exits only") == 1
    assert rig.desk().place(0, Side.BUY, ASK, LOTS) == -int(Verdict.DENY_REDUCING)
