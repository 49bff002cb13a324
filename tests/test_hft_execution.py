"""The execution door: latencies, orders in a backtest, and the embedded exchange over sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from typing import Any

import pytest

from embedded_exchange import LiveEngine, serving
from hftbot.errors import ConfigError, HftbotError
from hftbot.execution import (
    HFTExecution,
    HFTExecutionEngine,
    HFTStrategy,
    LatencySimulator,
    QueuePositionManager,
    create_hft_engine,
)

SYMBOL = "BTCUSDT"
BOOK = {"bids": [[50000, 10.0], [49999, 5.0]], "asks": [[50001, 8.0], [50002, 12.0]]}


class Quiet(LatencySimulator):
    """No jitter, so that moments can be named."""

    def __init__(self) -> None:
        super().__init__()
        self.feed_latency_ns, self.order_latency_ns, self.jitter_ns = 30, 70, 0


def backtest(**told: Any) -> HFTExecutionEngine:
    """An engine whose simulated moments are exact."""
    engine = create_hft_engine(enable_backtesting=True, **told)
    engine.latency_sim = Quiet()
    return engine


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(work)


async def buy(engine: HFTExecutionEngine, price: float = 50001, quantity: float = 1.0,
              **told: Any) -> HFTExecution:
    return await engine.execute_order(SYMBOL, "buy", "limit", price, quantity,
                                      **{"order_book": BOOK, **told})


class TestLatencySimulator:
    """The presets, and what they are for."""

    def test_the_usual_model_is_the_handbooks(self) -> None:
        latency = LatencySimulator()
        assert (latency.feed_latency_ns, latency.order_latency_ns, latency.jitter_ns) \
            == (50, 100, 20)

    @pytest.mark.parametrize(("model", "feed_ns", "order_ns"), [
        ("realistic", 50, 100), ("optimistic", 30, 70), ("pessimistic", 100, 200)])
    def test_each_model_has_its_numbers(self, model: str, feed_ns: int, order_ns: int) -> None:
        latency = create_hft_engine(latency_model=model).latency_sim
        assert (latency.feed_latency_ns, latency.order_latency_ns) == (feed_ns, order_ns)

    def test_a_draw_is_off_by_no_more_than_the_jitter(self) -> None:
        latency = LatencySimulator()
        feeds = {latency.get_feed_latency_ns() for _ in range(2000)}
        orders = {latency.get_order_latency_ns() for _ in range(2000)}
        assert (min(feeds), max(feeds), min(orders), max(orders)) == (30, 70, 80, 120)

    def test_a_round_trip_is_both_ways(self) -> None:
        assert Quiet().get_total_latency_ns() == 100

    def test_the_same_seed_draws_the_same(self) -> None:
        first, second = LatencySimulator(seed=7), LatencySimulator(seed=7)
        assert [first.get_total_latency_ns() for _ in range(50)] \
            == [second.get_total_latency_ns() for _ in range(50)]

    def test_an_unknown_model_is_refused_by_name(self) -> None:
        with pytest.raises(ConfigError, match="latency_model 'fast': is one of realistic"):
            create_hft_engine(latency_model="fast")

    def test_a_custom_one_moves_the_simulated_clock_and_no_measurement(self) -> None:
        async def work() -> HFTExecution:
            engine = backtest()
            engine.latency_sim.order_latency_ns = 3_600_000_000_000
            execution = await buy(engine, timeout_s=7200.0)
            assert engine.get_performance_stats()["latency"]["max_ns"] < 3_600_000_000_000
            return execution
        execution = run(work())
        assert execution.simulated_time_ns == 3_600_000_000_030
        assert 0 < execution.execution_time_ns < 3_600_000_000_000


class TestHFTExecutionEngine:
    """Orders in a backtest: this process's own book, the same guard as live."""

    def test_it_begins_with_nothing(self) -> None:
        engine = create_hft_engine()
        stats = engine.get_performance_stats()
        assert (engine.total_orders, engine.total_executions, len(engine.active_orders)) \
            == (0, 0, 0)
        assert engine.get_execution_history(limit=10) == []
        assert stats["fill_rate"] == 0.0
        assert {"avg_ns", "avg_us", "min_ns", "max_ns", "target_ns", "achieved"} \
            <= set(stats["latency"])
        assert (stats["latency"]["target_ns"], stats["latency"]["achieved"]) == (100, False)

    def test_a_limit_that_crosses_takes_the_touch(self) -> None:
        execution = run(buy(backtest()))
        assert (execution.executed_price, execution.executed_quantity) == (50001.0, 1.0)
        assert (execution.status, execution.slippage, execution.simulated_time_ns) \
            == ("filled", 0.0, 100)
        assert execution.execution_time_ns > 0

    def test_slippage_is_measured_from_the_opposite_touch(self) -> None:
        async def work() -> tuple[HFTExecution, HFTExecution]:
            engine = backtest()
            bought = await engine.execute_order(SYMBOL, "buy", "market", None, 12.0, BOOK)
            sold = await engine.execute_order(SYMBOL, "sell", "market", None, 15.0, BOOK)
            return bought, sold
        bought, sold = run(work())
        assert bought.executed_price == pytest.approx((8 * 50001 + 4 * 50002) / 12)
        assert bought.slippage == pytest.approx(4 / 12)
        assert sold.executed_price == pytest.approx((10 * 50000 + 5 * 49999) / 15)
        assert sold.slippage == pytest.approx(5 / 15)

    def test_a_market_order_ends_with_what_the_book_has(self) -> None:
        async def work() -> HFTExecution:
            return await backtest().execute_order(SYMBOL, "buy", "market", 50001, 100.0, BOOK)
        execution = run(work())
        assert (execution.executed_quantity, execution.status) == (20.0, "partly filled")
        assert not execution.resting

    def test_a_limit_that_waits_is_left_resting_after_its_timeout(self) -> None:
        async def work() -> None:
            engine = backtest()
            execution = await buy(engine, 50000, timeout_s=2.5)
            assert (execution.status, execution.resting) == ("open", True)
            assert list(engine.active_orders) == [execution.order_id]
            assert engine.active_orders[execution.order_id].queue_position == 10.0
            assert engine.get_performance_stats()["active_orders"] == 1
        run(work())

    def test_trades_bring_it_forward_and_fill_it(self) -> None:
        """Ten stand before it; the wait runs on the market's clock, a maker's slippage is below
        zero, and the execution that was handed out changes with its order."""
        async def work() -> None:
            engine = backtest()
            execution = await buy(engine, 50000)
            accepted_ns = engine.now_ns() - 1_000_000_000 + 100
            trade = {"side": "sell", "price": 50000, "quantity": 10.0}
            await engine.feed_trade(SYMBOL, trade, engine.now_ns() + 1_000_000_000)
            assert execution.executed_quantity == 0.0
            await engine.feed_trade(SYMBOL, {**trade, "quantity": 0.25},
                                    engine.now_ns() + 1_000_000_000)
            assert (execution.executed_quantity, execution.status) == (0.25, "open")
            assert execution.queue_wait_time_ns == engine.now_ns() - accepted_ns
            await engine.feed_trade(SYMBOL, {**trade, "quantity": 5.0})
            assert (execution.executed_quantity, execution.status) == (1.0, "filled")
            assert (execution.executed_price, execution.slippage) == (50000.0, -1.0)
            assert engine.get_execution_history() == [execution]
            assert not engine.active_orders
        run(work())

    @pytest.mark.parametrize(("model", "left"), [
        ("RiskAverse", 4.0), ("PowerProb", 4.0 - 4.0 * 4**3 / (8**3 + 4**3))])
    def test_the_models_differ_in_who_left_the_queue(self, model: str, left: float) -> None:
        """Eight show after twelve, no trade, four stood before us: who of the four left?"""
        queue = QueuePositionManager(model=model)
        assert queue.after_depth(4.0, 0.0, 12.0, 8.0) == pytest.approx(left)

    def test_our_own_orders_never_share_one_quantity(self) -> None:
        async def work() -> float:
            engine = backtest()
            executions = await asyncio.gather(*(
                buy(engine, 50001, 3.0, timeout_s=1.0) for _ in range(5)))
            return sum(execution.executed_quantity for execution in executions)
        assert run(work()) == 8.0

    def test_cancelling_takes_the_order_out(self) -> None:
        async def work() -> None:
            engine = backtest()
            execution = await buy(engine, 50000)
            assert await engine.cancel_order(execution.order_id) is True
            assert (execution.status, engine.active_orders) == ("cancelled", {})
            assert await engine.cancel_order(execution.order_id) is False
            assert await engine.cancel_order("nonexistent_id") is False
        run(work())

    def test_cancelling_all_counts_and_may_name_a_symbol(self) -> None:
        async def work() -> None:
            engine = backtest()
            for symbol in (SYMBOL, SYMBOL, "ETHUSDT"):
                await engine.execute_order(symbol, "buy", "limit", 50000, 1.0, order_book=BOOK)
            assert await engine.cancel_all_orders(symbol=SYMBOL) == 2
            assert [order.symbol for order in engine.active_orders.values()] == ["ETHUSDT"]
            assert await engine.cancel_all_orders() == 1
            assert await engine.cancel_all_orders() == 0
        run(work())

    def test_the_guard_denies_and_says_why(self) -> None:
        execution = run(buy(backtest(settings={"ORDER_VALUE_USD_MAX": "20000"})))
        assert (execution.status, execution.executed_quantity) == ("denied", 0.0)
        assert execution.reason.startswith("DENY_ORDER_VALUE")

    @pytest.mark.parametrize(("order", "said"), [
        ({"side": "hold"}, "side='hold': give 'buy' or 'sell'"),
        ({"order_type": "stop"}, "order_type='stop'"), ({"quantity": 0.0}, "quantity=0.0"),
        ({"quantity": float("nan")}, "quantity=nan"), ({"price": -1.0}, "price=-1.0"),
        ({"price": None}, "price=None: a limit order"), ({"timeout_s": 0.0}, "timeout_s=0.0")])
    def test_an_order_that_cannot_be_is_refused_by_name(self, order: dict[str, Any],
                                                        said: str) -> None:
        wish = {"symbol": SYMBOL, "side": "buy", "order_type": "limit", "price": 50001.0,
                "quantity": 1.0, "order_book": BOOK}
        with pytest.raises(ValueError, match=said):
            run(backtest().execute_order(**{**wish, **order}))

    @pytest.mark.parametrize(("book", "said"), [
        (None, "knows no book of it yet: give order_book="),
        ({"bids": [[50000]], "asks": []}, r"bids\[0\] is \[50000\]; a level is"),
        ({"bids": [[50002, 1]], "asks": [[50001, 1]]}, "best bid 50002.00 is not below"),
        ({"bids": [[-1, 1]], "asks": []}, "a price is above 0")])
    def test_a_book_that_cannot_be_is_refused(self, book: Any, said: str) -> None:
        with pytest.raises(ConfigError, match=said):
            run(buy(backtest(), order_book=book))

    def test_a_market_of_small_prices_has_finer_steps(self) -> None:
        book = {"bids": [[0.15231, 5000.0]], "asks": [[0.15234, 900.0], [0.1524, 9000.0]]}
        execution = run(backtest().execute_order("DOGEUSDT", "buy", "limit", 0.15236, 1000.5,
                                                 order_book=book, timeout_s=1.0))
        assert (execution.price, execution.quantity, execution.notes) == (0.15236, 1000.5, ())
        assert (execution.executed_price, execution.executed_quantity) == (0.15234, 900.0)

    def test_a_closed_engine_stays_closed(self) -> None:
        async def work() -> None:
            engine = backtest()
            await buy(engine)
            await engine.close()
            await buy(engine)
        with pytest.raises(HftbotError, match="closed: make a new one"):
            run(work())

    def test_a_price_between_two_steps_is_never_made_worse(self) -> None:
        execution = run(buy(backtest(), 50000.009))
        assert execution.price == 50000.0
        assert execution.notes == (
            "price 50000.009 is sent as 50000.0: the venue's steps of BTCUSDT",)

    def test_latency_is_measured_and_follows_no_preset(self) -> None:
        """Three hundred orders under one constant latency: the measured ones differ."""
        async def work() -> tuple[dict[str, Any], set[int]]:
            engine = backtest()
            for _ in range(300):
                await buy(engine, 50001, 0.01)
            took = {execution.execution_time_ns for execution in engine.execution_history}
            return engine.get_performance_stats(), took
        stats, took = run(work())
        latency = stats["latency"]
        assert (latency["count"], stats["total_executions"], stats["fill_rate"]) == (300, 300, 1.0)
        assert 0 < latency["min_ns"] < latency["avg_ns"] < latency["max_ns"]
        assert latency["avg_us"] == latency["avg_ns"] / 1000
        assert len(took) > 50
        assert stats["remark"] == "in-core latency only, no network"

    def test_the_history_is_bounded_and_assignable(self) -> None:
        async def work() -> None:
            engine = backtest(history_max=5)
            made = [await buy(engine, 50001, 0.01) for _ in range(8)]
            assert engine.get_execution_history(limit=2) == made[-2:]
            assert engine.execution_history == made[-5:]
            engine.execution_history = engine.execution_history[-2:]
            assert engine.execution_history == made[-2:]
        run(work())

    def test_a_low_fill_rate_prints_the_handbooks_advice_once(
            self, capsys: pytest.CaptureFixture[str],
            caplog: pytest.LogCaptureFixture) -> None:
        async def work() -> None:
            engine = backtest(settings={"ORDER_VALUE_USD_MAX": "20000"})
            for _ in range(10):
                assert engine.get_performance_stats()["advice"] == ""
                await buy(engine)
            assert "try RiskAverse" in engine.get_performance_stats()["advice"]
            assert "try RiskAverse" in engine.report()
        run(work())
        assert caplog.text.count("adjust the queue position model (try RiskAverse)") == 1

    def test_the_report_shows_how_well_the_model_guessed(self) -> None:
        async def work() -> HFTExecutionEngine:
            engine = backtest()
            for trades in (0.0, 20.0):
                await buy(engine, 50000)
                if trades:
                    await engine.feed_trade(SYMBOL, {"side": "sell", "price": 50000,
                                                     "quantity": trades})
                await engine.cancel_all_orders()
            return engine
        engine = run(work())
        (row,) = engine.get_performance_stats()["calibration"]
        assert (row["orders"], row["filled"]) == (2, 0.5)
        assert row["guessed"] == pytest.approx(
            QueuePositionManager().estimate_fill_probability(
                _order(50000), BOOK))
        assert "2 orders, guessed 0.25, filled 0.50" in engine.report()

    def test_a_custom_queue_model_decides(self) -> None:
        class First(QueuePositionManager):
            def estimate_queue_position(self, order: Any, order_book: Any) -> float:
                return 0.0

        async def work() -> HFTExecution:
            engine = backtest()
            engine.queue_manager = First()
            execution = await buy(engine, 50000)
            await engine.feed_trade(SYMBOL, {"side": "sell", "price": 50000, "quantity": 1.0})
            return execution
        assert run(work()).status == "filled"

    @pytest.mark.parametrize(("told", "said"), [
        ({"exchange_connector": object()}, "exchange_connector is a object: give None"),
        ({"exchange_connector": "kraken"}, "exchange_connector 'kraken': give 'embedded'"),
        ({"queue_model": "Best"}, "queue_model 'Best': is one of PowerProb"),
        ({"data": "x.npz"}, "needs enable_backtesting=True"),
        ({"settings": {"ORDER_VALUE": "1"}}, "unknown key ORDER_VALUE"),
        ({"settings": {"OPEN_ORDERS_MAX": "0"}}, "OPEN_ORDERS_MAX=0")])
    def test_an_engine_that_cannot_be_is_refused(self, told: dict[str, Any], said: str) -> None:
        with pytest.raises(ConfigError, match=said):
            create_hft_engine(**told)


def _order(price: float) -> Any:
    from hftbot.execution import HFTOrder
    return HFTOrder("x", SYMBOL, "buy", "limit", price, 1.0)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveEngine]:
    with serving(tmp_path_factory.mktemp("execution")) as facts, LiveEngine(facts) as found:
        yield found


class TestIntegration:
    """The live engine: the embedded exchange over real sockets, the session of ``hftbot run``."""

    def test_a_market_order_trades_and_is_measured(self, live: LiveEngine) -> None:
        execution = live.run(live.engine.execute_order("BTC/USD", "buy", "market", None, 0.5))
        assert (execution.status, execution.executed_quantity) == ("filled", 0.5)
        assert execution.executed_price > 0
        assert execution.slippage >= 0
        assert execution.execution_time_ns > execution.queue_wait_time_ns >= 0
        latency = live.engine.get_performance_stats()["latency"]
        assert 0 < latency["min_ns"] <= latency["avg_ns"] <= latency["max_ns"]
        assert live.engine.get_performance_stats()["remark"] == ""

    def test_another_currencys_symbol_is_aliased_and_says_so(self, live: LiveEngine) -> None:
        execution = live.run(live.engine.execute_order("BTCUSDT", "buy", "market", None, 0.01))
        assert (execution.symbol, execution.status) == ("BTCUSDT", "filled")
        assert live.engine.notes.count(
            "BTCUSDT is traded as BTC/USD: prices are in USD, not USDT") == 1

    def test_a_limit_rests_until_it_is_cancelled(self, live: LiveEngine) -> None:
        async def work() -> None:
            execution = await live.engine.execute_order(
                "BTC/USD", "buy", "limit", 50000, 1.0, timeout_s=0.05)
            assert (execution.status, execution.executed_quantity) == ("open", 0.0)
            assert execution.fill_probability is not None
            assert 0 <= execution.fill_probability < 0.5
            assert execution.order_id in live.engine.active_orders
            assert await live.engine.cancel_order(execution.order_id)
            assert execution.status == "cancelled"
        live.run(work())

    def test_many_at_once_all_end(self, live: LiveEngine) -> None:
        async def work() -> list[HFTExecution]:
            return await asyncio.gather(*(
                live.engine.execute_order("ETH/USD", "buy", "market", None, 0.01)
                for _ in range(40)))
        executions = live.run(work())
        assert [execution.status for execution in executions] == ["filled"] * 40
        assert len({execution.order_id for execution in executions}) == 40

    def test_cancel_all_of_one_symbol(self, live: LiveEngine) -> None:
        async def work() -> None:
            for symbol in ("BTC/USD", "ETH/USD"):
                await live.engine.execute_order(symbol, "buy", "limit", 2000, 0.1,
                                                timeout_s=0.02)
            # BTC at 2000 is outside the collar: the guard denies it, and nothing is open there.
            assert await live.engine.cancel_all_orders("BTCUSDT") == 0
            assert await live.engine.cancel_all_orders() == 1
            assert not live.engine.active_orders
        live.run(work())

    def test_a_strategy_hears_the_market_and_trades(self, live: LiveEngine) -> None:
        class Taker(HFTStrategy):
            """Buys at the first tick of each symbol."""

            def __init__(self, execution_engine: HFTExecutionEngine) -> None:
                super().__init__(execution_engine)
                self.bought: dict[str, HFTExecution] = {}
                self.heard: set[str] = set()
                self.done = asyncio.Event()

            async def on_tick(self, symbol: str, tick_data: dict[str, Any]) -> None:
                assert tick_data["bid"] < tick_data["mid_price"] < tick_data["ask"]
                if symbol not in self.bought:
                    self.bought[symbol] = await self.engine.execute_order(
                        symbol, "buy", "limit", tick_data["ask"] * 1.001, 0.01)
                self._look()

            async def on_order_book_update(self, symbol: str, order_book: Any) -> None:
                assert len(order_book["bids"]) == 10
                self.heard.add("book")
                self._look()

            async def on_trade(self, symbol: str, trade: dict[str, Any]) -> None:
                assert trade["side"] in ("buy", "sell")
                self.heard.add("trade")
                self._look()

            def _look(self) -> None:
                if len(self.bought) == 2 and len(self.heard) == 2:
                    self.done.set()

        async def work() -> Taker:
            strategy = Taker(live.engine)
            await strategy.start()
            assert strategy.running
            await asyncio.wait_for(strategy.done.wait(), 20)
            await strategy.stop()
            return strategy
        strategy = live.run(work())
        assert {execution.status for execution in strategy.bought.values()} == {"filled"}
        assert (strategy.running, strategy.failure) == (False, None)

    def test_a_strategy_that_raises_is_stopped_and_named(self, live: LiveEngine) -> None:
        class Broken(HFTStrategy):
            async def on_order_book_update(self, symbol: str, order_book: Any) -> None:
                raise KeyError("planted")

        async def work() -> Broken:
            strategy = Broken(live.engine)
            await strategy.start()
            while strategy.failure is None:
                await asyncio.sleep(0.01)
            return strategy
        strategy = live.run(work())
        assert isinstance(strategy.failure, KeyError)
        assert any("strategy Broken stopped" in note for note in live.engine.notes)

    def test_a_symbol_that_is_not_traded_is_refused(self, live: LiveEngine) -> None:
        with pytest.raises(ConfigError, match="this engine trades BTC/USD, ETH/USD"):
            live.run(live.engine.execute_order("SOL/USD", "buy", "limit", 100, 1.0))

    def test_one_engine_belongs_to_one_loop(self, live: LiveEngine) -> None:
        with pytest.raises(HftbotError, match="another event loop"):
            asyncio.run(live.engine.execute_order("BTC/USD", "buy", "market", None, 0.01))

    def test_only_a_backtest_is_fed(self, live: LiveEngine) -> None:
        with pytest.raises(ConfigError, match="a live market feeds itself"):
            live.run(live.engine.feed_order_book("BTC/USD", BOOK))
