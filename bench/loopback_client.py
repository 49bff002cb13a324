"""The client of the loopback bench: a whole bot, and a bare picows echo beside it.

Usage: loopback_client.py PORT on|off CPU FOLDER. ``on`` spins, ``off`` waits in epoll.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from pathlib import Path

import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from bench_engine import Bot
from hftbot.wire import ws
from hftbot.wire.poll import BusyPoll

RENEW = b'{"renew":1}'
READY = b'{"ready":1}'


class Echo(WSListener):
    """Answers every frame with the same bytes: the least that picows can do."""

    def __init__(self, answer: bytes) -> None:
        super().__init__()
        self.answer = answer

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """One frame in, one out."""
        transport.send(WSMsgType.TEXT, self.answer)


async def serve(port: int, mode: str, folder: Path) -> None:
    """Connect three times and answer until the server hangs up.

    The server asks as soon as the third connection stands, perhaps before this coroutine goes on:
    all that an answer needs is in place by then.
    """
    gone = asyncio.Event()
    url = f"ws://127.0.0.1:{port}"
    bot = Bot(folder)
    bot.run()
    echo = Echo(bot.wire.last)

    def ignore(view: memoryview, padding: int, recv_ns: int) -> None:
        """The private stream says nothing here."""

    def market(view: memoryview, padding: int, recv_ns: int) -> None:
        if len(view) == len(RENEW):
            bot.renew()
            public.send(READY)
        else:
            bot.clock.ns += 10**9
            bot.session.public_frame(view, padding, bot.clock.ns)

    def closed(reason: str) -> None:
        gone.set()
    bot.wire = await ws.connect(url + "/private", ignore, closed)
    public = await ws.connect(url + "/public", market, closed)
    await ws_connect(lambda: echo, url + "/echo")
    poll = BusyPoll(mode, processor_count=2)
    poll.start()
    gc.collect()
    gc.freeze()
    gc.disable()
    await gone.wait()
    poll.stop()


if __name__ == "__main__":
    os.sched_setaffinity(0, {int(sys.argv[3])})
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(int(sys.argv[1]), sys.argv[2], Path(sys.argv[4])))
