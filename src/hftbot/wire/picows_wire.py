"""The wire on picows: frames are handed over where they were received."""

from __future__ import annotations

import asyncio
import ssl

from picows import WSCloseCode, WSError, WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from fastcore.probe.clock import mono_ns
from hftbot.errors import Disconnected, Timeout
from hftbot.wire.ws import FRAME_BYTES_MAX, OnClose, OnFrame
from hftbot.words.ports import Batch

PADDING = 64  # picows keeps at least 256 readable bytes behind every frame
ABORT_AFTER_S = 1.0
_TEXT = WSMsgType.TEXT


class PicowsWire(WSListener):
    """One connected socket; implements wire.ws.WsWire."""

    def __init__(self, on_frame: OnFrame, on_close: OnClose) -> None:
        super().__init__()
        self.last_recv_ns = int(mono_ns())
        self.close_code = 0
        self.failure: Exception | None = None
        self._on_frame = on_frame
        self._on_close = on_close
        self._reason = ""
        self._closing = False
        self._transport: WSTransport | None = None
        self._watch: asyncio.Task[None] | None = None
        self._parts: bytearray | None = None
        self.batch = Batch()

    @property
    def connected(self) -> bool:
        """True once the handshake was done."""
        return self._transport is not None

    def send(self, frame: bytes | bytearray | memoryview) -> None:
        """Queue one text frame; returns at once. Raises Disconnected if it cannot leave."""
        transport = self._transport
        if transport is None or self._closing or transport.is_close_frame_sent:
            raise Disconnected("not sent: the connection is closed")
        transport.send(_TEXT, frame)

    def close(self, reason: str = "closed by us", *, abort: bool = False) -> None:
        """Close; ``abort`` does not wait for the peer. ``on_close`` follows."""
        self._end(WSCloseCode.OK, reason)
        if abort:
            self._disconnect(graceful=False)

    def on_ws_connected(self, transport: WSTransport) -> None:
        """picows: the handshake is done."""
        self._transport = transport
        self._watch = asyncio.get_running_loop().create_task(self._until_gone(transport))

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """picows: one frame is in the buffer."""
        recv_ns = mono_ns()
        self.batch.more = not frame.last_in_buffer
        if self._closing or frame.payload_size > FRAME_BYTES_MAX:
            return  # picows hands over a frame that is too large, although it refused it
        try:
            if frame.msg_type == _TEXT and frame.fin and self._parts is None:
                self.last_recv_ns = recv_ns
                self._on_frame(frame.get_payload_as_memoryview(), PADDING, recv_ns)
            else:
                self._rare(frame, recv_ns)
        except Exception as error:
            self.failure = self.failure or error
            self._end(WSCloseCode.INTERNAL_ERROR,
                      f"frame handler raised {type(error).__name__}: {error}")

    def _rare(self, frame: WSFrame, recv_ns: int) -> None:
        kind = frame.msg_type
        if kind in (_TEXT, WSMsgType.CONTINUATION):
            self._piece(frame, recv_ns)
        elif kind == WSMsgType.CLOSE:
            code, reason = frame.get_close_code(), frame.get_close_reason()
            self._end(WSCloseCode.OK, f"peer closed: {int(code.value)} {reason}".rstrip())
        elif kind == WSMsgType.BINARY:
            self._end(WSCloseCode.UNSUPPORTED_DATA, "binary frame on a text protocol")

    def _piece(self, frame: WSFrame, recv_ns: int) -> None:
        """Join a message that came in several frames."""
        if (frame.msg_type == _TEXT) == (self._parts is not None):
            self._end(WSCloseCode.PROTOCOL_ERROR, "continuation frames out of order")
            return
        if self._parts is None:
            self._parts = bytearray()
        if len(self._parts) + frame.payload_size > FRAME_BYTES_MAX:
            self._parts = None
            self._end(WSCloseCode.MESSAGE_TOO_BIG, f"message above {FRAME_BYTES_MAX} bytes")
            return
        self._parts += frame.get_payload_as_memoryview()
        if frame.fin:
            whole, self._parts = bytes(self._parts), None
            self.last_recv_ns = recv_ns
            self._on_frame(memoryview(whole), 0, recv_ns)

    def _end(self, code: WSCloseCode, reason: str) -> None:
        self._reason = self._reason or reason
        if self._closing or self._transport is None:
            return
        self._closing = True
        self._transport.send_close(code)
        self._disconnect(graceful=True)
        # A peer that reads nothing must not keep the socket.
        asyncio.get_running_loop().call_later(ABORT_AFTER_S, self._disconnect, False)

    def _disconnect(self, graceful: bool) -> None:
        if self._transport is not None and not self._transport.is_disconnected:
            self._transport.disconnect(graceful)

    async def _until_gone(self, transport: WSTransport) -> None:
        try:
            await transport.wait_disconnected()
        except WSError as error:
            self._reason = self._reason or f"protocol error: {error.args[-1]}"
        except OSError as error:
            self._reason = self._reason or f"{type(error).__name__}: {error}"
        self._closing = True
        self._parts = None
        handshake = transport.close_handshake
        received = handshake.recv if handshake is not None else None
        self.close_code = int(received.code.value) if received is not None else 1006
        self._on_close(self._reason or "connection lost")


async def connect(url: str, on_frame: OnFrame, on_close: OnClose, deadline_s: float,
                  ssl_context: ssl.SSLContext | None) -> PicowsWire:
    """See wire.ws.connect."""
    wire = PicowsWire(on_frame, on_close)
    try:
        async with asyncio.timeout(deadline_s):
            await ws_connect(lambda: wire, url, ssl_context=ssl_context,
                             websocket_handshake_timeout=deadline_s,
                             max_frame_size=FRAME_BYTES_MAX, max_redirects=0)
    except TimeoutError:
        raise Timeout(f"{url}: not connected within {deadline_s:g} s") from None
    except (OSError, WSError, EOFError) as error:
        raise Disconnected(f"{url}: {type(error).__name__}: {error}") from None
    if not wire.connected:
        raise Disconnected(f"{url}: closed before the handshake was answered")
    return wire
