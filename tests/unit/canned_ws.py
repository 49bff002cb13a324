"""A tiny WebSocket server on 127.0.0.1 whose behaviour each test writes as a handler."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from aiohttp import web

T = TypeVar("T")
Handler = Callable[[web.Request, web.WebSocketResponse], Awaitable[None]]
LIMIT_S = 20.0


def run(main: Coroutine[Any, Any, T],
        loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None) -> T:
    """Run a test's coroutine; a hang fails instead of blocking."""
    async def bounded() -> T:
        async with asyncio.timeout(LIMIT_S):
            return await main
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        return runner.run(bounded())


@contextlib.asynccontextmanager
async def serving(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Serve the handler; gives the URL."""
    async def upgrade(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(compress=False, max_msg_size=0)
        await socket.prepare(request)
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            await handler(request, socket)
        return socket

    application = web.Application()
    application.router.add_get("/ws", upgrade)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    port = runner.addresses[0][1]
    try:
        yield f"{'wss' if tls else 'ws'}://127.0.0.1:{port}/ws"
    finally:
        await runner.cleanup()


def frame(payload: bytes, opcode: int = 1, fin: bool = True) -> bytes:
    """One server-side WebSocket frame, as bytes for ``request.transport.write``."""
    head = bytes([(0x80 if fin else 0) | opcode])
    if len(payload) < 126:
        return head + bytes([len(payload)]) + payload
    if len(payload) < 65536:
        return head + b"\x7e" + len(payload).to_bytes(2, "big") + payload
    return head + b"\x7f" + len(payload).to_bytes(8, "big") + payload


class Client:
    """Collects what a wire hands over; each wait is for an event, never for a time."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.paddings: list[int] = []
        self.stamps: list[int] = []
        self.reasons: list[str] = []
        self._moved = asyncio.Event()

    def on_frame(self, view: memoryview, padding: int, recv_ns: int) -> None:
        self.frames.append(bytes(view))
        self.paddings.append(padding)
        self.stamps.append(recv_ns)
        self._moved.set()

    def on_close(self, reason: str) -> None:
        self.reasons.append(reason)
        self._moved.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._moved.clear()
            await self._moved.wait()

    async def gone(self) -> str:
        await self.until(lambda: bool(self.reasons))
        return self.reasons[0]
