"""The wire between bot and exchange fails in every way that TCP can; the account stays true."""

from __future__ import annotations

import pathlib
import time
from collections.abc import Iterator

import pytest

from faults.rig import LINKS, Behind, now_us
from journeys.bot import wait_condition

BOOK_SILENCE_US = 2_000_000
# A timer, a look of the proxy and this machine's load, between a limit and its effect.
SLACK_US = 300_000


@pytest.fixture
def behind(tmp_path: pathlib.Path) -> Iterator[Behind]:
    opened = Behind(tmp_path)
    yield opened
    opened.close()


def reply_lost(behind: Behind, times: int) -> None:
    """RST after the exchange had an order and before the bot had its answer."""
    bot = behind.trading()
    down = behind.proxy.ways["private"].down
    for _ in range(times):
        before = sum("add" in line for line in behind.lines())
        down.stalled = True
        # A bot that sends no more has an order under way, and its answer is held already.
        end_s = time.monotonic() + 2.0
        wait_condition(lambda before=before, end_s=end_s: time.monotonic() > end_s or sum(
            "add" in line for line in behind.lines()) > before)
        assert behind.proxy.reset("private") == 1
        down.heal()
        behind.more_trades(bot, 3)
    result = behind.end(bot)
    assert "in doubt" in behind.log() or "trading link lost" in behind.log()
    assert behind.proxy.opened["private"] == times + 1
    assert behind.wrong(result) == []


@pytest.mark.fault("W1", "W2")
@pytest.mark.law(4)
def test_reset_between_an_order_and_its_answer(behind: Behind) -> None:
    reply_lost(behind, 2)


@pytest.mark.long
@pytest.mark.fault("W1", "W2")
@pytest.mark.law(4)
def test_reset_between_an_order_and_its_answer_until_the_backoff_is_long(behind: Behind) -> None:
    reply_lost(behind, 5)


@pytest.mark.long
@pytest.mark.fault("W1")
@pytest.mark.law(4)
@pytest.mark.parametrize("way", ["up", "down"])
@pytest.mark.parametrize("cuts", [(0, 7), (130, 131), (500, 2000)])
def test_reset_in_the_middle_of_a_frame(behind: Behind, way: str, cuts: tuple[int, ...]) -> None:
    """So many bytes of the next frames pass, then both sides get a RST."""
    bot = behind.trading()
    harmed = getattr(behind.proxy.ways["private"], way)
    for cut in cuts:
        opened = behind.proxy.opened["private"]
        harmed.reset_after_bytes = cut
        wait_condition(lambda opened=opened: behind.proxy.opened["private"] > opened)
        behind.more_trades(bot, 2)
    result = behind.end(bot)
    assert behind.wrong(result) == []


def stalled(behind: Behind, kinds: tuple[str, ...], ways: tuple[str, ...],
            lost: str) -> None:
    """The socket is open and nothing comes: no order past the limit, a new connection, trade."""
    bot = behind.trading()
    before = {kind: behind.proxy.opened[kind] for kind in kinds}
    for kind in kinds:
        for way in ways:
            getattr(behind.proxy.ways[kind], way).stalled = True
    from_us = now_us() + BOOK_SILENCE_US + SLACK_US
    wait_condition(lambda: all(behind.proxy.opened[kind] > before[kind] for kind in kinds))
    to_us = now_us()
    assert to_us > from_us
    behind.proxy.heal()
    behind.more_trades(bot, 3)
    result = behind.end(bot)
    assert behind.orders_between(from_us, to_us) == []
    assert lost in behind.log()
    assert behind.wrong(result) == []


@pytest.mark.long
@pytest.mark.fault("W3")
@pytest.mark.law(6)
def test_a_market_link_that_is_open_and_silent(behind: Behind) -> None:
    stalled(behind, ("public",), ("down",), "market link lost: silent for 5.")


@pytest.mark.long
@pytest.mark.fault("W3")
@pytest.mark.law(6)
def test_all_links_stalled_both_ways(behind: Behind) -> None:
    stalled(behind, LINKS, ("up", "down"), "trading link lost: silent for 5.")


@pytest.mark.long
@pytest.mark.fault("W3")
@pytest.mark.law(4)
def test_a_trading_link_that_takes_orders_and_answers_nothing(behind: Behind) -> None:
    """Its orders are in doubt after their deadline at the latest, and none is sent twice."""
    bot = behind.trading()
    before = behind.proxy.opened["private"]
    behind.proxy.ways["private"].down.stalled = True
    wait_condition(lambda: behind.proxy.opened["private"] > before)
    behind.proxy.heal()
    behind.more_trades(bot, 3)
    result = behind.end(bot)
    assert "trading link lost: silent for 5." in behind.log()
    assert behind.wrong(result) == []


@pytest.mark.fault("W3")
@pytest.mark.long
def test_half_closed_links(behind: Behind) -> None:
    """The exchange says that it sends nothing more: the links come back by themselves."""
    bot = behind.trading()
    for kind in LINKS:
        before = behind.proxy.opened[kind]
        behind.proxy.half_close(kind)
        wait_condition(lambda kind=kind, before=before: behind.proxy.opened[kind] > before)
        behind.more_trades(bot, 3)
    assert behind.wrong(behind.end(bot)) == []


@pytest.mark.long
@pytest.mark.fault("W5")
@pytest.mark.parametrize("chunk", [1, 3, 0])
def test_trading_through_split_and_glued_bytes(behind: Behind, chunk: int) -> None:
    """Every byte of the trading link alone, every three bytes of all, everything glued."""
    for kind in LINKS if chunk != 1 else ("private",):
        for way in (behind.proxy.ways[kind].up, behind.proxy.ways[kind].down):
            way.chunk_bytes = chunk
            way.glue_s = 0.0 if chunk else 0.02
    result = behind.end(behind.trading())
    assert "link lost" not in behind.log().split("stopping:")[0]
    assert behind.wrong(result) == []
