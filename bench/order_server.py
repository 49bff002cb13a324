"""Two servers of the same make: the embedded exchange without delays, and a stub's canned answer.

Usage: order_server.py exchange|stub STATE_DIR. Prints {"port", "path", "token"} as JSON and serves
until SIGTERM.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path

import uvloop
from aiohttp import WSMsgType, web

from hftbot.exchange.server import running
from hftbot.exchange.settings import ExchangeSettings, Latency, Switches

CANNED = ('{"method":"add_order","req_id":1,"result":{"order_id":"OABCDE-FGHIJ-KLMNOP",'
          '"cl_ord_id":"bench"},"success":true,"time_in":"2026-01-01T00:00:00.000001Z",'
          '"time_out":"2026-01-01T00:00:00.000002Z"}')


async def stub(request: web.Request) -> web.WebSocketResponse:
    """Answer whatever comes with the same text."""
    socket = web.WebSocketResponse(compress=False)
    await socket.prepare(request)
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            await socket.send_str(CANNED)
    return socket


async def serve_stub(stop: asyncio.Event) -> None:
    """The canned answer on a port of its own."""
    app = web.Application()
    app.router.add_get("/v2", stub)
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(json.dumps({"port": runner.addresses[0][1], "path": "/v2", "token": ""}), flush=True)
    await stop.wait()
    await runner.cleanup()


async def serve_exchange(state: Path, stop: asyncio.Event) -> None:
    """The exchange with its market running; delays are nothing, visitors are not counted."""
    settings = ExchangeSettings(state_dir=state, latency=Latency(0, 0, 0, 0),
                                switches=Switches(connections_per_10_min=0))
    async with running(settings) as server:
        print(json.dumps({"port": server.port, "path": "/v2/auth",
                          "token": server.face.gate.issue(server.clock.now_us())}), flush=True)
        await stop.wait()


async def main(mode: str, state: Path) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await (serve_stub(stop) if mode == "stub" else serve_exchange(state, stop))


if __name__ == "__main__":
    # The loop that `hftbot exchange` runs on.
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(sys.argv[1], Path(sys.argv[2])))
