"""The embedded exchange with a stop watch: from its last book frame to the add_order that follows.

Usage: stamping_exchange.py STATE_DIR OUT. Serves until SIGTERM, prints its endpoint as JSON first,
and then writes the measured nanoseconds to OUT.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from pathlib import Path
from typing import Any

from aiohttp import web

from hftbot.exchange.server import running
from hftbot.exchange.settings import ExchangeSettings

TOOK_NS: list[int] = []
SENT = {"ns": 0}


class Stamped:
    """A connection of the face that notes when an order arrives."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)

    def on_text(self, text: str) -> None:
        """One client frame."""
        if SENT["ns"] and '"add_order"' in text:
            TOOK_NS.append(time.perf_counter_ns() - SENT["ns"])
            SENT["ns"] = 0
        self.connection.on_text(text)


class StampedSocket(web.WebSocketResponse):
    """A server socket that notes when a book frame leaves."""

    async def send_str(self, data: str, compress: int | None = None) -> None:
        """One server frame."""
        if data.startswith('{"channel":"book"'):
            SENT["ns"] = time.perf_counter_ns()
        await super().send_str(data, compress)


async def serve(state: Path, out: Path) -> None:
    """Until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with running(ExchangeSettings(state_dir=state)) as server:
        connect = server.face.connect
        server.face.connect = lambda kind: Stamped(connect(kind))
        print(json.dumps(server.endpoint()), flush=True)
        await stop.wait()
    out.write_text(json.dumps(TOOK_NS))


if __name__ == "__main__":
    web.WebSocketResponse = StampedSocket
    asyncio.run(serve(Path(sys.argv[1]), Path(sys.argv[2])))
