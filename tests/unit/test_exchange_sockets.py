"""The embedded exchange's doors over real sockets: addresses, limits, closing, compression."""

import asyncio
import json
import time

import aiohttp
import pytest
from test_exchange_server import endpoint, is_channel, private, settings, until

from hftbot.errors import RateLimited
from hftbot.exchange import server as serving
from hftbot.exchange.server import running, text_frame
from hftbot.exchange.settings import Switches
from hftbot.live.rest_client import RestClient
from hftbot.venue.kraken import rest
from hftbot.wire.http import HttpClient
from hftbot.words.secret import Secret


def subscribe(name, *symbols, **params):
    extra = {"symbol": list(symbols)} if symbols else {}
    return {"method": "subscribe", "params": {"channel": name, **extra, **params}}


async def closed(socket):
    """The code that the other side closed with."""
    async with asyncio.timeout(20):
        async for _ in socket:
            pass
    return socket.close_code


def test_level3_and_both_forms_of_each_address(tmp_path):
    async def play():
        async with running(settings(tmp_path)), aiohttp.ClientSession() as client:
            facts = endpoint(tmp_path)
            token = (await private(client, facts, "GetWebSocketsToken"))["token"]
            base = facts["rest_url"]
            for url in (facts["ws_l3_url"], f"{base}/l3/v2"):
                async with client.ws_connect(url) as socket:
                    await socket.send_json(subscribe("level3", "BTC/USD", token=token))
                    [*_, snapshot] = await until(socket, is_channel("level3"))
                    assert snapshot["type"] == "snapshot"
                    assert len({order["order_id"] for order in snapshot["data"][0]["bids"]}) >= 10
            for url in (facts["ws_auth_url"], f"{base}/auth/v2"):
                async with client.ws_connect(url) as socket:
                    await socket.send_json(subscribe("executions", token=token))
                    await until(socket, is_channel("executions"))
    asyncio.run(play())


def test_an_administrator_switches_modes_over_http(tmp_path):
    async def play():
        async with running(settings(tmp_path)), aiohttp.ClientSession() as client:
            facts = endpoint(tmp_path)
            async with client.ws_connect(facts["ws_url"]) as socket:
                await until(socket, is_channel("status"))
                async with client.post(facts["rest_url"] + "/sim/system",
                                       json={"system": "cancel_only"}) as answer:
                    assert (await answer.json())["system"] == "cancel_only"
                [status] = await until(socket, is_channel("status"))
                assert status["data"][0]["system"] == "cancel_only"
                async with client.post(facts["rest_url"] + "/sim/system",
                                       data={"system": "online"}) as answer:
                    assert answer.status == 400
            async with client.get(facts["rest_url"] + "/sim/status") as answer:
                assert (await answer.json())["system"] == "cancel_only"
    asyncio.run(play())


def test_one_visitor_too_many_gets_429(tmp_path):
    async def play():
        few = settings(tmp_path, switches=Switches(connections_per_10_min=3))
        async with running(few), aiohttp.ClientSession() as client:
            url = endpoint(tmp_path)["ws_url"]
            sockets = [await client.ws_connect(url) for _ in range(3)]
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await client.ws_connect(url)
            assert refused.value.status == 429
            await until(sockets[0], is_channel("status"))
            for socket in sockets:
                await socket.close()
    asyncio.run(play())


def test_an_idle_socket_and_a_flood_are_closed_with_their_codes(tmp_path):
    async def play():
        strict = settings(tmp_path, switches=Switches(idle_close_s=1, messages_per_s=3))
        async with running(strict), aiohttp.ClientSession() as client:
            url = endpoint(tmp_path)["ws_url"]
            idle, flood = await client.ws_connect(url), await client.ws_connect(url)
            for _ in range(10):
                await flood.send_json({"method": "ping"})
            assert await closed(flood) == 1008
            assert await closed(idle) == 1001
    asyncio.run(play())


def test_a_client_beside_another_one_is_throttled(tmp_path):
    async def play():
        narrow = settings(tmp_path, switches=Switches(rest_together=1))
        async with running(narrow) as server:
            facts, http = endpoint(tmp_path), HttpClient()
            client = RestClient(http, facts["rest_url"], Secret(facts["api_key"]),
                                Secret(facts["api_secret"]), time.time_ns)
            with (server.face.rest.under_way("/0/private/AddOrder"),
                  pytest.raises(RateLimited, match="EService:Throttled: ")):
                await client.ask(rest.balance(), rest.balance_answer)
            assert await client.ask(rest.balance(), rest.balance_answer)
            await http.close()
    asyncio.run(play())


@pytest.mark.parametrize("agreed", [False, True])
def test_permessage_deflate_is_a_switch(tmp_path, agreed):
    async def play():
        exchange = settings(tmp_path, switches=Switches(permessage_deflate=agreed))
        async with running(exchange), aiohttp.ClientSession() as client:
            socket = await client.ws_connect(endpoint(tmp_path)["ws_url"], compress=15)
            assert bool(socket.compress) == agreed
            await socket.send_json(subscribe("instrument"))
            await until(socket, is_channel("instrument"))
            await socket.close()
    asyncio.run(play())


def test_the_exchange_serves_on_uvloop_too(tmp_path):
    """That is the loop of `hftbot exchange`; its handles have less than asyncio's."""
    uvloop = pytest.importorskip("uvloop")

    async def play():
        async with running(settings(tmp_path)) as server, aiohttp.ClientSession() as client:
            facts = endpoint(tmp_path)
            socket = await client.ws_connect(facts["ws_url"])
            await socket.send_json(subscribe("book", "BTC/USD"))
            for _ in range(60):
                await until(socket, is_channel("book"))
                async with client.get(facts["rest_url"] + "/sim/status") as answer:
                    assert answer.status == 200
            await socket.close()
            assert server.failure is None
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(play())


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_frames_of_every_length_are_read(tmp_path, size):
    text = json.dumps({"x": "y" * max(0, size - 9)}) if size >= 9 else ""

    async def play():
        async with running(settings(tmp_path)) as server, aiohttp.ClientSession() as client:
            socket = await client.ws_connect(endpoint(tmp_path)["ws_url"])
            await until(socket, is_channel("status"))
            [reader] = server.readers
            assert reader.send_now([text, "end"])
            assert (await socket.receive(20)).data == text
            assert (await socket.receive(20)).data == "end"
            await socket.close()
    asyncio.run(play())
    assert len(text) == size
    assert text_frame(text).endswith(text.encode())


def test_a_slow_reader_gets_every_frame_in_order(tmp_path, monkeypatch):
    """More than any buffer holds waits here, and goes out as the client reads."""
    monkeypatch.setattr(serving, "UNSENT_BYTES_MAX", 1 << 12)

    async def play():
        async with running(settings(tmp_path)) as server, aiohttp.ClientSession() as client:
            socket = await client.ws_connect(endpoint(tmp_path)["ws_url"])
            await until(socket, is_channel("status"))
            [reader] = server.readers
            whole = [json.dumps([number, "z" * 20_000]) for number in range(600)]
            for start in range(0, 600, 100):
                part = whole[start:start + 100]
                if not reader.send_now(part):
                    reader.keep(part)
            assert reader.unread == sum(map(len, reader.frames)) > 0
            async with asyncio.timeout(30):
                seen = [(await socket.receive_json())[0] for _ in whole]
            assert seen == list(range(600))
            assert reader.unread == 0
            await socket.close()
    asyncio.run(play())
