"""ccxt's Kraken, one scenario each: the first argument names it."""

import json
import sys
import urllib.request

import ccxt

SYMBOL = "BTC/USD"


def client(facts, key="trader"):
    own = facts["keys"][key]
    exchange = ccxt.kraken({"apiKey": own["api_key"], "secret": own["api_secret"],
                            "enableRateLimit": False})
    exchange.urls["api"] = dict.fromkeys(exchange.urls["api"], facts["rest_url"])
    exchange.load_markets()
    return exchange


def refused(call, *args, **kwargs):
    """The name of the exception that ccxt maps the venue's error to."""
    try:
        return call(*args, **kwargs)
    except ccxt.BaseError as error:
        return type(error).__name__


def markets(exchange):
    return {"markets": exchange.markets, "currencies": exchange.currencies,
            "status": exchange.fetch_status(), "time": exchange.fetch_time(),
            "book": exchange.fetch_order_book(SYMBOL, 5),
            "trades": exchange.fetch_trades(SYMBOL, limit=5),
            "ticker": exchange.fetch_ticker(SYMBOL), "tickers": exchange.fetch_tickers(),
            "candles": exchange.fetch_ohlcv(SYMBOL, "1m")}


def orders(exchange):
    placed = exchange.create_order(SYMBOL, "limit", "buy", 0.01, 40_000,
                                   {"postOnly": True, "clientOrderId": "mine-1"})
    told = {"placed": placed, "open": exchange.fetch_open_orders(SYMBOL),
            "balance": exchange.fetch_balance(),
            "amended": exchange.edit_order(placed["id"], SYMBOL, "limit", "buy", 0.02, 41_000),
            "order": exchange.fetch_order(placed["id"], SYMBOL)}
    exchange.cancel_order(placed["id"], SYMBOL)
    told["unknown"] = refused(exchange.cancel_order, placed["id"], SYMBOL)
    told["closed"] = exchange.fetch_closed_orders(SYMBOL)
    told["canceled"] = exchange.fetch_order(placed["id"], SYMBOL)
    told["switch"] = exchange.cancel_all_orders_after(60_000)
    exchange.cancel_all_orders_after(0)
    told["refused"] = [
        refused(exchange.create_order, SYMBOL, "limit", "buy", 10, 40_000),
        refused(exchange.create_order, SYMBOL, "limit", "buy", 0.01, 90_000,
                {"postOnly": True}),
        refused(exchange.create_order, SYMBOL, "limit", "buy", 0.00001, 40_000)]
    return told


def fills(exchange):
    bought = exchange.create_order(SYMBOL, "market", "buy", 0.01)
    exchange.create_order(SYMBOL, "limit", "sell", 0.01, 30_000, {"timeInForce": "IOC"})
    return {"bought": exchange.fetch_order(bought["id"], SYMBOL),
            "trades": exchange.fetch_my_trades(SYMBOL),
            "of_order": exchange.fetch_order_trades(
                bought["id"], SYMBOL,
                params={"trades": exchange.fetch_order(bought["id"])["trades"]}),
            "ledger": exchange.fetch_ledger("USD"), "balance": exchange.fetch_balance(),
            "fee": exchange.fetch_trading_fee(SYMBOL)}


def many(exchange):
    rows = [{"symbol": SYMBOL, "type": "limit", "side": "buy", "amount": 0.01, "price": price}
            for price in (40_000, 39_000)]
    batch = exchange.create_orders(rows)
    stop = exchange.create_order(SYMBOL, "market", "buy", 0.01, None, {"stopLossPrice": 70_000})
    trailing = exchange.create_order(SYMBOL, "market", "buy", 0.01, None,
                                     {"trailingPercent": "2"})
    told = {"batch": batch, "stop": exchange.fetch_order(stop["id"]),
            "trailing": exchange.fetch_order(trailing["id"])["info"],
            "by_cost": exchange.fetch_order(
                exchange.create_market_buy_order_with_cost(SYMBOL, 100)["id"]),
            "canceled": exchange.cancel_orders([row["id"] for row in batch])[0]["info"],
            "found": [row["status"] for row in exchange.fetch_orders_by_ids(
                [row["id"] for row in batch])]}
    exchange.cancel_all_orders()
    told["left"] = exchange.fetch_open_orders()
    return told


def mode(exchange, system):
    """Switch the venue's mode."""
    body = json.dumps({"system": system}).encode()
    urllib.request.urlopen(urllib.request.Request(
        exchange.urls["api"]["public"] + "/sim/system", body,
        {"Content-Type": "application/json"})).close()


def refusals(exchange, facts):
    order = (SYMBOL, "limit", "buy", 0.01, 40_000)
    resting = exchange.create_order(*order)["id"]
    reader, stranger = client(facts, "reader"), client(facts)
    stranger.secret = "AAAA"
    told = {"reader_looks": len(reader.fetch_open_orders()),
            "reader": refused(reader.create_order, *order),
            "secret": refused(stranger.fetch_balance)}
    stranger.apiKey = "nobody"
    told["key"] = refused(stranger.fetch_balance)
    late = client(facts)
    late.nonce = lambda: 1
    late.incrementing_nonce = lambda: 1
    told["nonce"] = refused(late.fetch_balance)
    told["tick"] = refused(exchange.privatePostAddOrder, {
        "pair": "XBTUSD", "type": "buy", "ordertype": "limit", "volume": "0.01",
        "price": "40000.05"})
    for name in ("post_only", "cancel_only", "maintenance"):
        mode(exchange, name)
        told[name] = refused(exchange.create_order, *order)
        told[f"{name}_status"] = exchange.fetch_status()["info"]["result"]["status"]
    mode(exchange, "cancel_only")
    told["cancel"] = exchange.cancel_order(resting)["info"]["error"]
    return told


def main(endpoint_file, scenario):
    with open(endpoint_file, encoding="utf-8") as file:
        facts = json.load(file)
    exchange = client(facts)
    if scenario == "refusals":
        return refusals(exchange, facts)
    return {"markets": markets, "orders": orders, "fills": fills, "many": many}[scenario](exchange)


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
