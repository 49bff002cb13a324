"""python-kraken-sdk's REST clients, unmodified but for the URL."""


def test_the_sdk_loads_markets(exchange, peer):
    found = peer("sdk_rest.py", exchange())
    assert found["status"]["status"] == "online"
    assert found["pairs"]["XXBTZUSD"]["wsname"] == "XBT/USD"
