"""The embedded exchange with a witness: every order that it is asked for and every trade.

Usage: witness_exchange.py STATE_DIR OUT. Prints its endpoint as JSON, serves until SIGTERM. Lines
of OUT are JSON: {"add": cl_ord_id}, {"trade": report}, and at the end {"end": account}.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import Any, TextIO

from hftbot.exchange.server import running
from hftbot.exchange.settings import ExchangeSettings


class Witnessed:
    """A connection of the face that notes which orders arrive."""

    def __init__(self, connection: Any, out: TextIO) -> None:
        self.connection = connection
        self.out = out

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)

    def on_text(self, text: str) -> None:
        """One client frame."""
        if '"add_order"' in text:
            note(self.out, {"add": json.loads(text)["params"]["cl_ord_id"]})
        self.connection.on_text(text)


def note(out: TextIO, told: dict[str, Any]) -> None:
    """One line, written at once."""
    out.write(json.dumps(told) + "\n")
    out.flush()


async def serve(state: Path, out: TextIO) -> None:
    """Until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with running(ExchangeSettings(state_dir=state)) as server:
        face = server.face
        connect, fill = face.connect, face.desk.fill

        def filled(*what: Any) -> None:
            before = face.desk.counts["fills"]
            fill(*what)
            if face.desk.counts["fills"] > before:
                note(out, {"trade": json.loads(face.desk.recent_trades[-1])})

        face.connect = lambda kind: Witnessed(connect(kind), out)
        face.desk.fill = filled
        print(json.dumps(server.endpoint()), flush=True)
        await stop.wait()
        note(out, {"end": {"balances": face.account.balances, "open": len(face.desk.orders)}})


if __name__ == "__main__":
    with open(sys.argv[2], "a", encoding="ascii") as lines:
        asyncio.run(serve(Path(sys.argv[1]), lines))
