"""The live engine and strategies on recorded markets: orders, answers, time, guard, no future."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import pytest

from hftbot.backtest.world import NO_MARKET
from hftbot.errors import ConfigError
from hftbot.words import events as ev
from hftbot.words.market import Side
from hftbot.words.order import OrderState, Tif
from hftbot.words.ports import Strategy
from hftbot.words.verdict import Verdict
from world.backtest_rig import (
    DEPTH,
    FEED_NS,
    MID,
    MS,
    START_NS,
    TRADE,
    Run,
    at,
    opening,
    random_market,
)

BUY, SELL = Side.BUY, Side.SELL


class Script(Strategy):
    """Does at its timers what a plan says: {ms after the start: what to do with it}."""

    name = "script"
    wakes = "timer"

    def __init__(self, plan: dict[int, Any] | None = None) -> None:
        self.plan = dict(plan or {})
        self.events: list[Any] = []
        self.fills: list[ev.OrderFilled] = []
        self.ids: list[int] = []
        self.books = self.trades = self.timers = 0
        self.seen_ns: list[int] = []

    def on_timer(self, now_us: int) -> None:
        self.timers += 1
        self.seen_ns.append(self.desk.mono_ns())
        for after in [after for after in self.plan
                      if START_NS + after * MS <= self.desk.mono_ns()]:
            self.plan.pop(after)(self)

    def on_book(self, book: Any) -> None:
        self.books += 1

    def on_order(self, event: Any) -> None:
        self.events.append(event)

    def on_fill(self, fill: ev.OrderFilled) -> None:
        self.fills.append(fill)

    def place(self, side: int, ticks: int, lots: int = 10, tif: int = Tif.GTC, **more: Any) -> int:
        self.ids.append(self.desk.place(0, side, ticks, lots, tif, **more))
        return self.ids[-1]

    def kinds(self) -> list[type]:
        return [type(event) for event in self.events]


def quiet(seconds: float = 1.0) -> list[Any]:
    """A market in which nothing but one far level changes, every 20 ms."""
    return opening() + [at(n * 20 * MS, DEPTH, 0, MID - 11, 900 + n % 2)
                        for n in range(1, int(seconds * 50) + 1)]


def merged(*parts: list[Any]) -> list[Any]:
    """Rows of several lists in order of time; rows of one moment keep their order."""
    return sorted((row for part in parts for row in part), key=lambda row: row[0])


def test_a_post_only_order_waits_its_queue_and_fills_at_its_own_price() -> None:
    rows = merged(quiet(), [at(300 * MS, TRADE, 1, MID, 600), at(500 * MS, TRADE, 1, MID, 600)])
    strategy = Script({50: lambda s: s.place(BUY, MID, post_only=True)})
    result = Run(rows).go(strategy)
    [fill] = result.fills
    assert (fill.side, fill.ticks, fill.lots, fill.maker) == (0, MID, 10, True)
    # 1,000 lots stand before it: the second trade reaches it, and we know 5 ms later.
    assert fill.exch_ns == START_NS + 500 * MS
    assert fill.seen_ns == fill.exch_ns + 5 * MS
    assert strategy.kinds() == [ev.OrderAcked, ev.OrderDone]
    assert strategy.events[1].state == OrderState.FILLED
    assert result.orders.outcomes["filled"] == result.orders.sent_count == 1
    assert fill.fee == pytest.approx(-0.00005 * 60_000.0 * 0.01)
    assert result.samples.positions[0][-1] == 10
    assert result.samples.fees[0][-1] == pytest.approx(fill.fee)


@pytest.mark.parametrize(("queue", "at_ms"), [
    ("power-prob3:0.25", 300), ("power-prob:3", 320), ("risk-averse", 340)])
def test_queue_models_differ_in_what_left_before_us(queue: str, at_ms: int) -> None:
    # 1,000 lots before us and 1,000 behind; 500 of them leave without a trade.
    rows = merged(quiet(), [at(100 * MS, DEPTH, 0, MID, 2000), at(200 * MS, DEPTH, 0, MID, 1500)],
                  [at(300 * MS + n * MS, TRADE, 1, MID, lots) for n, lots in
                   ((0, 600), (20, 200), (40, 250))])
    strategy = Script({50: lambda s: s.place(BUY, MID)})
    [fill] = Run(rows, queue=queue).go(strategy).fills
    assert fill.exch_ns == START_NS + at_ms * MS


def test_an_order_takes_its_time_and_so_does_the_answer() -> None:
    strategy = Script({50: lambda s: s.place(BUY, MID + 1, tif=Tif.IOC)})
    result = Run(quiet(), entry_ns=7 * MS, response_ns=11 * MS).go(strategy)
    [fill] = result.fills
    sent_ns = next(ns for ns in strategy.seen_ns if ns >= START_NS + 50 * MS)
    assert fill.exch_ns == sent_ns + 7 * MS
    assert fill.seen_ns == fill.exch_ns + 11 * MS
    assert not fill.maker
    assert fill.fee == pytest.approx(0.0007 * 60_000.1 * 0.01)
    assert result.orders.round_trip.count == 1


def test_what_may_not_take_or_rest_ends_as_at_the_venue() -> None:
    strategy = Script({50: lambda s: s.place(BUY, MID + 1, post_only=True),
                       100: lambda s: s.place(BUY, MID, tif=Tif.IOC),
                       150: lambda s: s.place(BUY, MID, tif=Tif.FOK)})
    result = Run(quiet()).go(strategy)
    assert [(event.client_id, event.state, event.reason) for event in strategy.events] == [
        (strategy.ids[0], OrderState.REJECTED, "EOrder:Post only order"),
        (strategy.ids[1], OrderState.CANCELED, "nothing more to trade with"),
        (strategy.ids[2], OrderState.CANCELED, "nothing more to trade with")]
    assert result.fills == []
    assert result.refused == {"EOrder:Post only order": 1}


def test_a_cancel_before_the_answer_leaves_with_it() -> None:
    def both(strategy: Script) -> None:
        strategy.place(BUY, MID - 3)
        assert strategy.desk.cancel(strategy.ids[0]) == 0

    strategy = Script({50: both})
    result = Run(quiet()).go(strategy)
    assert strategy.kinds() == [ev.OrderAcked, ev.OrderDone]
    acked, done = strategy.events
    assert done.state == OrderState.CANCELED
    # Out and back, then out again: that is when the cancel arrives.
    assert done.ts_us - acked.ts_us == 10_000
    assert result.orders.outcomes["canceled"] == 1


def test_a_cancel_that_meets_a_fill_is_refused() -> None:
    rows = merged(quiet(), [at(203 * MS, TRADE, 1, MID, 2000)])
    strategy = Script({50: lambda s: s.place(BUY, MID), 200: lambda s: s.desk.cancel(s.ids[0])})
    result = Run(rows).go(strategy)
    assert len(result.fills) == 1
    assert strategy.kinds() == [ev.OrderAcked, ev.OrderDone, ev.CancelRejected]
    assert strategy.events[1].state == OrderState.FILLED


def test_an_amend_moves_the_order_and_loses_its_place() -> None:
    rows = merged(quiet(), [at(300 * MS, TRADE, 1, MID, 1500)])
    strategy = Script({50: lambda s: s.place(BUY, MID - 1, 10),
                       100: lambda s: s.desk.amend(s.ids[0], MID, 25)})
    result = Run(rows).go(strategy)
    assert strategy.kinds() == [ev.OrderAcked, ev.OrderAmended, ev.OrderDone]
    assert (strategy.events[1].ticks, strategy.events[1].lots) == (MID, 25)
    [fill] = result.fills
    assert (fill.ticks, fill.lots) == (MID, 25)
    assert result.orders.modifies == 1


def test_an_order_fills_in_parts_and_the_rest_is_taken_back() -> None:
    rows = merged(quiet(), [at(200 * MS, TRADE, 1, MID, 1004), at(300 * MS, TRADE, 1, MID, 3)])
    strategy = Script({50: lambda s: s.place(BUY, MID, 10), 400: lambda s: s.desk.cancel(s.ids[0])})
    result = Run(rows, exchange="partial").go(strategy)
    assert [fill.lots for fill in result.fills] == [fill.lots for fill in strategy.fills] == [4, 3]
    assert strategy.kinds() == [ev.OrderAcked, ev.OrderDone]
    assert (strategy.events[1].state, strategy.events[1].filled_lots) == (OrderState.CANCELED, 7)
    assert result.samples.positions[0][-1] == strategy.desk.position_lots(0) == 7
    assert result.orders.outcomes["partly"] == 1


def test_a_taker_walks_the_book_level_by_level() -> None:
    strategy = Script({50: lambda s: s.place(BUY, MID + 2, 1500, Tif.IOC),
                       100: lambda s: s.place(BUY, MID + 2, 600, Tif.IOC),
                       150: lambda s: s.place(BUY, MID + 3, 1001, Tif.FOK)})
    result = Run(quiet(), exchange="partial").go(strategy)
    # What an order of ours took is gone until the level's next row.
    assert [(fill.ticks, fill.lots, fill.maker) for fill in result.fills] == [
        (MID + 1, 1000, False), (MID + 2, 500, False), (MID + 2, 500, False)]
    done = [(event.state, event.filled_lots) for event in strategy.events
            if isinstance(event, ev.OrderDone)]
    assert done == [(OrderState.FILLED, 1500), (OrderState.CANCELED, 500),
                    (OrderState.CANCELED, 0)]
    assert result.samples.positions[0][-1] == 2000


def test_an_amend_of_a_partly_filled_order_counts_what_it_filled() -> None:
    rows = merged(quiet(), [at(200 * MS, TRADE, 1, MID, 1004), at(500 * MS, TRADE, 1, MID, 2000)])
    strategy = Script({50: lambda s: s.place(BUY, MID, 10),
                       300: lambda s: s.desk.amend(s.ids[0], MID, 6)})
    result = Run(rows, exchange="partial").go(strategy)
    amended = strategy.events[1]
    assert (type(amended), amended.ticks, amended.lots) == (ev.OrderAmended, MID, 6)
    assert [fill.lots for fill in result.fills] == [4, 2]
    assert strategy.events[-1].state == OrderState.FILLED


def test_a_request_that_never_arrives_is_a_rejection() -> None:
    strategy = Script({50: lambda s: s.place(BUY, MID, 10)})
    result = Run(quiet(), entry_ns=-30 * MS).go(strategy)
    [refused] = strategy.events
    assert (type(refused), refused.client_id) == (ev.OrderRejected, strategy.ids[0])
    assert "never reached" in refused.code
    sent_ns = next(ns for ns in strategy.seen_ns if ns >= START_NS + 50 * MS)
    assert refused.ts_us * 1000 == sent_ns + 30 * MS
    assert result.orders.outcomes["rejected"] == 1
    assert result.fills == []


def test_a_gtd_order_is_taken_back_when_its_time_is_over() -> None:
    strategy = Script({50: lambda s: s.place(BUY, MID - 2, tif=Tif.GTD, ttl_us=1_200_000)})
    result = Run(quiet(4.0)).go(strategy)
    assert strategy.kinds() == [ev.OrderAcked, ev.OrderDone]
    assert strategy.events[1].state == OrderState.EXPIRED
    # Whole seconds, rounded up, and the way of the cancel.
    assert strategy.events[1].ts_us == START_NS // 1000 + 2_000_000 + 5_000
    assert result.orders.outcomes["expired"] == 1


def test_the_guard_is_the_live_one_and_its_denials_are_reported() -> None:
    strategy = Script({50: lambda s: s.place(BUY, MID, 100)})
    result = Run(quiet(), told={"order_value_usd_max": Decimal(100)}).go(strategy)
    assert strategy.ids == [-int(Verdict.DENY_ORDER_VALUE)]
    assert result.denied == {"DENY_ORDER_VALUE": 1}
    assert result.orders.sent_count == 0


def test_a_loss_beyond_the_days_limit_halts_and_ends_the_run() -> None:
    fall = [at(300 * MS + n * MS, DEPTH, 0, MID - n, 0) for n in range(11)]
    rows = merged(quiet(), fall, [at(320 * MS, DEPTH, 1, MID - 8, 500)])
    strategy = Script({50: lambda s: s.place(BUY, MID + 1, 1000, tif=Tif.IOC),
                       100: lambda s: s.place(SELL, MID + 5)})
    result = Run(rows, told={"loss_usd_day_max": Decimal("0.05")}, fees=(0.0, 0.0)).go(strategy)
    assert result.ended.startswith("halted: daily loss")
    assert result.end_ns < START_NS + 900 * MS
    # A halt cancels what is open.
    assert strategy.events[-1].state == OrderState.CANCELED


def test_a_silent_feed_is_not_traded_on() -> None:
    rows = [*quiet(0.1), at(1000 * MS, DEPTH, 0, MID - 11, 7), at(1200 * MS, DEPTH, 0, MID - 11, 8)]
    strategy = Script({50: lambda s: s.place(BUY, MID - 2), 900: lambda s: s.place(BUY, MID - 3),
                       1100: lambda s: s.place(BUY, MID - 4)})
    result = Run(rows, told={"book_silence_us": 300_000}).go(strategy)
    assert strategy.ids[1] == -int(Verdict.DENY_STALE_BOOK)
    assert min(strategy.ids[0], strategy.ids[2]) > 0
    assert result.denied == {"DENY_STALE_BOOK": 1}


@pytest.mark.parametrize("wakes", ["feed", "top", "timer"])
def test_a_strategy_is_woken_by_what_it_asks_for(wakes: str) -> None:
    rows = merged(quiet(), [at(100 * MS + n * 100 * MS, DEPTH, 0, MID, 500 + n) for n in range(5)])
    strategy = Script()
    strategy.wakes = wakes
    result = Run(rows).go(strategy)
    stamps = {row[1] for row in rows} - {START_NS + FEED_NS}
    assert strategy.books == {"feed": len(stamps), "top": 5, "timer": 0}[wakes]
    assert strategy.timers == pytest.approx(100, abs=1)
    assert result.wakes == strategy.books


def test_an_unknown_wish_to_be_woken_is_refused() -> None:
    strategy = Script()
    strategy.wakes = "never"
    words = "script: wakes is .never.; it must be one of top, feed, timer"
    with pytest.raises(ConfigError, match=words):
        Run(quiet()).go(strategy)


class Listener(Script):
    """Hears public trades."""

    name = "listener"

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[tuple[int, ...]] = []

    def on_trade(self, trade: Any) -> None:
        self.heard.append((trade.instrument, trade.side, trade.ticks, trade.lots, trade.ts_us,
                           self.desk.now_us()))


def test_public_trades_are_told_when_they_are_received() -> None:
    rows = merged(quiet(), [at(300 * MS, TRADE, 1, MID, 7), at(300 * MS, TRADE, 0, MID + 1, 8)])
    strategy = Listener()
    Run(rows).go(strategy)
    ts_us = START_NS // 1000 + 300_000
    assert strategy.heard == [(0, 1, MID, 7, ts_us, ts_us + 2000),
                              (0, 0, MID + 1, 8, ts_us, ts_us + 2000)]


def test_a_trade_does_not_call_on_book_of_who_wants_the_top() -> None:
    rows = merged(quiet(), [at(300 * MS + n * 20 * MS, TRADE, 1, MID, 7) for n in range(5)],
                  [at(501 * MS, DEPTH, 0, MID, 77)])
    strategy = Listener()
    strategy.wakes = "top"
    result = Run(rows).go(strategy)
    assert (strategy.books, len(strategy.heard)) == (1, 5)
    assert result.wakes == 6


def test_two_markets_run_on_one_clock() -> None:
    strategy = Script({50: lambda s: (s.place(BUY, MID + 1, tif=Tif.IOC),
                                      s.desk.place(1, SELL, MID, 20, Tif.IOC))})
    result = Run(quiet(), others=(quiet(),)).go(strategy)
    assert [(fill.asset, fill.side, fill.lots) for fill in result.fills] == [(0, 0, 10), (1, 1, 20)]
    assert [column[-1] for column in result.samples.positions] == [10, -20]
    assert [asset.symbol for asset in result.assets] == ["BTC/USDT", "ETH1/USDT"]


class Broken(Script):
    """Fails in a handler."""

    name = "broken"

    def on_timer(self, now_us: int) -> None:
        raise RuntimeError("planted")


def test_a_strategy_that_raises_is_disabled_and_the_report_says_so() -> None:
    result = Run(quiet()).go(Broken())
    assert result.ended == "every strategy is disabled: broken"
    assert any("broken disabled: on_timer raised RuntimeError: planted" in note
               for note in result.notes)


def test_a_market_that_never_has_both_sides_is_not_traded() -> None:
    strategy = Script()
    result = Run([row for row in quiet() if row[3] == 0]).go(strategy)
    assert result.ended == NO_MARKET
    assert (strategy.timers, result.wakes) == (0, 0)


class Maker(Strategy):
    """Quotes a tick outside the touch by seed, amends, cancels, takes now and then."""

    name = "maker"

    def __init__(self, seed: int, wakes: str = "top") -> None:
        self.wakes = wakes
        self.rng = random.Random(seed)
        self.acts: list[tuple[int, ...]] = []
        self.filled_lots = self.fees_e10 = 0

    def on_book(self, book: Any) -> None:
        desk, rng = self.desk, self.rng
        now_ns = desk.mono_ns()
        working = desk.open_orders()
        if len(working) > 6 or (working and rng.random() < 0.2):
            order = rng.choice(working)
            if rng.random() < 0.5:
                self.acts.append((now_ns, 3, desk.cancel(order.client_id)))
            else:
                self.acts.append((now_ns, 4, desk.amend(order.client_id, book.best_bid()
                                                        - order.side, rng.randrange(20, 40))))
        side = rng.randrange(2)
        ticks = book.best_ask() + 1 if side else book.best_bid() - 1
        if rng.random() < 0.1:
            self.acts.append((now_ns, 5, desk.place(0, side, book.best_bid() if side
                                                    else book.best_ask(), 5, Tif.IOC)))
        self.acts.append((now_ns, side, ticks, desk.place(0, side, ticks + rng.randrange(-1, 1)
                                                          * (1 if side else -1),
                                                          rng.randrange(1, 20), Tif.GTC,
                                                          post_only=rng.random() < 0.8)))

    def on_fill(self, fill: ev.OrderFilled) -> None:
        self.filled_lots += fill.lots if fill.side == 0 else -fill.lots
        self.fees_e10 += fill.fee_e10
        self.acts.append((self.desk.mono_ns(), 6, fill.side, fill.ticks, fill.lots, fill.ts_us))

    def on_order(self, event: Any) -> None:
        self.acts.append((self.desk.mono_ns(), 7, event.client_id, event.ts_us))


@pytest.mark.parametrize(("seed", "exchange"), [(1, "no-partial"), (2, "partial"), (3, "partial")])
def test_ledger_replay_and_result_agree(seed: int, exchange: str) -> None:
    strategy = Maker(seed)
    result = Run(random_market(seed), exchange=exchange).go(strategy)
    assert len(result.fills) > 50
    assert strategy.filled_lots == result.samples.positions[0][-1]
    assert strategy.filled_lots == sum(fill.lots * (1 - 2 * fill.side) for fill in result.fills)
    assert strategy.fees_e10 / 1e10 == pytest.approx(result.samples.fees[0][-1], abs=1e-6)
    assert sum(fill.fee for fill in result.fills) == pytest.approx(result.samples.fees[0][-1],
                                                                    abs=1e-6)
    assert result.notes == [] or all("impossible" not in note for note in result.notes)
    assert result.ended == "end of data"


@pytest.mark.parametrize(("seed", "wakes"), [(1, "top"), (2, "feed"), (3, "top"), (4, "feed")])
def test_shuffling_the_future_changes_no_past_decision(seed: int, wakes: str) -> None:
    rows = random_market(seed, 10.0)
    until_ns = START_NS + 5_000 * MS
    cut = next(i for i, row in enumerate(rows) if row[1] >= until_ns)
    past, future = rows[:cut], rows[cut:]
    what = [row[2:] for row in future]
    random.Random(seed).shuffle(what)
    shuffled = past + [(*row[:2], *other) for row, other in zip(future, what, strict=True)]
    assert shuffled != rows

    def decided(data: list[Any]) -> list[tuple[int, ...]]:
        strategy = Maker(seed, wakes)
        Run(data).go(strategy)
        return [act for act in strategy.acts if act[0] < until_ns]

    before, after = decided(rows), decided(shuffled)
    assert len(before) > 100
    assert before == after


def test_the_same_inputs_give_the_same_fills() -> None:
    from hftbot.backtest.fill_file import fills_text
    texts = {fills_text(Run(random_market(5)).go(Maker(5))) for _ in range(2)}
    assert len(texts) == 1
    assert len(texts.pop().splitlines()) > 50
