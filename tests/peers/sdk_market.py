"""python-kraken-sdk's WebSocket and order book clients: one scenario each, named by argument."""

import asyncio
import json
import sys
from binascii import crc32
from collections import Counter

from kraken.base_api import SpotClient
from kraken.spot import SpotOrderBookClient, SpotWSClient

PATIENCE_S = 60.0
SYMBOLS = ["BTC/USD", "ETH/USD", "SOL/USD"]


class Book(SpotOrderBookClient):
    """The SDK's own order book: it verifies every checksum and says so."""

    async def on_book_update(self, pair, message):
        told = self.told
        if "error" in message:
            told["errors"].append(message["error"])
        elif message["type"] == "update":
            told["updates"][pair] = told["updates"].get(pair, 0) + 1
            book = self.get(pair=pair)
            told["valid"] = told["valid"] and book["valid"]
            told["levels"] = max(told["levels"], len(book["bid"]), len(book["ask"]))
            bid, ask = float(next(iter(book["bid"]))), float(next(iter(book["ask"])))
            told["crossed"] += bid >= ask
            if len(told["updates"]) == len(SYMBOLS) and min(told["updates"].values()) >= 60:
                self.done.set()


class Listener(SpotWSClient):
    """Keeps every message, until ``enough`` says that of each kind enough have come.

    Counted as they come: a client that looks through all of them each time falls behind for good
    on a machine with other work.
    """

    def listen(self, enough):
        self.seen, self.counts = [], Counter()
        self.wait(enough)

    def wait(self, enough):
        self.enough, self.done = enough, asyncio.Event()

    async def on_message(self, message):
        self.seen.append(message)
        self.counts[message.get("channel") or message.get("method"), message.get("type")] += 1
        if self.enough(self.counts):
            self.done.set()


async def ended(client):
    async with asyncio.timeout(PATIENCE_S):
        await client.done.wait()
    assert not client.exception_occur
    await client.close()


async def books(facts, depth):
    client = Book(depth=int(depth))
    client.done = asyncio.Event()
    client.told = {"updates": {}, "errors": [], "valid": True, "levels": 0, "crossed": 0}
    await client.start()
    await client.add_book(pairs=SYMBOLS)
    await ended(client)
    return client.told


async def channels(facts):
    client = Listener(rest_url=facts["rest_url"], ws_url=facts["rest_url"].replace("http", "ws"))
    wanted = {("ticker", "snapshot"), ("ticker", "update"), ("ohlc", "snapshot"),
              ("ohlc", "update"), ("trade", "snapshot"), ("trade", "update"),
              ("instrument", "snapshot"), ("book", "snapshot"), ("book", "update"),
              ("status", "update"), ("heartbeat", None), ("pong", None)}
    client.listen(lambda counts: wanted <= counts.keys())
    await client.start()
    await client.subscribe(params={"channel": "ticker", "symbol": SYMBOLS})
    await client.subscribe(params={"channel": "ohlc", "symbol": SYMBOLS, "interval": 1})
    await client.subscribe(params={"channel": "trade", "symbol": SYMBOLS, "snapshot": True})
    await client.subscribe(params={"channel": "book", "symbol": SYMBOLS, "depth": 25})
    await client.subscribe(params={"channel": "instrument"})
    await client.subscribe(params={"channel": "ohlc", "symbol": ["BTC/USD"], "interval": 2})
    async with asyncio.timeout(PATIENCE_S):
        await client.done.wait()
    active = [sub["channel"] for sub in client.active_public_subscriptions]
    client.wait(lambda counts: counts["unsubscribe", None] >= 3)
    await client.unsubscribe(params={"channel": "ticker", "symbol": SYMBOLS})
    await ended(client)
    instrument = next(m for m in client.seen if m.get("channel") == "instrument")
    return {"active": sorted(active), "instrument": instrument["data"],
            "errors": [m["error"] for m in client.seen if m.get("success") is False],
            "left": sorted(sub["channel"] for sub in client.active_public_subscriptions)}


async def level3(facts):
    base = facts["rest_url"].replace("http", "ws")
    client = Listener(key=facts["api_key"], secret=facts["api_secret"], no_public=True,
                      rest_url=facts["rest_url"], auth_ws_url=f"{base}/l3")
    client.listen(lambda counts: counts["level3", "update"] > 100)
    await client.start()
    await client.subscribe(params={"channel": "level3", "symbol": ["BTC/USD"]})
    await ended(client)
    sides, checked = {"bids": {}, "asks": {}}, 0
    for message in client.seen:
        if message.get("channel") != "level3":
            continue
        [row] = message["data"]
        for name, orders in sides.items():
            for order in row[name]:
                orders.pop(order["order_id"], None)
                if order.get("event", "add") != "delete":
                    orders[order["order_id"]] = order
            prices = sorted({order["limit_price"] for order in orders.values()},
                            reverse=name == "bids")
            for order in list(orders.values()):
                if order["limit_price"] in prices[10:]:
                    del orders[order["order_id"]]
        text = ""
        for name, way in (("asks", 1), ("bids", -1)):
            for order in sorted(sides[name].values(),
                                key=lambda o, way=way: (way * o["limit_price"], o["timestamp"])):
                text += f"{order['limit_price']:.1f}".replace(".", "")
                text += f"{order['order_qty']:.8f}".replace(".", "").lstrip("0")
        assert crc32(text.encode()) == row["checksum"], message
        checked += 1
    return {"checked": checked, "orders": len(sides["bids"])}


def main():
    with open(sys.argv[1]) as file:
        facts = json.load(file)
    # The order book client takes no addresses: they are class attributes.
    SpotClient.URL = facts["rest_url"]
    SpotWSClient.WS_URL = facts["rest_url"].replace("http", "ws")
    scenario = {"books": books, "channels": channels, "level3": level3}[sys.argv[2]]
    print(json.dumps(asyncio.run(scenario(facts, *sys.argv[3:]))))


if __name__ == "__main__":
    main()
