"""Orders through a client object whose answers are lost, refused or late: sent once, followed."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

import pytest

from hftbot.errors import ConfigError
from hftbot.execution import HFTExecution, create_hft_engine


class BaseError(Exception):
    """As ccxt's: the root of its errors."""


class ExchangeError(BaseError):
    """As ccxt's: the venue said no."""


class NetworkError(BaseError):
    """As ccxt's: nobody knows."""


MARKET = {"symbol": "BTC/USD", "base": "BTC", "quote": "USD", "maker": 0.001, "taker": 0.002,
          "precision": {"price": 0.1, "amount": 0.00000001},
          "limits": {"amount": {"min": 0.0001}, "cost": {"min": 0.5}}}


class Venue:
    """A client object of one market. ``lose`` is what becomes of the next order's request."""

    def __init__(self, lose: str = "") -> None:
        # An account belongs to one engine of this machine: each venue has its own.
        vars(self).update(id="planted", apiKey=secrets.token_hex(8), precisionMode=4, has={})
        self.markets = {"BTC/USD": MARKET}
        self.lose = lose
        self.orders: list[dict[str, Any]] = []
        self.trades: list[dict[str, Any]] = []
        self.created = 0

    async def load_markets(self) -> Any:
        return self.markets

    async def fetch_balance(self) -> Any:
        return {"total": {"USD": 10_000.0}}

    async def fetch_order_book(self, symbol: str) -> Any:
        return {"bids": [[49_999.9, 1.0]], "asks": [[50_000.1, 1.0]]}

    async def create_order(self, symbol: str, kind: str, side: str, amount: float, price: float,
                           params: dict[str, Any]) -> Any:
        self.created += 1
        if self.lose == "refused":
            raise ExchangeError("EOrder:Planted\nrefusal")
        if self.lose == "never arrived":
            raise NetworkError("timed out")
        order = {"id": f"V{self.created}", "clientOrderId": params["clientOrderId"],
                 "status": "open", "amount": amount, "filled": 0.0, "price": price}
        self.orders.append(order)
        if self.lose == "answer lost":
            raise NetworkError("timed out")
        return order

    def fill(self, amount: float, price: float, maker: bool) -> None:
        order = self.orders[-1]
        order["filled"] += amount
        if order["filled"] >= order["amount"]:
            order["status"] = "closed"
        self.trades.append({
            "id": f"T{len(self.trades)}", "order": order["id"], "price": price, "amount": amount,
            "takerOrMaker": "maker" if maker else "taker",
            "fee": {"cost": amount * price * 0.001, "currency": "USD"}})

    async def fetch_order(self, order_id: str, symbol: str) -> Any:
        return next(dict(order) for order in self.orders if order["id"] == order_id)

    async def fetch_open_orders(self, symbol: str) -> Any:
        return [order for order in self.orders if order["status"] == "open"]

    async def fetch_closed_orders(self, symbol: str) -> Any:
        return [order for order in self.orders if order["status"] != "open"]

    async def fetch_my_trades(self, symbol: str) -> Any:
        return self.trades

    async def cancel_order(self, order_id: str, symbol: str) -> Any:
        for order in self.orders:
            if order["id"] == order_id:
                order["status"] = "canceled"


async def buy(engine: Any, timeout_s: float = 5.0, quantity: float = 0.01) -> HFTExecution:
    execution: HFTExecution = await engine.execute_order(
        "BTCUSDT", "buy", "limit", 49_999.9, quantity, timeout_s=timeout_s)
    return execution


def test_a_lost_answer_is_looked_for_and_never_sent_again() -> None:
    async def work() -> None:
        venue = Venue("answer lost")
        async with create_hft_engine(venue) as engine:
            asked = asyncio.ensure_future(buy(engine))
            while not venue.orders:
                await asyncio.sleep(0)
            venue.fill(0.004, 49_999.9, True)
            venue.fill(0.006, 49_999.8, True)
            execution = await asked
            assert venue.created == 1
            assert (execution.status, execution.executed_quantity) == ("filled", 0.01)
            assert execution.executed_price == pytest.approx(49_999.84)
            assert execution.slippage == pytest.approx(49_999.84 - 50_000.1)
            assert execution.fee == pytest.approx(0.01 * 49_999.84 * 0.001)
    asyncio.run(work())


def test_an_order_that_never_arrived_stays_in_doubt_and_says_so() -> None:
    async def work() -> None:
        venue = Venue("never arrived")
        engine = create_hft_engine(venue)
        execution = await buy(engine, 0.05, 0.02)
        assert (execution.status, execution.resting) == ("doubt", True)
        assert "NetworkError: timed out" in execution.reason
        assert venue.created == 1
        assert engine.active_orders
        again = await buy(engine, 0.05, 0.02)
        assert (again.status, again.reason.split(":")[0]) == ("denied", "DENY_POSITION")
        await engine.close()
        assert engine.notes[-1] == "orders that may still be open at the venue: 1; look there"
    asyncio.run(work())


def test_a_refusal_is_one_line_of_the_venues_words() -> None:
    async def work() -> None:
        async with create_hft_engine(Venue("refused")) as engine:
            execution = await buy(engine)
            assert execution.status == "rejected"
            assert execution.reason == "create_order: ExchangeError: EOrder:Planted refusal"
            assert not engine.active_orders
    asyncio.run(work())


def test_a_part_that_traded_before_the_cancel_is_kept() -> None:
    async def work() -> None:
        venue = Venue()
        async with create_hft_engine(venue) as engine:
            execution = await buy(engine, timeout_s=0.01)
            venue.fill(0.004, 49_999.9, True)
            assert await engine.cancel_order(execution.order_id)
            assert (execution.status, execution.executed_quantity) == ("partly filled", 0.004)
            assert engine.get_performance_stats()["total_executions"] == 1
    asyncio.run(work())


def test_what_the_account_cannot_sell_is_denied() -> None:
    async def work() -> None:
        async with create_hft_engine(Venue()) as engine:
            execution = await engine.execute_order("BTC/USD", "sell", "limit", 50_000.1, 0.01)
            assert (execution.status, "DENY_NO_FUNDS" in execution.reason) == ("denied", True)
    asyncio.run(work())


def test_closing_cancels_what_is_open() -> None:
    async def work() -> None:
        venue = Venue()
        async with create_hft_engine(venue) as engine:
            await buy(engine, timeout_s=0.01)
        assert [order["status"] for order in venue.orders] == ["canceled"]
    asyncio.run(work())


@pytest.mark.parametrize(("change", "said"), [
    ({"contract": True}, "BTC/USD is a contract"),
    ({"precision": {"price": None, "amount": 0.1}}, "the steps of BTC/USD are not known")])
def test_a_market_that_cannot_be_traded_is_refused(change: dict[str, Any], said: str) -> None:
    async def work() -> None:
        venue = Venue()
        venue.markets = {"BTC/USD": {**MARKET, **change}}
        await create_hft_engine(venue).open()
    with pytest.raises(ConfigError, match=said):
        asyncio.run(work())
