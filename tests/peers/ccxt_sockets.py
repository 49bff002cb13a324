"""ccxt's Kraken over WebSockets: market data, and an order that is placed, amended and canceled."""

import asyncio
import json
import sys

import ccxt.pro

SYMBOLS = ["BTC/USD", "ETH/USD"]
PATIENCE_S = 40.0


def client(facts):
    exchange = ccxt.pro.kraken({"apiKey": facts["api_key"], "secret": facts["api_secret"],
                                "enableRateLimit": False})
    base = facts["rest_url"].replace("http", "ws")
    sockets = {"publicV2": facts["ws_url"], "privateV2": facts["ws_auth_url"], "public": base,
               "private": base, "beta": base, "beta-private": base}
    rest = dict.fromkeys(exchange.urls["api"], facts["rest_url"])
    exchange.urls["api"] = {**rest, "ws": sockets}
    return exchange


async def market(exchange):
    told = {"books": 0, "crossed": 0, "levels": 0}
    while told["books"] < 120:
        book = await exchange.watch_order_book_for_symbols(SYMBOLS, 10)
        told["books"] += 1
        told["crossed"] += book["bids"][0][0] >= book["asks"][0][0]
        told["levels"] = max(told["levels"], len(book["bids"]))
    told["ticker"] = await exchange.watch_ticker("BTC/USD")
    told["trades"] = await exchange.watch_trades("BTC/USD")
    told["candles"] = await exchange.watch_ohlcv("BTC/USD", "1m")
    told["bids_asks"] = await exchange.watch_bids_asks(["ETH/USD"])
    return told


async def trade(exchange):
    orders, mine = (asyncio.ensure_future(watch("BTC/USD")) for watch in
                    (exchange.watch_orders, exchange.watch_my_trades))
    # One socket for all: when the balance is in, its neighbour's request is there too.
    balance = await exchange.watch_balance()
    placed = await exchange.create_order_ws("BTC/USD", "limit", "buy", 0.01, 40_000,
                                            {"clientOrderId": "mine-1"})
    first = await orders
    edited = await exchange.edit_order_ws(placed["id"], "BTC/USD", "limit", "buy", 0.02, 41_000)
    await exchange.cancel_order_ws(edited["id"])
    left = await exchange.fetch_open_orders("BTC/USD")
    bought = await exchange.create_order_ws("BTC/USD", "limit", "buy", 0.01, 70_000,
                                            {"timeInForce": "IOC"})
    return {"balance": balance["USD"], "placed": placed, "first": first, "edited": edited,
            "open": left, "bought": bought, "trades": await mine}


async def main():
    with open(sys.argv[1]) as file:
        facts = json.load(file)
    exchange = client(facts)
    try:
        async with asyncio.timeout(PATIENCE_S):
            await exchange.load_markets()
            told = await {"market": market, "trade": trade}[sys.argv[2]](exchange)
    finally:
        await exchange.close()
    print(json.dumps(told, default=str))


if __name__ == "__main__":
    asyncio.run(main())
