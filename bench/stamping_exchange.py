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

from hftbot.exchange import server
from hftbot.exchange.server import running
from hftbot.exchange.settings import ExchangeSettings

TOOK_NS: list[int] = []
plain = server.text_frame
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


def stamped(text: str) -> bytes:
    """The bytes of a server frame; notes when a book frame leaves."""
    frame = plain(text)
    if text.startswith('{"channel":"book"'):
        SENT["ns"] = time.perf_counter_ns()
    return frame


async def serve(state: Path, out: Path) -> None:
    """Until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with running(ExchangeSettings(state_dir=state)) as exchange:
        connect = exchange.face.connect
        exchange.face.connect = lambda kind: Stamped(connect(kind))
        print(json.dumps(exchange.endpoint()), flush=True)
        await stop.wait()
    out.write_text(json.dumps(TOOK_NS))


if __name__ == "__main__":
    server.text_frame = stamped
    asyncio.run(serve(Path(sys.argv[1]), Path(sys.argv[2])))
