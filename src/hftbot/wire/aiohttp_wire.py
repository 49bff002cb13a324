"""The wire on aiohttp, for interpreters without picows: the same behaviour, more copies."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

import aiohttp

from fastcore.probe.clock import mono_ns
from hftbot.errors import Disconnected, Timeout
from hftbot.wire.ws import FRAME_BYTES_MAX, OnClose, OnFrame

CLOSE_WAIT_S = 1.0
_GONE = (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.CLOSED)


class AiohttpWire:
    """One connected socket; implements wire.ws.WsWire."""

    def __init__(self, session: aiohttp.ClientSession,
                 socket: aiohttp.ClientWebSocketResponse[Any], on_frame: OnFrame,
                 on_close: OnClose) -> None:
        self.last_recv_ns = int(mono_ns())
        self.close_code = 0
        self.failure: Exception | None = None
        self._session = session
        self._socket = socket
        self._on_frame = on_frame
        self._on_close = on_close
        self._reason = ""
        self._closing = False
        self._abort = False
        self._code = aiohttp.WSCloseCode.OK
        self._queue: asyncio.Queue[str] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        self._sender = loop.create_task(self._send_all())
        self._reader = loop.create_task(self._read_all())
        self._end: asyncio.Task[None] | None = None
        self._reader.add_done_callback(self._finish_soon)

    def send(self, frame: bytes | bytearray | memoryview) -> None:
        """Queue one text frame; returns at once. Raises Disconnected if it cannot leave."""
        if self._closing:
            raise Disconnected("not sent: the connection is closed")
        self._queue.put_nowait(str(frame, "utf-8"))

    def close(self, reason: str = "closed by us", *, abort: bool = False) -> None:
        """Close; ``abort`` does not wait for the peer. ``on_close`` follows."""
        self._reason = self._reason or reason
        self._abort = self._abort or abort
        if not self._closing or abort:
            self._closing = True
            self._reader.cancel()

    async def _send_all(self) -> None:
        while True:
            try:
                await self._socket.send_str(await self._queue.get())
            except (OSError, aiohttp.ClientError) as error:
                self.close(f"{type(error).__name__}: {error}")
                return

    async def _read_all(self) -> None:
        try:
            while not self._closing:
                message = await self._socket.receive()
                recv_ns = mono_ns()
                if message.type == aiohttp.WSMsgType.TEXT:
                    self.last_recv_ns = recv_ns
                    self._on_frame(memoryview(message.data.encode()), 0, recv_ns)
                elif message.type in _GONE:
                    if message.type == aiohttp.WSMsgType.CLOSE:
                        said = f"peer closed: {message.data} {message.extra or ''}".rstrip()
                        self._reason = self._reason or said
                    break
                elif message.type == aiohttp.WSMsgType.BINARY:
                    self._reason = "binary frame on a text protocol"
                    self._code = aiohttp.WSCloseCode.UNSUPPORTED_DATA
                    break
                elif message.type == aiohttp.WSMsgType.ERROR:
                    self._reason = f"protocol error: {message.data}"
                    break
        except Exception as error:
            self.failure = error
            self._reason = f"frame handler raised {type(error).__name__}: {error}"
            self._code = aiohttp.WSCloseCode.INTERNAL_ERROR

    def _finish_soon(self, reader: asyncio.Task[None]) -> None:
        self._closing = True
        self._end = reader.get_loop().create_task(self._finish())

    async def _finish(self) -> None:
        peer_code = self._socket.close_code
        self._sender.cancel()
        if not self._abort:
            try:
                async with asyncio.timeout(CLOSE_WAIT_S):
                    await self._socket.close(code=self._code)
            except (OSError, TimeoutError, aiohttp.ClientError):
                pass  # it is gone already
        await self._session.close()
        self.close_code = peer_code or 1006
        self._on_close(self._reason or "connection lost")


async def connect(url: str, on_frame: OnFrame, on_close: OnClose, deadline_s: float,
                  ssl_context: ssl.SSLContext | None) -> AiohttpWire:
    """See wire.ws.connect."""
    session = aiohttp.ClientSession(trust_env=False)
    try:
        async with asyncio.timeout(deadline_s):
            socket = await session.ws_connect(
                url, max_msg_size=FRAME_BYTES_MAX, compress=0, ssl=ssl_context or True,
                timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_WAIT_S))
    except TimeoutError:
        await session.close()
        raise Timeout(f"{url}: not connected within {deadline_s:g} s") from None
    except (OSError, aiohttp.ClientError) as error:
        await session.close()
        raise Disconnected(f"{url}: {type(error).__name__}: {error}") from None
    except BaseException:
        await session.close()
        raise
    return AiohttpWire(session, socket, on_frame, on_close)
