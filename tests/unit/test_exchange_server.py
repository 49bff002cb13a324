"""The embedded exchange over real loopback sockets, with plain aiohttp as the client."""

import asyncio
import contextlib
import io
import json
import os
import pathlib
import signal
import stat
import sys
import time
from decimal import Decimal

import aiohttp
import pytest
from exchange_client import BookCopy, sign

from hftbot.errors import ConfigError, StoreError
from hftbot.exchange import server as serving
from hftbot.exchange.server import running, serve
from hftbot.exchange.settings import ExchangeSettings

SOURCES = str(pathlib.Path(serving.__file__).resolve().parents[2])


def settings(folder, **more):
    return ExchangeSettings(state_dir=folder / "exchange", **more)


def endpoint(folder):
    return json.loads((folder / "exchange" / "endpoint.json").read_text())


async def private(client, facts, name):
    path, nonce = f"/0/private/{name}", str(time.time_ns())
    body = f"nonce={nonce}"
    headers = {"API-Key": facts["api_key"], "API-Sign": sign(path, nonce, body,
                                                             facts["api_secret"]),
               "Content-Type": "application/x-www-form-urlencoded"}
    async with client.post(facts["rest_url"] + path, data=body, headers=headers) as answer:
        return (await answer.json())["result"]


async def until(socket, wanted):
    """Messages up to and including the first that is wanted."""
    found = []
    async with asyncio.timeout(20):
        async for message in socket:
            found.append(json.loads(message.data, parse_float=Decimal))
            if wanted(found[-1]):
                return found
    raise AssertionError(f"closed with {socket.close_code}")


def is_channel(name):
    return lambda message: message.get("channel") == name


def test_a_plain_client_trades(tmp_path):
    async def play():
        async with running(settings(tmp_path)), aiohttp.ClientSession() as client:
            facts = endpoint(tmp_path)
            token = (await private(client, facts, "GetWebSocketsToken"))["token"]
            async with (client.ws_connect(facts["ws_url"]) as market,
                        client.ws_connect(facts["ws_auth_url"]) as trader):
                await market.send_json({"method": "subscribe", "params": {
                    "channel": "book", "symbol": ["BTC/USD"], "depth": 10}})
                copy = BookCopy("BTC/USD", 10)
                updates = 0
                while updates < 30:
                    for frame in filter(is_channel("book"), await until(
                            market, is_channel("book"))):
                        copy.apply(frame["data"][0])
                        updates += 1
                for name in ("executions", "balances"):
                    await trader.send_json({"method": "subscribe", "params": {
                        "channel": name, "token": token}})
                await until(trader, is_channel("balances"))
                await trader.send_json({"method": "add_order", "req_id": 3, "params": {
                    "order_type": "limit", "side": "buy", "symbol": "BTC/USD", "order_qty": 0.01,
                    "limit_price": float(min(copy.sides[1])) + 500, "time_in_force": "ioc",
                    "cl_ord_id": "h1", "token": token}})
                seen = await until(trader, lambda m: is_channel("executions")(m)
                                   and m["data"] and m["data"][0]["exec_type"] == "filled")
                assert seen[-1]["data"][0]["cl_ord_id"] == "h1"
            balance = await private(client, facts, "Balance")
            assert Decimal(balance["XXBT"]) == Decimal("0.01")
    asyncio.run(play())


def test_state_outlives_the_server_and_files_are_private(tmp_path):
    async def first():
        async with running(settings(tmp_path)) as server, aiohttp.ClientSession() as client:
            path = tmp_path / "exchange" / "endpoint.json"
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            server.face.account.balances["BTC"] = 5
            await private(client, endpoint(tmp_path), "Balance")
            return endpoint(tmp_path)

    async def second():
        async with running(settings(tmp_path)) as server:
            assert server.face.account.balances["BTC"] == 5
            assert server.face.runs == 2
            assert server.face.gate.last_nonce > 0
            return endpoint(tmp_path)

    before = asyncio.run(first())
    assert not (tmp_path / "exchange" / "endpoint.json").exists()
    assert stat.S_IMODE((tmp_path / "exchange" / "state.json").stat().st_mode) == 0o600
    after = asyncio.run(second())
    assert (before["api_key"], before["api_secret"]) == (after["api_key"], after["api_secret"])


def test_broken_frames_are_answered_and_the_server_lives(tmp_path):
    async def play():
        async with running(settings(tmp_path)), aiohttp.ClientSession() as client:
            facts = endpoint(tmp_path)
            async with client.ws_connect(facts["ws_url"]) as socket:
                await socket.send_str("{")
                await socket.send_bytes(b"\xff\x00")
                await socket.send_str("[" * 200_000)
                await socket.send_str('"' + "x" * (2 << 20) + '"')
                await socket.send_str('{"method":"ping","req_id":8}')
                seen = await until(socket, lambda m: m.get("method") == "pong")
                assert [m["error"] for m in seen if "error" in m] == ["Malformed request"] * 4
            async with client.ws_connect(facts["ws_url"]) as socket:
                with contextlib.suppress(ConnectionError):
                    await socket.send_str("x" * (5 << 20))
                async with asyncio.timeout(10):
                    async for _ in socket:
                        pass
                # 1006 if the reset overtakes the close frame.
                assert socket.close_code in (1006, 1009)
            async with client.get(facts["rest_url"] + "/v2") as answer:
                assert answer.status == 426
            async with client.get(facts["rest_url"] + "/sim/status") as answer:
                assert (await answer.json())["mode"] == "synthetic"
    asyncio.run(play())


@pytest.mark.fault("W8")
@pytest.mark.parametrize("unread", [["{}"] * 51, ["x" * 2_000] * 3])
def test_a_reader_that_does_not_read_is_cut_off(tmp_path, monkeypatch, unread):
    monkeypatch.setattr(serving, "BACKLOG_CHARACTERS_MAX", 5_000)

    async def play():
        async with (running(settings(tmp_path, backlog_frames_max=50)) as server,
                    aiohttp.ClientSession() as client):
            socket = await client.ws_connect(endpoint(tmp_path)["ws_url"])
            await until(socket, is_channel("status"))
            [reader] = server.readers
            # Frames that its socket has not taken; the next turn finds too many of them.
            reader.keep(unread)
            reader.wake.clear()
            server.turn()
            async with asyncio.timeout(10):
                async for _ in socket:
                    pass
            assert socket.close_code == 1008
    asyncio.run(play())


def test_port_in_use_and_two_exchanges_on_one_folder(tmp_path):
    async def play():
        async with running(settings(tmp_path)) as server:
            with pytest.raises(StoreError, match="another exchange runs on"):
                async with running(settings(tmp_path)):
                    pass
            with pytest.raises(ConfigError, match=f"port {server.port} on 127.0.0.1"):
                async with running(settings(tmp_path / "other", port=server.port)):
                    pass
    asyncio.run(play())


def test_broken_state_is_named(tmp_path):
    (tmp_path / "exchange").mkdir()
    path = tmp_path / "exchange" / "state.json"
    for text in ("{", "[]", '{"version":2}', '{"version":1}', '{"version":1,"runs":"x"}'):
        path.write_text(text)
        with pytest.raises(StoreError, match=r"state\.json"):
            asyncio.run(serve(settings(tmp_path)))
    path.unlink()
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be used"):
        asyncio.run(serve(settings(tmp_path / "file")))


def test_the_end_of_the_data_is_reported_and_the_server_stays(tmp_path):
    from hftbot.exchange.settings import replay_listing

    listing = replay_listing("BTC/USD", Decimal("0.1"), Decimal("0.001"))
    events = [(0, 4, side, 600_000 + side, 5) for side in (0, 1)]

    async def play():
        async with (running(settings(tmp_path, mode="replay", listings=(listing,)), events),
                    aiohttp.ClientSession() as client,
                    client.get(endpoint(tmp_path)["rest_url"] + "/sim/status") as answer):
            assert (await answer.json())["finished"] is True
    asyncio.run(play())


CHILD = """
import asyncio, pathlib, sys
from hftbot.exchange.server import serve
from hftbot.exchange.settings import ExchangeSettings
sys.exit(asyncio.run(serve(ExchangeSettings(state_dir=pathlib.Path(sys.argv[1]) / "exchange",
    watch_stdin=True, linger_s=float(sys.argv[2]), json_output=True))))
"""


@pytest.mark.parametrize("way", ["signal", "pipe"])
def test_it_stops_by_signal_and_after_its_bot_is_gone(tmp_path, way):
    async def play():
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", CHILD, str(tmp_path), "0.05" if way == "pipe" else "30",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": SOURCES})
        async with asyncio.timeout(30):
            shown = json.loads(await process.stdout.readline())
            for secret in ("api_secret", "guardian_api_secret", "keys"):
                assert secret not in shown
                assert secret in endpoint(tmp_path)
            assert endpoint(tmp_path)["pid"] == process.pid
            if way == "pipe":
                process.stdin.close()
            else:
                process.send_signal(signal.SIGTERM)
            assert await process.wait() == 0
        assert not (tmp_path / "exchange" / "endpoint.json").exists()
        assert json.loads((tmp_path / "exchange" / "state.json").read_text())["runs"] == 1
    asyncio.run(play())


def test_another_bot_may_attach_while_it_lingers(tmp_path):
    async def play():
        async with running(settings(tmp_path)) as server, aiohttp.ClientSession() as client:
            socket = await client.ws_connect(endpoint(tmp_path)["ws_url"])
            waiting = asyncio.ensure_future(serving.linger(server, 0.0))
            await until(socket, is_channel("status"))
            assert not server.stopped.is_set()
            await socket.close()
            await asyncio.wait_for(waiting, 20)
            assert server.stopped.is_set()
    asyncio.run(play())


def test_who_asked_a_moment_ago_finds_it_still_there(tmp_path, monkeypatch):
    """Between the question and the first connection it must not end under the asker's feet."""
    async def play():
        async with running(settings(tmp_path)) as server, aiohttp.ClientSession() as client:
            status = endpoint(tmp_path)["rest_url"] + "/sim/status"
            monkeypatch.setattr(serving, "ATTACH_S", 1e6)
            async with client.get(status) as answer:
                assert answer.status == 200
            waiting = asyncio.ensure_future(serving.linger(server, 0.0))
            socket = await client.ws_connect(endpoint(tmp_path)["ws_url"])
            await until(socket, is_channel("status"))
            assert not waiting.done()
            await socket.close()
            server.asked_s = -1e6
            monkeypatch.setattr(serving, "ATTACH_S", 0.0)
            waiting.cancel()
            await asyncio.wait_for(serving.linger(server, 0.0), 20)
            assert server.stopped.is_set()
            async with client.get(status) as answer:
                assert answer.status == 503
    asyncio.run(play())


def test_the_banner_says_simulated_and_hides_the_secret(tmp_path):
    async def play():
        out = io.StringIO()
        async with running(settings(tmp_path)) as server:
            facts = endpoint(tmp_path)
            serving.print_banner(server, facts, out)
        text = out.getvalue()
        assert "SIMULATED" in text
        assert facts["rest_url"] in text
        assert "network 1500 us" in text
        assert facts["api_secret"] not in text
    asyncio.run(play())


def test_it_stops_after_its_duration(tmp_path):
    """And saves, as at a signal."""
    out = io.StringIO()
    code = asyncio.run(serving.serve(settings(tmp_path), out=out, duration_s=0.05))
    assert code == 0
    assert "SIMULATED" in out.getvalue()
    assert not (tmp_path / "exchange" / "endpoint.json").exists()
    assert json.loads((tmp_path / "exchange" / "state.json").read_text())["runs"] == 1
