"""A WebSocket that carries text frames: picows where it runs, aiohttp elsewhere.

Frames are handed over in place: the view is valid during the call only.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from typing import Protocol

from hftbot.errors import ConfigError

FRAME_BYTES_MAX = 1 << 20
DEADLINE_S = 5.0

OnFrame = Callable[[memoryview, int, int], object]
"""Called with (view, padding, recv_ns): readable bytes after the view, monotonic ns."""
OnClose = Callable[[str], object]
"""Called once, with the reason, when the connection is gone."""


class WsWire(Protocol):
    """One connected socket; implements words.ports.Wire."""

    last_recv_ns: int
    """Monotonic ns of the last text frame (of the connect, before the first)."""
    close_code: int
    """The peer's close code; 1006 if it said none; 0 while connected."""
    failure: Exception | None
    """What the frame handler raised, if that closed the connection: a defect of ours."""

    def send(self, frame: bytes | bytearray | memoryview) -> None:
        """Queue one text frame; returns at once. Raises Disconnected if it cannot leave."""

    def close(self, reason: str = "closed by us", *, abort: bool = False) -> None:
        """Close; ``abort`` does not wait for the peer. ``on_close`` follows."""


class Connect(Protocol):
    """How a Link gets its wire (``connect`` below; a world may bring another)."""

    async def __call__(self, url: str, on_frame: OnFrame, on_close: OnClose) -> WsWire: ...


async def connect(url: str, on_frame: OnFrame, on_close: OnClose, *,
                  deadline_s: float = DEADLINE_S,
                  ssl_context: ssl.SSLContext | None = None) -> WsWire:
    """Connect to a ws:// or wss:// URL.

    Text frames, joined if they came in pieces, go to ``on_frame``; binary frames and messages
    above 1 MiB close the connection. HFTBOT_WIRE=aiohttp|picows chooses the library.
    Raises Timeout, Disconnected, or ConfigError for an impossible URL or choice.
    """
    if not url.startswith(("ws://", "wss://")):
        raise ConfigError(f"{url!r} is not a WebSocket URL: it must begin with ws:// or wss://")
    if library() == "picows":
        from hftbot.wire import picows_wire
        return await picows_wire.connect(url, on_frame, on_close, deadline_s, ssl_context)
    from hftbot.wire import aiohttp_wire
    return await aiohttp_wire.connect(url, on_frame, on_close, deadline_s, ssl_context)


def library() -> str:
    """The library that ``connect`` uses: picows or aiohttp."""
    asked = os.environ.get("HFTBOT_WIRE", "")
    if asked not in ("", "picows", "aiohttp"):
        raise ConfigError(f"HFTBOT_WIRE={asked!r}: it must be picows or aiohttp")
    if asked == "aiohttp":
        return asked
    try:
        import picows  # noqa: F401
    except ImportError:
        if asked == "picows":
            raise ConfigError("HFTBOT_WIRE=picows, but picows is not installed: "
                              "pip install picows") from None
        return "aiohttp"
    return "picows"
