"""ccxt over WebSockets, unmodified but for the addresses.

Its check of a book's checksum is off, as it comes: that code reads numbers as text and fails on the
numbers that its own parser makes. The official client's check is in test_sdk_market.py.
"""

SCRIPT = "ccxt_sockets.py"


def test_it_watches_the_market(exchange, peer):
    told = peer(SCRIPT, exchange("--symbols", "BTC/USD,ETH/USD"), "market")
    assert (told["books"], told["crossed"], told["levels"]) == (120, 0, 10)
    ticker = told["ticker"]
    assert ticker["symbol"] == "BTC/USD"
    assert ticker["bid"] < ticker["ask"]
    assert {trade["symbol"] for trade in told["trades"]} == {"BTC/USD"}
    assert {trade["takerOrMaker"] for trade in told["trades"]} <= {None, "taker"}
    candle = told["candles"][-1]
    assert candle[0] % 60_000 == 0
    assert candle[3] <= candle[4] <= candle[2]
    assert told["bids_asks"]["ETH/USD"]["bid"] > 0


def test_it_trades(exchange, peer):
    told = peer(SCRIPT, exchange(), "trade")
    assert told["balance"]["total"] == 10_000
    [first] = told["first"]
    assert (first["id"], first["status"]) == (told["placed"]["id"], "open")
    assert told["placed"]["clientOrderId"] == "mine-1"
    assert told["edited"]["id"] == told["placed"]["id"]
    assert told["open"] == []
    assert sum(trade["amount"] for trade in told["trades"]) > 0
    assert {trade["order"] for trade in told["trades"]} == {told["bought"]["id"]}
