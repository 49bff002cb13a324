"""python-kraken-sdk's REST clients, one scenario each: the arguments name it and say its prices."""

import json
import sys

from kraken.spot import Market, Trade, User

PAIR = "XBTUSD"


class Clients:
    def __init__(self, facts, key="api_key", secret="api_secret"):
        own = {"key": facts[key], "secret": facts[secret], "url": facts["rest_url"]}
        self.market = Market(url=facts["rest_url"])
        self.user = User(**own)
        self.trade = Trade(**own)


def refused(call, *args, **kwargs):
    """The name of the exception that the SDK maps the venue's error to."""
    try:
        return call(*args, **kwargs)
    except Exception as error:
        name = type(error).__name__
        if not name.startswith("Kraken"):
            raise
        return name


def markets(clients):
    market = clients.market
    return {"status": market.get_system_status(), "assets": market.get_assets(),
            "asset": market.get_assets(assets=["XBT"]), "pairs": market.get_asset_pairs(),
            "pair": market.get_asset_pairs(pair=["XBTUSD"], info="fees"),
            "book": market.get_order_book(pair=PAIR, count=5),
            "trades": market.get_recent_trades(pair=PAIR),
            "ticker": market.get_ticker(pair=PAIR), "candles": market.get_ohlc(pair=PAIR),
            "spreads": market.get_recent_spreads(pair=PAIR),
            "nothing": refused(market.get_order_book, pair="NOUSD")}


def orders(clients):
    user, trade = clients.user, clients.trade
    told = {"validated": trade.create_order(
        ordertype="limit", side="buy", pair=PAIR, volume=0.01, price=40_000, validate=True)}
    placed = trade.create_order(ordertype="limit", side="buy", pair="XBT/USD", volume=0.01,
                                price=40_000.5, oflags="post", cl_ord_id="mine-1")
    [txid] = placed["txid"]
    told["placed"] = placed
    told["open"] = user.get_open_orders(trades=True)["open"][txid]
    told["holds"] = user.get_balances()["ZUSD"]
    told["amended"] = trade.amend_order(cl_ord_id="mine-1", limit_price=41_000, order_qty=0.02)
    told["amends"] = user.get_order_amends(order_id=txid)
    told["after_amend"] = user.get_open_orders(cl_ord_id="mine-1")["open"][txid]
    told["tag"] = trade.create_order(ordertype="limit", side="buy", pair=PAIR, volume="0.01",
                                     price="39000", userref=77)
    told["by_tag"] = user.get_open_orders(userref=77)["open"]
    told["canceled"] = [trade.cancel_order(cl_ord_id="mine-1"), trade.cancel_order(txid=77)]
    told["unknown"] = refused(trade.cancel_order, txid=txid)
    told["closed"] = user.get_closed_orders()
    told["info"] = user.get_orders_info(txid=[txid])
    told["switch"] = trade.cancel_all_orders_after_x(timeout=60)
    trade.cancel_all_orders_after_x(timeout=0)
    told["refused"] = [
        refused(trade.create_order, ordertype="limit", side="buy", pair=PAIR, volume=10,
                price=40_000),
        refused(trade.create_order, ordertype="limit", side="buy", pair=PAIR, volume=0.00001,
                price=40_000),
        refused(trade.create_order, ordertype="limit", side="buy", pair="NOUSD", volume=1,
                price=1),
        refused(trade.create_order, ordertype="limit", side="buy", pair=PAIR, volume=0.01,
                price=90_000, oflags="post")]
    return told


def fills(clients):
    user, trade = clients.user, clients.trade
    bought = trade.create_order(ordertype="market", side="buy", pair=PAIR, volume=0.01)
    sold = trade.create_order(ordertype="limit", side="sell", pair=PAIR, volume=0.01, price=30_000,
                              timeinforce="IOC")
    history = user.get_trades_history(ledgers=True)
    ledgers = user.get_ledgers_info()
    first = next(iter(history["trades"]))
    one = next(iter(ledgers["ledger"]))
    return {"bought": bought, "sold": sold, "history": history,
            "trade": {first: user.get_trades_info(txid=first)[first]},
            "closed": user.get_closed_orders(trades=True), "ledgers": ledgers,
            "ledger": user.get_ledgers(id_=one), "balance": user.get_account_balance(),
            "worth": user.get_trade_balance(), "volume": user.get_trade_volume(pair=[PAIR]),
            "positions": user.get_open_positions()}


def many(clients):
    user, trade = clients.user, clients.trade
    row = {"ordertype": "limit", "type": "buy", "volume": "0.01"}
    told = {"batch": trade.create_order_batch(
        orders=[{**row, "price": "40000", "cl_ord_id": "a"}, {**row, "price": "39000"},
                {**row, "price": "38000", "userref": 5, "volume": "9"}], pair=PAIR)}
    first, second, _ = (row.get("txid") for row in told["batch"]["orders"])
    told["edited"] = trade.edit_order(txid=second, pair=PAIR, volume="0.02", price="39500",
                                      userref=9)
    told["after_edit"] = user.get_orders_info(txid=[second, told["edited"]["txid"]])
    told["stop"] = trade.create_order(
        ordertype="stop-loss-limit", side="buy", pair=PAIR, volume="0.01", price=70_000,
        price2="+100", trigger="last", close_ordertype="take-profit", close_price=80_000)
    told["trailing"] = trade.create_order(ordertype="trailing-stop", side="buy", pair=PAIR,
                                          volume="0.01", price="+2%")
    told["open"] = user.get_open_orders()["open"]
    told["canceled"] = trade.cancel_order_batch(orders=[first, told["edited"]["txid"], first])
    told["rest"] = trade.cancel_all_orders()
    return told


def hasty(clients):
    calls, found = 0, {}
    while not isinstance(found, str) and calls < 100:
        found = refused(clients.user.get_account_balance)
        calls += not isinstance(found, str)
    return {"calls": calls, "refused": found, "orders": clients.trade.create_order(
        ordertype="limit", side="buy", pair=PAIR, volume=0.01, price=40_000)}


def main(endpoint_file, scenario):
    with open(endpoint_file, encoding="utf-8") as file:
        facts = json.load(file)
    scenarios = {"markets": markets, "orders": orders, "fills": fills, "many": many,
                 "hasty": hasty}
    return scenarios[scenario](Clients(facts))


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
