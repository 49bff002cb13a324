"""ccxt's Kraken, unmodified but for the URL."""

import pytest

SCRIPT = "ccxt_rest.py"


def test_it_loads_markets(exchange, peer):
    told = peer(SCRIPT, exchange("--symbols", "BTC/USD,ETH/USD"), "markets")
    assert set(told["markets"]) == {"BTC/USD", "ETH/USD"}
    market = told["markets"]["BTC/USD"]
    assert (market["id"], market["active"]) == ("XXBTZUSD", True)
    assert market["precision"] == {"amount": 1e-8, "price": 0.1}
    assert market["limits"]["amount"]["min"] == 0.00005
    assert set(told["currencies"]) == {"BTC", "ETH", "USD"}
    assert told["status"]["status"] == "ok"
    assert told["book"]["bids"][0][0] < told["book"]["asks"][0][0]
    assert told["ticker"]["bid"] < told["ticker"]["ask"]
    assert set(told["tickers"]) == {"BTC/USD", "ETH/USD"}
    assert told["candles"][-1][4] > 0
    assert {trade["symbol"] for trade in told["trades"]} == {"BTC/USD"}


def test_it_places_amends_and_cancels(exchange, peer):
    told = peer(SCRIPT, exchange("--fees", "kraken"), "orders")
    placed = told["placed"]
    [order] = told["open"]
    assert (order["id"], order["clientOrderId"], order["postOnly"]) == (
        placed["id"], "mine-1", True)
    assert told["balance"]["used"]["USD"] == pytest.approx(400 * 1.004)
    assert told["amended"]["id"].startswith("T")
    assert (told["order"]["price"], told["order"]["amount"]) == (41_000, 0.02)
    assert told["unknown"] == "OrderNotFound"
    assert [order["id"] for order in told["closed"]] == [placed["id"]]
    assert told["canceled"]["status"] == "canceled"
    assert told["refused"] == ["InsufficientFunds", "ExchangeError", "InvalidOrder"]


def test_it_places_a_batch_and_waits_for_prices(exchange, peer):
    told = peer(SCRIPT, exchange(), "many")
    assert [row["price"] for row in told["batch"]] == [40_000, 39_000]
    assert (told["stop"]["status"], told["stop"]["stopLossPrice"]) == ("open", 70_000)
    assert told["trailing"]["descr"]["price"] == "+2.0000%"
    by_cost = told["by_cost"]
    assert by_cost["status"] == "closed"
    assert by_cost["cost"] == pytest.approx(100, rel=0.001)
    assert told["canceled"]["result"]["count"] == 2
    assert told["found"] == ["canceled", "canceled"]
    assert told["left"] == []


def test_it_sees_fills_balances_and_fees(exchange, peer):
    told = peer(SCRIPT, exchange("--fees", "250k", "--set", "KRAKEN_TIER=off"), "fills")
    assert (told["fee"]["maker"], told["fee"]["taker"]) == (0.001, 0.002)
    bought = told["bought"]
    assert (bought["status"], bought["filled"]) == ("closed", 0.01)
    assert bought["fee"]["currency"] == "USD"
    assert float(bought["fee"]["cost"]) == pytest.approx(bought["cost"] * 0.002, abs=0.0001)
    ours = [trade for trade in told["trades"] if trade["order"] == bought["id"]]
    assert [trade["id"] for trade in told["of_order"]] == [trade["id"] for trade in ours]
    assert sum(trade["amount"] for trade in ours) == pytest.approx(0.01)
    assert told["balance"]["total"]["BTC"] == 0
    # The client sorts by time alone: of rows of one instant any may come last.
    newest = [row["after"] for row in told["ledger"]
              if row["timestamp"] == told["ledger"][-1]["timestamp"]]
    assert told["balance"]["total"]["USD"] in newest


def test_each_refusal_is_the_one_it_knows(exchange, peer):
    told = peer(SCRIPT, exchange(), "refusals")
    assert (told["reader_looks"], told["reader"]) == (1, "PermissionDenied")
    assert (told["key"], told["nonce"]) == ("AuthenticationError", "InvalidNonce")
    # It has no exceptions of its own for a wrong signature and a price beside the grid.
    assert (told["secret"], told["tick"]) == ("ExchangeError", "ExchangeError")
    assert (told["post_only"], told["cancel_only"]) == ("OnMaintenance", "OnMaintenance")
    assert told["maintenance"] == "ExchangeNotAvailable"
    assert [told[f"{name}_status"] for name in ("post_only", "cancel_only", "maintenance")] == [
        "post_only", "cancel_only", "maintenance"]
    assert told["cancel"] == []
