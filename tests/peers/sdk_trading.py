"""python-kraken-sdk's WebSocket client on the private endpoint: a trader's whole repertoire."""

import asyncio
import json
import sys

from kraken.spot import SpotWSClient

PATIENCE_S = 40.0
SYMBOL = "BTC/USD"


class Trader(SpotWSClient):
    """Sends one request at a time and waits for its answers; keeps what the channels say."""

    async def on_message(self, message):
        self.seen.append(message)
        self.news.set()

    async def until(self, found):
        """Wait until ``found(messages)`` is true; what it was."""
        async with asyncio.timeout(PATIENCE_S):
            while not (what := found(self.seen)):
                self.news.clear()
                await self.news.wait()
        return what

    async def ask(self, method, count=1, **params):
        """The answers to a request, told by its number."""
        self.number += 1
        number = self.number
        await self.send_message({"method": method, "req_id": number, "params": params})

        def answers(seen):
            found = [row for row in seen if row.get("req_id") == number]
            return found if len(found) >= count else None
        found = await self.until(answers)
        return found if count > 1 else found[0]

    async def reports(self, order_id, last):
        """exec_types of an order once it has come to ``last``."""
        def rows(seen):
            kinds = [row["exec_type"] for message in seen
                     if message.get("channel") == "executions" for row in message["data"]
                     if row.get("order_id") == order_id]
            return kinds if last in kinds else None
        return await self.until(rows)

    async def order(self, **fields):
        answer = await self.ask("add_order", **{
            "symbol": SYMBOL, "side": "buy", "order_type": "limit", "order_qty": 0.001, **fields})
        return answer


async def connected(facts):
    host = facts["rest_url"].replace("http", "ws")
    # The client puts /v2 behind the address that it is given.
    client = Trader(key=facts["api_key"], secret=facts["api_secret"], no_public=True,
                    rest_url=facts["rest_url"], auth_ws_url=f"{host}/auth")
    client.seen, client.news, client.number = [], asyncio.Event(), 0
    await client.start()
    for channel in ("executions", "balances"):
        await client.subscribe(params={"channel": channel})
        await client.until(lambda seen, name=channel: [
            row for row in seen if row.get("channel") == name and row["type"] == "snapshot"])
    return client


async def trade(client):
    """Orders of every lifetime, their fills, and the money that they moved."""
    told = {}
    market = await client.order(order_type="market")
    told["market"] = await client.reports(market["result"]["order_id"], "filled")
    ioc = await client.order(limit_price=1000.0, time_in_force="ioc")
    told["ioc"] = await client.reports(ioc["result"]["order_id"], "canceled")
    fok = await client.order(limit_price=1000.0, time_in_force="fok")
    told["fok"] = await client.reports(fok["result"]["order_id"], "canceled")
    cash = await client.ask("add_order", symbol=SYMBOL, side="buy", order_type="market",
                            cash_order_qty=50.0)
    told["cash"] = await client.reports(cash["result"]["order_id"], "filled")
    told["validated"] = (await client.order(limit_price=1000.0, validate=True))["result"]
    told["moved"] = await client.until(lambda seen: sorted({
        row["asset"] for message in seen if message.get("channel") == "balances"
        and message["type"] == "update" for row in message["data"]}))
    return told


async def change(client):
    """Amend, edit, batches and cancels by every form of id."""
    told = {}
    named = await client.order(limit_price=20000.0, cl_ord_id="sdk-1")
    named_id = named["result"]["order_id"]
    amended = await client.ask("amend_order", cl_ord_id="sdk-1", limit_price=20001.0)
    told["amended"] = amended["result"]["cl_ord_id"]
    await client.reports(named_id, "amended")
    plain = await client.order(limit_price=20000.0, order_userref=5)
    old_id = plain["result"]["order_id"]
    edited = await client.ask("edit_order", order_id=old_id, symbol=SYMBOL, order_qty=0.002)
    told["edited"] = edited["result"]["original_order_id"] == old_id
    await client.reports(old_id, "canceled")
    added = await client.ask("batch_add", symbol=SYMBOL, orders=[
        {"order_type": "limit", "side": "buy", "order_qty": 0.001, "limit_price": price,
         "order_userref": 7} for price in (20002.0, 20003.0, 20004.0)])
    ids = [row["order_id"] for row in added["result"]]
    canceled = await client.ask("cancel_order", 3, order_id=[ids[0]], cl_ord_id=["sdk-1"],
                                order_userref=[5])
    told["canceled"] = [row["success"] for row in canceled]
    gone = await client.ask("batch_cancel", orders=ids[1:])
    told["batch_canceled"] = gone.get("orders_cancelled", gone.get("result", {}).get("count"))
    await client.reports(ids[2], "canceled")
    return told


async def wait(client):
    """Orders that wait, hidden ones, the dead man's switch."""
    told = {}
    stop = await client.order(order_type="stop-loss-limit", limit_price=90000.0,
                              triggers={"reference": "last", "price": 90000.0})
    told["stop"] = await client.reports(stop["result"]["order_id"], "new")
    iceberg = await client.order(order_type="iceberg", limit_price=20000.0, order_qty=0.01,
                                 display_qty=0.001)
    told["iceberg"] = await client.reports(iceberg["result"]["order_id"], "new")
    armed = await client.ask("cancel_all_orders_after", timeout=60)
    told["armed"] = armed["result"]["triggerTime"] > armed["result"]["currentTime"]
    told["disarmed"] = (await client.ask("cancel_all_orders_after",
                                         timeout=0))["result"]["triggerTime"]
    told["all"] = (await client.ask("cancel_all"))["result"]["count"]
    return told


async def refusals(client):
    """What the venue says to wrong requests."""
    good = {"symbol": SYMBOL, "side": "buy", "order_type": "limit", "order_qty": 0.001}
    found = [
        await client.ask("add_order", **good, limit_price=1000.05),
        await client.ask("add_order", **good, limit_price="1000"),
        await client.ask("add_order", **good, limit_price=1000.0, price=5),
        await client.ask("add_order", **{**good, "order_qty": 100}, limit_price=50000.0),
        await client.ask("cancel_order", order_id=["OAAAAA-AAAAA-AAAAAA"])]
    return [(answer["success"], answer["error"]) for answer in found]


async def main(endpoint_file):
    with open(endpoint_file, encoding="utf-8") as file:
        facts = json.load(file)
    client = await connected(facts)
    told = {"trade": await trade(client), "change": await change(client),
            "wait": await wait(client), "refusals": await refusals(client)}
    assert not client.exception_occur
    numbers = [message["sequence"] for message in client.seen
               if message.get("channel") == "executions"]
    told["sequence_whole"] = numbers == list(range(1, len(numbers) + 1))
    await client.close()
    return told


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(*sys.argv[1:]))))
