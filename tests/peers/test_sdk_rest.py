"""python-kraken-sdk's REST clients, unmodified but for the URL."""

from decimal import Decimal

SCRIPT = "sdk_rest.py"
START_USD = Decimal(10_000)


def test_it_loads_markets(exchange, peer):
    told = peer(SCRIPT, exchange("--symbols", "BTC/USD,ETH/USD"), "markets")
    assert told["status"]["status"] == "online"
    assert set(told["assets"]) == {"XXBT", "XETH", "ZUSD"}
    assert list(told["asset"]) == ["XXBT"]
    pair = told["pairs"]["XXBTZUSD"]
    assert (pair["wsname"], pair["pair_decimals"], pair["ordermin"]) == ("XBT/USD", 1, "0.00005")
    assert told["pair"] == {"XXBTZUSD": {"fees": [], "fees_maker": [],
                                         "fee_volume_currency": "ZUSD"}}
    book = told["book"]["XXBTZUSD"]
    bids, asks = ([Decimal(row[0]) for row in book[side]] for side in ("bids", "asks"))
    assert bids == sorted(bids, reverse=True)
    assert asks == sorted(asks)
    assert bids[0] < asks[0]
    assert [row[6] for row in told["trades"]["XXBTZUSD"]] == list(
        range(1, 1 + len(told["trades"]["XXBTZUSD"])))
    ticker = told["ticker"]["XXBTZUSD"]
    assert Decimal(ticker["b"][0]) < Decimal(ticker["a"][0])
    assert ticker["t"][0] <= ticker["t"][1]
    candle = told["candles"]["XXBTZUSD"][-1]
    assert Decimal(candle[3]) <= Decimal(candle[4]) <= Decimal(candle[2])
    assert told["spreads"]["XXBTZUSD"]
    assert told["nothing"] == "KrakenUnknownAssetError"


def test_it_places_amends_and_cancels(exchange, peer):
    told = peer(SCRIPT, exchange("--fees", "kraken"), "orders")
    line = "buy 0.01000000 XBTUSD @ limit 40000.0"
    assert told["validated"] == {"descr": {"order": line}}
    [txid] = told["placed"]["txid"]
    order = told["open"]
    assert (order["cl_ord_id"], order["oflags"], order["trades"]) == ("mine-1", "fciq,post", [])
    assert order["descr"]["price"] == "40000.5"
    # What the order may cost at worst: its value and the taker's fee.
    assert told["holds"] == {"balance": "10000.0000", "hold_trade": "401.6050"}
    assert told["amended"]["amend_id"].startswith("T")
    assert [(row["amend_type"], row["limit_price"]) for row in told["amends"]["amends"]] == [
        ("original", "40000.5"), ("user", "41000.0")]
    assert told["amends"]["amends"][1]["amend_id"] == told["amended"]["amend_id"]
    after = told["after_amend"]
    assert (after["descr"]["price"], after["vol"]) == ("41000.0", "0.02000000")
    [tag] = told["tag"]["txid"]
    assert list(told["by_tag"]) == [tag]
    assert told["canceled"] == [{"count": 1}, {"count": 1}]
    assert told["unknown"] == "KrakenUnknownOrderError"
    assert list(told["closed"]["closed"]) == [tag, txid]
    assert told["info"][txid]["reason"] == "User requested"
    assert told["switch"]["triggerTime"] > told["switch"]["currentTime"]
    assert told["refused"][:3] == ["KrakenInsufficientFundsError", "KrakenOrderMinimumNotMetError",
                                   "KrakenUnknownAssetError"]
    # The SDK has no exception of its own for this one and hands out the answer.
    assert told["refused"][3] == {"error": ["EOrder:Post only order"]}


def test_it_places_a_batch_edits_and_waits_for_prices(exchange, peer):
    told = peer(SCRIPT, exchange("--fees", "kraken"), "many")
    first, second, third = told["batch"]["orders"]
    assert first["descr"]["order"] == "buy 0.01000000 XBTUSD @ limit 40000.0"
    assert third == {"error": "EOrder:Insufficient funds"}
    edited = told["edited"]
    assert (edited["status"], edited["originaltxid"], edited["newuserref"]) == (
        "ok", second["txid"], 9)
    assert (edited["volume"], edited["price"]) == ("0.02000000", "39500.0")
    before, after = (told["after_edit"][name] for name in (second["txid"], edited["txid"]))
    assert (before["status"], before["reason"]) == ("canceled", "Order replaced")
    assert (after["status"], after["userref"]) == ("open", 9)
    assert told["stop"]["descr"] == {
        "order": "buy 0.01000000 XBTUSD @ stop loss 70000.0 -> limit 70100.0",
        "close": "close position @ take profit 80000.0"}
    stop = told["open"][told["stop"]["txid"][0]]
    assert stop["descr"] == {
        "pair": "XBTUSD", "type": "buy", "ordertype": "stop-loss-limit", "price": "70000.0",
        "price2": "70100.0", "leverage": "none", **told["stop"]["descr"]}
    assert (stop["stopprice"], stop["trigger"]) == ("70000.0", "last")
    trailing = told["open"][told["trailing"]["txid"][0]]
    assert trailing["descr"]["order"] == "buy 0.01000000 XBTUSD @ trailing stop +2.0000%"
    assert told["canceled"] == {"count": 2}
    assert told["rest"] == {"count": 2}


def test_it_sees_fills_balances_and_fees(exchange, peer):
    # Unmetered: so many calls of history would be refused.
    told = peer(SCRIPT, exchange("--fees", "kraken", "--set", "KRAKEN_TIER=off"), "fills")
    trades, ledger = told["history"]["trades"], told["ledgers"]["ledger"]
    spent = {"buy": Decimal(0), "sell": Decimal(0)}
    for trade in trades.values():
        fee = Decimal(trade["fee"])
        assert abs(fee - Decimal(trade["cost"]) * Decimal("0.004")) <= Decimal("0.00005")
        assert set(trade["ledgers"]) <= set(ledger)
        sign = 1 if trade["type"] == "buy" else -1
        spent[trade["type"]] += sign * Decimal(trade["cost"]) + fee
    assert {trade["ordertxid"] for trade in trades.values()} == {
        *told["bought"]["txid"], *told["sold"]["txid"]}
    balance = told["balance"]
    left = START_USD - spent["buy"] - spent["sell"]
    assert abs(Decimal(balance["ZUSD"]) - left) < Decimal("0.0001")
    assert Decimal(balance["XXBT"]) == 0
    assert told["worth"]["eb"] == balance["ZUSD"]
    newest = next(iter(ledger.values()))
    assert (newest["asset"], newest["balance"]) == ("ZUSD", balance["ZUSD"])
    assert list(told["ledger"]) == [next(iter(ledger))]
    [(name, trade)] = told["trade"].items()
    assert trade == {key: value for key, value in trades[name].items() if key != "ledgers"}
    closed = told["closed"]["closed"][told["bought"]["txid"][0]]
    assert (closed["status"], closed["reason"]) == ("closed", None)
    assert closed["trades"]
    row = told["volume"]["fees"]["XXBTZUSD"]
    assert (row["fee"], row["nextfee"], row["nextvolume"]) == ("0.4000", "0.3500", "10000.0000")
    assert Decimal(told["volume"]["volume"]) > 1000
    assert told["positions"] == {}


def test_it_is_told_when_it_asks_too_often(exchange, peer):
    told = peer(SCRIPT, exchange("--set", "KRAKEN_TIER=starter"), "hasty")
    assert told["refused"] == "KrakenApiLimitExceededError"
    assert 15 <= told["calls"] <= 25
    assert told["orders"]["txid"], "orders have a counter of their own"
