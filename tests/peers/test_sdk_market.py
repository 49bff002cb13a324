"""python-kraken-sdk's WebSocket and order book clients, unmodified but for the addresses."""

import pytest

SCRIPT = "sdk_market.py"
SYMBOLS = "BTC/USD,ETH/USD,SOL/USD"


@pytest.mark.parametrize("depth", ["10", "100"])
def test_its_order_book_client_finds_every_checksum_right(exchange, peer, depth):
    told = peer(SCRIPT, exchange("--symbols", SYMBOLS), "books", depth)
    assert told["errors"] == []
    assert told["valid"]
    assert told["crossed"] == 0
    assert set(told["updates"]) == set(SYMBOLS.split(","))
    assert told["levels"] == 10 if depth == "10" else 10 < told["levels"] <= 100


def test_it_reads_every_public_channel_and_unsubscribes(exchange, peer):
    told = peer(SCRIPT, exchange("--symbols", SYMBOLS), "channels")
    assert told["errors"] == ["Subscription ohlc interval not supported"]
    assert told["active"] == sorted(
        [name for name in ("ticker", "ohlc", "trade", "book") for _ in range(3)] + ["instrument"])
    assert told["left"] == [name for name in told["active"] if name != "ticker"]
    assert {pair["symbol"] for pair in told["instrument"]["pairs"]} == set(SYMBOLS.split(","))


def test_it_follows_level3_on_its_endpoint(exchange, peer):
    told = peer(SCRIPT, exchange(), "level3")
    assert told["checked"] > 100
    assert told["orders"] >= 10
