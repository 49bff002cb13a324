"""ccxt's exchange objects as venues of the execution door, on the embedded exchange."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from embedded_exchange import serving
from hftbot.errors import ConfigError, VenueReject
from hftbot.execution import HFTStrategy, create_hft_engine

MOMENT_S = 0.01


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    with serving(tmp_path_factory.mktemp("execution")) as found:
        yield found


KINDS = ("ccxt", "ccxt.async_support", "ccxt.pro")


def client(kind: str, facts: dict[str, Any]) -> Any:
    """A ccxt object of Kraken that talks to the embedded exchange."""
    module = pytest.importorskip(kind)
    own = facts["keys"]["trader"]
    found = module.kraken({"apiKey": own["api_key"], "secret": own["api_secret"],
                           "enableRateLimit": False})
    rest = dict.fromkeys(found.urls["api"], facts["rest_url"])
    found.urls["api"] = {**rest, "ws": {"publicV2": facts["ws_url"], "public": facts["ws_url"],
                                        "privateV2": facts["ws_auth_url"],
                                        "private": facts["ws_auth_url"]}}
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_a_ccxt_object_serves_books_and_orders(kind: str, facts: dict[str, Any]) -> None:
    async def work() -> None:
        ccxt = client(kind, facts)
        engine = create_hft_engine(exchange_connector=ccxt)
        try:
            bought = await engine.execute_order("BTCUSDT", "buy", "market", None, 0.01)
            assert (bought.status, bought.executed_quantity) == ("filled", 0.01)
            assert abs(bought.slippage) < bought.executed_price / 100
            assert engine.notes == ["BTCUSDT is traded as BTC/USD: prices are in USD, not USDT"]
            rests = await engine.execute_order("ETH/USD", "buy", "limit", 2450, 0.1,
                                               timeout_s=0.02)
            assert rests.resting
            listed = await live_orders(ccxt, kind)
            assert [row["price"] for row in listed] == [2450.0]
            assert await engine.cancel_all_orders() == 1
            assert await live_orders(ccxt, kind) == []
            sold = await engine.execute_order("BTC/USD", "sell", "limit",
                                              bought.executed_price * 0.99, 0.01)
            assert (sold.status, sold.executed_quantity) == ("filled", 0.01)
            denied = await engine.execute_order("BTC/USD", "buy", "limit", 59000, 1.0)
            assert denied.status == "denied"
            assert "DENY_ORDER_VALUE" in denied.reason
        finally:
            await engine.close()
            if kind != "ccxt":
                await ccxt.close()
    asyncio.run(work())


async def live_orders(ccxt: Any, kind: str) -> list[dict[str, Any]]:
    found = ccxt.fetch_open_orders()
    return list(found if kind == "ccxt" else await found)


@pytest.mark.parametrize("kind", ["ccxt.async_support", "ccxt.pro"])
def test_a_strategy_hears_the_market_through_ccxt(kind: str, facts: dict[str, Any]) -> None:
    class Listening(HFTStrategy):
        books: Any = None

        async def on_order_book_update(self, symbol: str, order_book: Any) -> None:
            self.books = {**(self.books or {}), symbol: order_book}

    async def work() -> None:
        ccxt = client(kind, facts)
        engine = create_hft_engine(ccxt)
        strategy = Listening(engine)
        try:
            await strategy.start()
            async with asyncio.timeout(20):
                while len(strategy.books or {}) < 2:
                    await asyncio.sleep(MOMENT_S)
            await strategy.stop()
        finally:
            await engine.close()
            await ccxt.close()
        assert set(strategy.books) == {"BTC/USD", "ETH/USD"}
        assert all(book["bids"][0][0] < book["asks"][0][0] for book in strategy.books.values())
    asyncio.run(work())


def test_paper_is_filled_by_another_market(facts: dict[str, Any]) -> None:
    """The exchange of these tests stands for the real one: it never hears of the order."""
    async def work() -> None:
        settings = {"KRAKEN_WS_URL": facts["ws_url"], "KRAKEN_REST_URL": facts["rest_url"]}
        async with create_hft_engine("paper", symbols=["BTC/USD"], settings=settings) as engine:
            execution = await engine.execute_order("BTC/USD", "buy", "market", None, 0.01,
                                                   timeout_s=10.0)
            assert (execution.status, execution.executed_quantity) == ("filled", 0.01)
            assert engine.notes[0] == ("PAPER: orders are filled on this machine, by the market "
                                       f"of {facts['ws_url']}")
            rests = await engine.execute_order("BTC/USD", "buy", "limit", 59000, 0.01,
                                               timeout_s=0.05)
            assert rests.resting
            assert await live_orders(client("ccxt", facts), "ccxt") == []
    asyncio.run(work())


def test_what_a_ccxt_object_does_not_list_is_refused(facts: dict[str, Any]) -> None:
    async def work(symbols: list[str]) -> None:
        ccxt = client("ccxt.async_support", facts)
        engine = create_hft_engine(ccxt, symbols=symbols)
        try:
            await engine.open()
        finally:
            await engine.close()
            await ccxt.close()
    with pytest.raises(ConfigError, match="does not list NONE/USD"):
        asyncio.run(work(["BTC/USD", "NONE/USD"]))


def test_a_key_that_the_venue_refuses_is_named(facts: dict[str, Any]) -> None:
    async def work() -> None:
        ccxt = client("ccxt.async_support", facts)
        ccxt.apiKey = "nobody"
        engine = create_hft_engine(ccxt)
        try:
            await engine.open()
        finally:
            await engine.close()
            await ccxt.close()
    with pytest.raises(VenueReject, match=r"connector\.fetch_balance: AuthenticationError"):
        asyncio.run(work())
