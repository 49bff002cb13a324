"""Two servers of the same make: the embedded exchange without delays, and a stub of canned replies.

The stub reads a request as JSON, because an answer carries its number, and replies with the frames
that the exchange sends for such an order, word for word but for that number and the name: the
answer, and the reports too if it is told to. It sends them as the library has it, frame by frame.

Usage: order_server.py exchange|stub|reporting-stub STATE_DIR. Prints {"port", "path", "token"} as
JSON and serves until SIGTERM.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from functools import partial
from pathlib import Path

import uvloop
from aiohttp import WSMsgType, web

from hftbot.exchange.server import keep_house, running
from hftbot.exchange.settings import ExchangeSettings, Latency, Switches

ACK = ('{"method":"add_order","req_id":%d,"result":{"order_id":"OABCDE-FGHIJ-KLMNOP",'
       '"cl_ord_id":"%s"},"success":true,"time_in":"2026-01-01T00:00:00.000001Z",'
       '"time_out":"2026-01-01T00:00:00.000002Z"}')
REPORTS = (
    '{"channel":"executions","type":"update","data":[{"order_id":"OABCDE-FGHIJ-KLMNOP",'
    '"symbol":"BTC/USD","order_qty":0.00100000,"cum_cost":0.000000000,"fee_usd_equiv":0.0000,'
    '"time_in_force":"IOC","exec_type":"pending_new","side":"buy","order_type":"limit",'
    '"cl_ord_id":"b1","limit_price_type":"static","limit_price":30000.0,"stop_price":0.0,'
    '"order_status":"pending_new","fee_ccy_pref":"fciq",'
    '"timestamp":"2026-01-01T00:00:00.000001Z"}],"sequence":1}',
    '{"channel":"executions","type":"update","data":[{"timestamp":"2026-01-01T00:00:00.000001Z",'
    '"order_status":"new","exec_type":"new","cl_ord_id":"b1","order_id":"OABCDE-FGHIJ-KLMNOP"}],'
    '"sequence":2}',
    '{"channel":"executions","type":"update","data":[{"timestamp":"2026-01-01T00:00:00.000001Z",'
    '"order_status":"canceled","exec_type":"canceled","cum_qty":0.00000000,'
    '"cum_cost":0.000000000,"fee_usd_equiv":0.0000,"avg_price":0.00000,"cl_ord_id":"b1",'
    '"cancel_reason":"IOC order not fully filled","reason":"IOC order not fully filled",'
    '"order_id":"OABCDE-FGHIJ-KLMNOP"}],"sequence":3}')


async def stub(reports: tuple[str, ...], request: web.Request) -> web.WebSocketResponse:
    """Answer every order with the same frames."""
    socket = web.WebSocketResponse(compress=False)
    await socket.prepare(request)
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            asked = json.loads(message.data)
            await socket.send_str(ACK % (asked["req_id"], asked["params"]["cl_ord_id"]))
            for frame in reports:
                await socket.send_str(frame)
    return socket


async def serve_stub(reports: tuple[str, ...], stop: asyncio.Event) -> None:
    """The canned answer on a port of its own."""
    app = web.Application()
    app.router.add_get("/v2", partial(stub, reports))
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
    keep_house()
    if mode == "exchange":
        await serve_exchange(state, stop)
    else:
        await serve_stub(REPORTS if mode == "reporting-stub" else (), stop)


if __name__ == "__main__":
    # The loop that `hftbot exchange` runs on.
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(sys.argv[1], Path(sys.argv[2])))
